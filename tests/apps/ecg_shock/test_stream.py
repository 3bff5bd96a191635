"""`ShockStream`: the answers of `predict` to the bit, however the samples come; advice that stands and changes."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ecg_shock import AdviceChange, ShockAdvisor, ShockDecision, ShockNet, ShockStream
from apps.ecg_shock.window import EcgWindow
from shared.card import Card
from shared.errors import InputError

RATE = 250.0


@pytest.fixture(scope="module")
def advisor() -> ShockAdvisor:
    """An untrained network: what is tested here does not depend on what was learnt."""
    card = Card(app="apps.ecg_shock", name="untrained", title="test", classes=("no shock", "shock"))
    return ShockAdvisor(card, ShockNet())


class Scripted:
    """Stands for an advisor: keeps the windows that it is asked about, and says what was written down for them."""

    def __init__(self, advisor: ShockAdvisor, script: Sequence[str] = ("no shock",)) -> None:
        self.pattern = advisor.predict(np.sin(np.arange(1250) / 10), RATE)
        self.script, self.asked = script, list[EcgWindow]()

    def advise(self, windows: Sequence[EcgWindow]) -> list[ShockDecision]:
        self.asked += windows
        return [dataclasses.replace(self.pattern, **self._said(window)) for window in windows]

    def _said(self, window: EcgWindow) -> dict[str, Any]:
        advice = self.script[int(window.start_s) % len(self.script)]
        doubt = {"status": "undecided", "reason": "noise: test"} if advice == "undecided" else {}
        return {"advice": advice, "start_s": window.start_s, "duration_s": window.duration_s, **doubt}

    def stream(self, *, rate: float = RATE, window_s: float = 5, step_s: float = 1, confirm: int = 1) -> ShockStream:
        stream = ShockStream(self, rate, window_s, step_s, confirm, "mV")  # type: ignore[arg-type]
        self.asked.clear()
        return stream


def chunks(signal: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """The signal in pieces of these sizes, again and again, none of them longer than what is left."""
    pieces, first = [], 0
    while first < len(signal):
        pieces.append(signal[first : first + sizes[len(pieces) % len(sizes)]])
        first += len(pieces[-1])
    return pieces


@given(
    rate=st.sampled_from([250.0, 360.0, 333.3, 127.7, 75.0]),
    window_s=st.sampled_from([2.0, 3.3, 5.0]),
    step_s=st.sampled_from([0.37, 1.0, 4.0]),
    sizes=st.lists(st.integers(0, 900), min_size=1, max_size=6).filter(any),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=25)
def test_answers_are_those_of_predict_however_the_samples_come(advisor, rate, window_s, step_s, sizes, seed) -> None:
    signal = np.random.default_rng(seed).normal(size=round(9.7 * rate)).cumsum() / 20
    stream = advisor.stream(rate, window_s, step_s)
    found = [decision for piece in chunks(signal, sizes) for decision in stream.push(piece)]
    assert len(found) == len(advisor.predict_record(signal, rate, window_s=window_s, step_s=step_s))
    for number, decision in enumerate(found):
        alone = advisor.predict(signal, rate, start_s=number * step_s, duration_s=window_s)
        assert decision.to_dict() == alone.to_dict()


def test_a_window_is_answered_with_its_last_sample(advisor: ShockAdvisor) -> None:
    stream = advisor.stream(RATE)
    signal = np.random.default_rng(0).normal(size=1500)
    assert stream.push(signal[:1249]) == []
    assert [decision.start_s for decision in stream.push(signal[1249:1250])] == [0.0]
    assert stream.push([]) == []
    assert [decision.start_s for decision in stream.push(signal[1250:])] == [1.0]


def test_units_and_kinds_of_numbers(advisor: ShockAdvisor) -> None:
    microvolts = np.random.default_rng(0).integers(-900, 900, 1250).astype(np.int16)
    (found,) = advisor.stream(RATE, unit="uV").push(microvolts)
    assert found.to_dict() == advisor.predict(microvolts, RATE, unit="uV").to_dict()
    (listed,) = advisor.stream(RATE, unit="uV").push(microvolts.tolist())
    assert listed.to_dict() == found.to_dict()


@pytest.mark.parametrize("step_s", [0.7, 1 / 3, 6.1])
def test_windows_do_not_drift_over_hours(advisor: ShockAdvisor, step_s: float) -> None:
    rate, scripted = 333.3, Scripted(advisor)
    stream, hours = scripted.stream(rate=rate, window_s=2, step_s=step_s), 2
    for first in range(0, round(hours * 3600 * rate), 3333):
        stream.push(np.arange(first, first + 3333))  # each sample says its own place
    places = np.array([window.ecg[0] for window in scripted.asked])
    np.testing.assert_array_equal(places, np.round(np.arange(len(places)) * step_s * rate))
    assert len(places) == pytest.approx(hours * 3600 / step_s, rel=0.01)


def test_a_long_stream_needs_no_more_memory_than_a_short_one(advisor: ShockAdvisor) -> None:
    scripted = Scripted(advisor, ("shock", "no shock"))
    stream, second = scripted.stream(step_s=7.0), np.zeros(250)

    def after(seconds: int) -> int:
        for _ in range(seconds):
            stream.push(second)
            scripted.asked.clear()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = after(100)
        assert after(1500) - early < 50_000
    finally:
        tracemalloc.stop()


def standing(advisor: ShockAdvisor, script: Sequence[str], confirm: int) -> tuple[list[str | None], ShockStream]:
    """What stood after each window, and the stream."""
    stream, stood = Scripted(advisor, script).stream(confirm=confirm), []
    stream.push(np.zeros(1000))
    for _ in script:
        stream.push(np.zeros(250))
        stood.append(stream.advice)
    return stood, stream


def test_advice_stands_when_consecutive_windows_agree(advisor: ShockAdvisor) -> None:
    script = ("no shock", "no shock", "shock", "no shock", "shock", "shock", "shock", "undecided", "shock")
    stood, stream = standing(advisor, script, confirm=2)
    assert stood == [None, "no shock", None, None, None, "shock", "shock", None, None]
    assert stream.changes == (
        AdviceChange("no shock", 6.0, 6.0),
        AdviceChange(None, 7.0, None),
        AdviceChange("shock", 10.0, 6.0),
        AdviceChange(None, 12.0, None),
    )


def test_without_confirmation_each_window_stands(advisor: ShockAdvisor) -> None:
    stood, stream = standing(advisor, ("no shock", "shock", "undecided", "shock"), confirm=1)
    assert stood == ["no shock", "shock", None, "shock"]
    assert [(change.at_s, change.time_to_advice_s) for change in stream.changes] == [
        (5.0, 5.0), (6.0, 5.0), (7.0, None), (8.0, 5.0),
    ]  # fmt: skip


def test_changes_within_one_push_are_all_noted(advisor: ShockAdvisor) -> None:
    stream = Scripted(advisor, ("no shock", "shock", "shock")).stream()
    stream.push(np.zeros(1750))
    assert [change.advice for change in stream.changes] == ["no shock", "shock"]


def test_reset_begins_anew(advisor: ShockAdvisor) -> None:
    signal = np.random.default_rng(0).normal(size=2000)
    stream = advisor.stream(RATE)
    before = [decision.to_dict() for decision in stream.push(signal)]
    stream.push(signal[:700])
    stream.reset()
    assert (stream.advice, stream.changes) == (None, ())
    assert [decision.to_dict() for decision in stream.push(signal)] == before


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.zeros((2, 100)), r"shape \(2, 100\)"),
        (0.5, r"shape \(\)"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([np.inf]), "NaN or infinity"),
        (np.array([1e300]), "NaN or infinity"),
        (["a"], "real numbers"),
        ("abc", "real numbers"),
        (None, "real numbers"),
        (np.zeros(3, complex), "complex"),
        (np.zeros(3, bool), "bool"),
        ([[1.0], [1.0, 2.0]], "no array of numbers"),
        (np.ma.masked_greater(np.arange(3.0), 1), "masked"),
    ],
)
def test_a_refused_chunk_changes_nothing(advisor: ShockAdvisor, chunk: Any, message: str) -> None:
    signal = np.random.default_rng(0).normal(size=1250)
    stream = advisor.stream(RATE)
    stream.push(signal[:800])
    with pytest.raises(InputError, match=message):
        stream.push(chunk)
    (found,) = stream.push(signal[800:])
    assert found.to_dict() == advisor.predict(signal, RATE).to_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampling_rate": None}, "sampling_rate is None"),
        ({"sampling_rate": "250"}, "positive number of Hz"),
        ({"sampling_rate": 50.0}, "at least 75 Hz"),
        ({"sampling_rate": 1e6}, "at most 50000 Hz"),
        ({"window_s": 1.0}, "2 to 10 s"),
        ({"window_s": "5"}, "window_s is '5'"),
        ({"step_s": 0.0}, "at least one sample apart"),
        ({"step_s": -1.0}, "at least one sample apart"),
        ({"step_s": np.nan}, "step_s is nan"),
        ({"confirm": 0}, "confirm is 0"),
        ({"confirm": 1.5}, r"confirm is 1\.5"),
        ({"confirm": True}, "confirm is True"),
        ({"unit": "furlong"}, "furlong"),
        ({"unit": None}, "unit is None"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_at_once(advisor: ShockAdvisor, arguments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        advisor.stream(**{"sampling_rate": RATE, **arguments})


def test_arguments_may_be_given_in_order(advisor: ShockAdvisor) -> None:
    stream = advisor.stream(RATE, 2, 0.5, 3)
    assert len(stream.push(np.random.default_rng(0).normal(size=1000))) == 5


def test_missing_samples_of_a_file_are_taken_as_predict_takes_them(advisor: ShockAdvisor) -> None:
    ecg = np.random.default_rng(0).normal(size=1250).astype(np.float32)
    ecg[300:330] = np.nan
    (found,) = advisor.stream(RATE).take(ecg)
    assert found.to_dict() == advisor.advise([EcgWindow(ecg, RATE)])[0].to_dict()
