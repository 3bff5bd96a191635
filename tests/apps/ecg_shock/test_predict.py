"""`ShockAdvisor`: what it reads, what it refuses, what it will not decide, and that one answer fits all ways to ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apps.ecg_shock import ShockAdvisor, ShockNet
from apps.ecg_shock.app import APP
from apps.ecg_shock.residual import ResidualNet
from apps.ecg_shock.window import EcgWindow
from shared.abstention import Abstention, ProbabilityBand, Unreadable
from shared.card import Card
from shared.cli import main
from shared.errors import InputError
from tests.apps.ecg_shock.quick import ask as command_line

SAMPLES = Path(__file__).parents[3] / "apps" / "ecg_shock" / "samples"
RATE = 250.0


@pytest.fixture(scope="module")
def advisor() -> ShockAdvisor:
    """An untrained network: what is tested here does not depend on what was learnt."""
    card = Card(app="apps.ecg_shock", name="untrained", title="test", classes=("no shock", "shock"))
    return ShockAdvisor(card, ShockNet())


@pytest.fixture
def ecg() -> np.ndarray:
    time = np.arange(round(5 * RATE)) / RATE
    return np.sin(2 * np.pi * 4 * time) + 0.01 * np.random.default_rng(0).standard_normal(len(time))


def test_file_and_array_give_the_same_answer(advisor: ShockAdvisor) -> None:
    import wfdb

    record = wfdb.rdrecord(str(SAMPLES / "sinus_rhythm"))
    from_file = advisor.predict(SAMPLES / "sinus_rhythm", start_s=1, duration_s=4)
    from_array = advisor.predict(record.p_signal[:, 0], record.fs, start_s=1, duration_s=4)
    assert from_file.shock_probability == pytest.approx(from_array.shock_probability, abs=1e-6)
    assert (from_file.start_s, from_file.duration_s) == (1, 4)


def test_units_are_one_signal(advisor: ShockAdvisor, ecg: np.ndarray) -> None:
    expected = advisor.predict(ecg, RATE).logit
    assert advisor.predict(1000 * ecg, RATE, unit="uV").logit == pytest.approx(expected, abs=1e-5)
    assert advisor.predict(ecg / 1000, RATE, unit="V").logit == pytest.approx(expected, abs=1e-5)


def test_batch_of_different_lengths_and_the_caller_s_array(advisor: ShockAdvisor, ecg: np.ndarray) -> None:
    items = [ecg, ecg[:700], ecg[100:]]
    copies = [item.copy() for item in items]
    together = advisor.predict_batch(items, sampling_rate=RATE)
    for item, copy, answer in zip(items, copies, together, strict=True):
        assert answer.logit == pytest.approx(advisor.predict(item, RATE).logit, abs=1e-5)
        np.testing.assert_array_equal(item, copy)


def test_record_is_its_windows(advisor: ShockAdvisor) -> None:
    answers = advisor.predict_record(SAMPLES / "asystole", window_s=4, step_s=2, start_s=1)
    assert [answer.start_s for answer in answers] == [1, 3, 5]
    alone = advisor.predict(SAMPLES / "asystole", start_s=3, duration_s=4)
    assert answers[1].logit == pytest.approx(alone.logit, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda ecg: np.zeros_like(ecg), "flat"),
        (lambda ecg: np.clip(ecg, -0.2, 0.2), "clipped"),
        (lambda ecg: 1000 * ecg, "out of range"),
    ],
)
def test_faults_are_undecided_with_finite_numbers(advisor: ShockAdvisor, ecg: np.ndarray, change, reason) -> None:
    answer = advisor.predict(change(ecg), RATE)
    assert answer.advice == answer.status == "undecided"
    assert str(answer.reason).startswith(reason)
    assert np.isfinite(answer.shock_probability)
    json.dumps(answer.to_dict(), allow_nan=False)


def always(logit: float, noise: float = -9.0, **card: Any) -> ShockAdvisor:
    """A network that says the same of every window."""
    network = ResidualNet((4, 4), (5, 5))
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([logit, noise]))
    return ShockAdvisor(
        Card(app="apps.ecg_shock", name="always", title="test", classes=("no shock", "shock"), **card), network
    )


@pytest.mark.parametrize(("size_mv", "advice"), [(0.15, "no shock"), (0.18, "no shock"), (0.22, "shock"), (1, "shock")])
def test_a_living_signal_under_two_tenths_of_a_millivolt_is_asystole(
    ecg: np.ndarray, size_mv: float, advice: str
) -> None:
    answer = always(9.0).predict(size_mv / 2 * np.sin(2 * np.pi * 5 * np.arange(1250) / RATE), RATE)
    assert (answer.advice, answer.status, answer.reason) == (advice, "ok", None)
    assert answer.amplitude_mv == pytest.approx(size_mv, rel=0.05)
    assert (answer.shock_probability <= 0.01) == (advice == "no shock")
    np.testing.assert_allclose(answer.probabilities, [1 - answer.shock_probability, answer.shock_probability])
    assert answer.logit == pytest.approx(9.0), "what the network said is kept"


def test_asystole_is_decided_before_the_card_s_rules_and_after_faults(ecg: np.ndarray) -> None:
    doubtful = always(0.0, abstention=Abstention((ProbabilityBand(0.2, 0.8),)).to_dict())
    assert doubtful.predict(0.1 * ecg / np.ptp(ecg), RATE).advice == "no shock"
    assert str(doubtful.predict(ecg, RATE).reason).startswith("probability: ")
    assert str(always(9.0).predict(0.004 * ecg, RATE).reason).startswith("flat: ")
    assert always(9.0).predict(0.004 * ecg, RATE).advice == "undecided"


def test_noise_that_the_network_finds_withholds_the_advice(ecg: np.ndarray) -> None:
    rules = Abstention((Unreadable(0.6), ProbabilityBand(0.2, 0.8))).to_dict()
    assert always(9.0, noise=0.0, abstention=rules).predict(ecg, RATE).advice == "shock"
    withheld = always(0.0, noise=3.0, abstention=rules).predict(ecg, RATE)
    assert (withheld.advice, withheld.reason) == ("undecided", Unreadable.reason)


def test_a_window_without_a_sample_is_undecided(advisor: ShockAdvisor) -> None:
    (answer,) = advisor.advise([EcgWindow(np.full(1250, np.nan, np.float32), RATE)])
    assert answer.advice == "undecided"
    assert str(answer.reason).startswith("missing: 100%")
    assert np.isfinite(answer.shock_probability)


def test_outputs_are_those_of_the_network(advisor: ShockAdvisor) -> None:
    assert advisor.output_names == ("logit", "features")
    assert always(0.0).output_names == ("logit", "features", "noise")


@pytest.mark.parametrize("rate", [333.2, 333.3, 127.7])
@pytest.mark.parametrize("seconds", [2.0, 5.0, 10.0])
def test_a_window_is_as_long_as_was_asked_to_the_nearest_sample(
    advisor: ShockAdvisor, rate: float, seconds: float
) -> None:
    ecg = np.random.default_rng(0).normal(size=round(30 * rate))
    for start_s in (0.0, 0.37, 7.77):
        answer = advisor.predict(ecg, rate, start_s=start_s, duration_s=seconds)
        assert answer.duration_s == pytest.approx(seconds, abs=0.5 / rate + 1e-9)
    last = EcgWindow(ecg.astype(np.float32), rate).cut(seconds, 0.37)[-1]
    assert advisor.predict(ecg, rate, start_s=last.start_s, duration_s=seconds).logit == advisor.advise([last])[0].logit


def test_a_file_s_own_gaps_are_bridged_or_undecided(advisor: ShockAdvisor, ecg: np.ndarray, tmp_path: Path) -> None:
    for missing, status in ((50, "ok"), (300, "undecided")):
        gappy = ecg.copy()
        gappy[200 : 200 + missing] = np.nan
        path = tmp_path / f"{missing}.csv"
        path.write_text("ecg\n" + "\n".join("nan" if np.isnan(v) else f"{v:.6f}" for v in gappy))
        assert advisor.predict(path, RATE, unit="mV").status == status


@pytest.mark.parametrize(
    ("ecg", "keywords", "message"),
    [
        (np.zeros(1250), {}, "sampling_rate"),
        (np.zeros(1250), {"sampling_rate": 0.0}, "positive"),
        (np.zeros(300), {"sampling_rate": 50.0}, "at least 75 Hz"),
        (np.zeros(250), {"sampling_rate": 250.0}, "2 to 10 s"),
        (np.zeros(5000), {"sampling_rate": 250.0}, "predict_record"),
        (np.zeros((2, 1250)), {"sampling_rate": 250.0}, r"shape \(2, 1250\)"),
        (np.full(1250, np.nan), {"sampling_rate": 250.0}, "NaN"),
        (np.full(1250, np.inf), {"sampling_rate": 250.0}, "NaN or infinity"),
        (np.zeros(0), {"sampling_rate": 250.0}, "window of 0 s"),
        (np.zeros(1250), {"sampling_rate": 250.0, "unit": "furlong"}, "furlong"),
        (np.zeros(1250, dtype=complex), {"sampling_rate": 250.0}, "complex"),
        (np.array(["a"] * 1250), {"sampling_rate": 250.0}, "real numbers"),
        (np.zeros(1250), {"sampling_rate": 250.0, "start_s": 9.0}, "lasts 5 s"),
        ("nowhere/record", {}, "nowhere"),
    ],
)
def test_wrong_in_form_is_refused(advisor: ShockAdvisor, ecg, keywords, message) -> None:
    with pytest.raises(InputError, match=message):
        advisor.predict(ecg, **keywords)


def test_the_item_of_a_batch_is_named(advisor: ShockAdvisor, ecg: np.ndarray) -> None:
    with pytest.raises(InputError, match="Item 1 of the batch"):
        advisor.predict_batch([ecg, ecg[:10]], sampling_rate=RATE)


def test_verb_prints_one_object_a_window(advisor: ShockAdvisor, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(ShockAdvisor, "from_pretrained", classmethod(lambda cls, *_, **__: advisor))
    assert main(APP, ["predict", str(SAMPLES / "noise"), "--json", "true"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["start_s"] for line in lines] == [0.0]
    assert main(APP, ["predict", str(SAMPLES / "noise"), "--window_s", "3", "--step_s", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.fixture
def ask(advisor: ShockAdvisor, capsys, monkeypatch) -> Callable[..., list[float]]:
    """The verb on a file: where its windows begin."""
    monkeypatch.setattr(ShockAdvisor, "from_pretrained", classmethod(lambda cls, *_, **__: advisor))

    def starts(*words: object) -> list[float]:
        assert main(APP, ["predict", *map(str, words), "--json", "true"]) == 0
        return [json.loads(line)["start_s"] for line in capsys.readouterr().out.splitlines()]

    return starts


def test_verb_cuts_the_whole_file_into_windows(ask, tmp_path: Path) -> None:
    path = tmp_path / "long.npy"
    np.save(path, np.sin(np.arange(round(12 * RATE)) / 10))
    long = (path, "--sampling_rate", RATE, "--unit", "mV")
    assert ask(*long) == [0, 5]
    assert ask(*long, "--window_s", 4) == [0, 4, 8]
    assert ask(*long, "--window_s", 4, "--step_s", 2) == [0, 2, 4, 6, 8]
    assert ask(*long, "--start_s", 1, "--window_s", 4) == [1, 5]
    assert ask(*long, "--step_s", 3) == [0, 3, 6]
    assert ask(*long, "--start_s", 3) == [3], "what is left is one window of 9 s"
    assert ask(*long, "--start_s", 5, "--window_s", 5) == [5], "only one fits"


@pytest.fixture
def refused(advisor: ShockAdvisor, capsys, monkeypatch) -> Callable[..., str]:
    """The one line with which the verb refuses."""
    monkeypatch.setattr(ShockAdvisor, "from_pretrained", classmethod(lambda cls, *_, **__: advisor))

    def line(*words: object) -> str:
        assert main(APP, ["predict", *map(str, words)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return line


@pytest.mark.parametrize("flag", ["step_s", "sampling_rate"])
def test_verb_refuses_zero(refused, flag: str) -> None:
    assert f"--{flag} must be a number above 0; found 0.0" in refused(SAMPLES / "noise", f"--{flag}", 0)


@pytest.mark.parametrize("seconds", [0.0, 1.9, 60.0])
def test_verb_refuses_a_window_that_it_cannot_advise_on(refused, seconds: float) -> None:
    assert f"--window_s must be 2 to 10 s; found {seconds}" in refused(SAMPLES / "noise", "--window_s", seconds)


def test_verb_must_be_told_a_unit_that_no_file_says(refused, tmp_path: Path, ecg: np.ndarray) -> None:
    np.save(tmp_path / "bare.npy", ecg)
    np.savez(tmp_path / "said.npz", ecg=ecg, unit="uV")
    assert "give --unit" in refused(tmp_path / "bare.npy", "--sampling_rate", RATE)
    assert "is in uV by its own account, and mV was given" in refused(
        tmp_path / "said.npz", "--sampling_rate", RATE, "--unit", "mV"
    )
    assert "is in mV by its own account, and uV was given" in refused(SAMPLES / "noise", "--unit", "uV")


def test_a_unit_that_contradicts_the_file_is_refused(advisor: ShockAdvisor, ecg: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is in mV by its own account, and uV was given"):
        advisor.predict(SAMPLES / "noise", unit="uV", duration_s=5)
    np.savez(tmp_path / "said.npz", ecg=1000 * ecg, unit="uV")
    said, expected = advisor.predict(tmp_path / "said.npz", RATE), advisor.predict(ecg, RATE)
    assert said.logit == pytest.approx(expected.logit, abs=1e-5), "the file's own unit counts"


def test_verb_says_what_is_wrong_in_one_line(refused, tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing").startswith("error: There is no file")


def test_a_file_too_short_is_refused_in_the_words_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "short.npy", np.ones(100))
    assert command_line("predict", tmp_path / "short.npy", "--sampling_rate", 250, "--unit", "mV") == 2
    error = capsys.readouterr().err
    assert "short.npy lasts 0.4 s here; at least 2 s are needed" in error
    assert "predict_record" not in error
