"""The verb `watch`, and the demo's picture: a recording as it comes in, with the advice that stands."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.ecg_shock import AdviceChange, ShockAdvisor, demo, onset
from apps.ecg_shock.app import APP
from apps.ecg_shock.onset import watch_onset
from apps.ecg_shock.stream import StandingAdvice
from apps.ecg_shock.watch import Moment, watched
from apps.ecg_shock.window import EcgWindow, read_window
from shared.cli import main
from shared.errors import InputError

ONSET = Path(demo.__file__).parent / "samples" / demo.ONSET
LABELLED_S = 4044 / 250


@pytest.fixture(scope="module", params=ShockAdvisor.available())
def advisor(request: pytest.FixtureRequest) -> ShockAdvisor:
    """Each model that comes with the app."""
    return ShockAdvisor.from_pretrained(request.param)


@pytest.fixture
def say(advisor: ShockAdvisor, capsys, monkeypatch) -> Callable[..., list[str]]:
    """The lines that the verb prints."""
    monkeypatch.setattr(ShockAdvisor, "from_pretrained", classmethod(lambda cls, *_, **__: advisor))

    def lines(*words: object) -> list[str]:
        assert main(APP, ["watch", *map(str, words)]) == 0
        return capsys.readouterr().out.splitlines()

    return lines


def test_a_line_for_each_window_with_what_stands(say, advisor: ShockAdvisor) -> None:
    lines = [json.loads(line) for line in say(ONSET, "--json", "true", "--confirm", 2, "--start_s", 8)]
    alone = advisor.predict_record(ONSET, start_s=8, window_s=5, step_s=1)
    assert [line["start_s"] for line in lines] == [decision.start_s for decision in alone]
    assert [line["advice"] for line in lines] == [decision.advice for decision in alone]
    changes = [line["change"] for line in lines if line["change"]]
    assert lines[0]["standing_advice"] is None
    twice = next(window for before, window in pairwise(lines) if before["advice"] == window["advice"] != "undecided")
    reached = twice["start_s"] + 5
    assert changes[0] == {"advice": twice["advice"], "at_s": reached, "time_to_advice_s": 6.0}  # two windows
    shock = next(change for change in changes if change["advice"] == "shock")
    assert LABELLED_S < shock["at_s"] < LABELLED_S + 8
    assert lines[-1]["standing_advice"] == changes[-1]["advice"]


def test_a_person_reads_the_same(say) -> None:
    lines = say(ONSET, "--window_s", 4, "--step_s", 2)
    assert len(lines) == 19
    assert lines[0].endswith("| stands: no shock  <- changed at 4.0 s, after 4.0 s of signal")
    assert any("| stands: shock  <- changed at" in line for line in lines)


def test_small_steps_lose_no_change(advisor: ShockAdvisor) -> None:
    moments = list(watched(advisor, read_window(ONSET, duration_s=24), window_s=2.0, step_s=0.1, confirm=3))
    stream = advisor.stream(250.0, 2.0, 0.1, 3)
    stream.take(read_window(ONSET, duration_s=24).ecg)
    assert tuple(moment.change for moment in moments if moment.change) == stream.changes
    assert len(moments) == 221


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--window_s", "60"), "--window_s must be 2 to 10 s; found 60.0"),
        (("--start_s", "37"), "a window of 5 s does not fit"),
        (("--confirm", "0"), "--confirm must be 1 or more; found 0"),
        (("--step_s", "0"), "--step_s must be a number above 0"),
        (("--step_s", "0.001"), "at least one sample apart"),
        (("--unit", "uV"), "is in mV by its own account"),
        (("--windows", "5"), "Unknown option --windows"),
    ],
)
def test_a_mistake_is_one_line(capsys, words: tuple[str, ...], message: str) -> None:
    assert main(APP, ["watch", str(ONSET), "--model", "paper", *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert message in line


def test_missing_samples_of_a_file_do_not_end_the_watch(say, tmp_path: Path) -> None:
    ecg = np.random.default_rng(0).normal(size=2000)
    ecg[600:630] = np.nan
    path = tmp_path / "gap.csv"
    path.write_text("ecg\n" + "\n".join("nan" if np.isnan(value) else f"{value:.5f}" for value in ecg))
    assert len(say(path, "--sampling_rate", 250, "--unit", "mV")) == 4


def test_the_demo_shows_the_onset_and_the_moment_of_advice() -> None:
    part = demo.demo()
    row = part.rows[-1]
    assert row.expected == "ventricular fibrillation from 16.2 s on (VFDB 430)"
    assert row.answer.startswith("shock, ")
    assert "fibrillation begin at 16.2 s; a shock is advised at" in part.section.paragraphs[-1]
    picture = part.section.figures[0]
    times = {line.get_label(): line.get_xdata()[0] for line in picture.figure.axes[0].lines}
    assert times["onset, labelled"] == pytest.approx(LABELLED_S)
    assert times["shock advised"] > times["onset, labelled"]


def test_an_onset_that_is_missed_is_said(advisor: ShockAdvisor, monkeypatch) -> None:
    monkeypatch.setattr(advisor, "threshold", 1.1)
    row, sentence, _ = watch_onset(advisor, ONSET)
    assert row.answer == "no shock advised"
    assert "a shock is never advised" in sentence


def says(advisor: ShockAdvisor, monkeypatch: pytest.MonkeyPatch, stood: Callable[[float], StandingAdvice]) -> None:
    """Have the demo's stream stand as `stood` says of the time at which each window is full."""

    def moments(advisor: ShockAdvisor, recording: EcgWindow, *words: float) -> Iterator[Moment]:
        before = None
        for moment in watched(advisor, recording, *words):  # type: ignore[arg-type]
            at_s = moment.decision.start_s + moment.decision.duration_s
            advice = stood(at_s)
            change = AdviceChange(advice, at_s, 6.0) if advice != before else None
            before = advice
            yield dataclasses.replace(moment, advice=advice, change=change)

    monkeypatch.setattr(onset, "watched", moments)


def test_advice_that_stood_before_the_onset_is_no_answer_to_it(advisor: ShockAdvisor, monkeypatch) -> None:
    says(advisor, monkeypatch, lambda at_s: "shock")
    row, sentence, picture = watch_onset(advisor, ONSET)
    assert row.answer == "shock, advised before the onset"
    assert "no advice to shock begins after that" in sentence
    assert "Before the onset the advice to shock already stood after 12 windows." in sentence
    assert "shock advised" not in {line.get_label() for line in picture.figure.axes[0].lines}


def test_the_advice_counts_that_begins_after_the_onset(advisor: ShockAdvisor, monkeypatch) -> None:
    """A false alarm that stands across the onset, is taken back, and comes again."""
    says(advisor, monkeypatch, lambda at_s: "shock" if 12 <= at_s < 18 or at_s >= 21 else "no shock")
    row, sentence, _ = watch_onset(advisor, ONSET)
    assert row.answer == f"shock, {21 - LABELLED_S:.1f} s after the onset"
    assert "a shock is advised at 21.0 s" in sentence
    assert "already stood after 5 windows" in sentence


def test_shorter_than_a_window(advisor: ShockAdvisor) -> None:
    with pytest.raises(InputError, match="does not fit"):
        next(watched(advisor, read_window(ONSET, duration_s=3), 5.0, 1.0, 1))
