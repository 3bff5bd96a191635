"""The shipped weights on the shipped excerpts, from windows of every length they serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.ecg_shock import ShockAdvisor
from apps.ecg_shock.window import read_window

SAMPLES = Path(__file__).parents[3] / "apps" / "ecg_shock" / "samples"


@pytest.fixture(scope="module", params=ShockAdvisor.available())
def advisor(request: pytest.FixtureRequest) -> ShockAdvisor:
    """Each model that comes with the app."""
    return ShockAdvisor.from_pretrained(request.param)


@pytest.mark.parametrize("seconds", [2, 5, 10])
@pytest.mark.parametrize(
    ("sample", "shock"),
    [("ventricular_fibrillation", True), ("ventricular_tachycardia", True)]
    + [(name, False) for name in ("asystole", "sinus_rhythm", "atrial_fibrillation")],
)
def test_excerpts_are_advised_on_as_labelled(advisor: ShockAdvisor, sample: str, shock: bool, seconds: int) -> None:
    decision = advisor.predict(SAMPLES / sample, duration_s=seconds)
    assert (decision.shock_probability >= decision.threshold) == shock
    assert decision.duration_s == seconds


def test_its_figures_are_of_many_windows(advisor: ShockAdvisor) -> None:
    assert advisor.card.metrics["balanced accuracy"]["n_rows"] > 10_000


def test_published_network() -> None:
    card = ShockAdvisor.from_pretrained("paper").card
    assert card.parameters == 7521
    assert card.macs == 1_548_505


def test_dead_line_is_not_advised_on(advisor: ShockAdvisor) -> None:
    assert advisor.predict(np.zeros(1250), 250).advice == "undecided"


@pytest.mark.parametrize("noise_mv", [0.005, 0.01, 0.02])
def test_quiet_line_gets_no_shock(advisor: ShockAdvisor, noise_mv: float) -> None:
    """Asystole with a little amplifier noise."""
    answer = advisor.predict(np.random.default_rng(0).normal(0, noise_mv, 1250), 250)
    assert (answer.advice, answer.status) == ("no shock", "ok")


def test_recorded_asystole_is_decided_by_its_size(advisor: ShockAdvisor) -> None:
    decisions = advisor.predict_record(SAMPLES / "asystole", window_s=5, step_s=1)
    assert {decision.advice for decision in decisions} == {"no shock"}
    assert max(decision.amplitude_mv for decision in decisions) < 0.2


def test_fibrillation_is_advised_on_as_it_begins(advisor: ShockAdvisor) -> None:
    stream = advisor.stream(250.0, confirm=2)
    stream.push(read_window(SAMPLES / "vf_onset").ecg)
    first, *later = stream.changes
    shock = next(change for change in later if change.advice == "shock")
    assert first.advice == "no shock"
    assert 0 < shock.at_s - 4044 / 250 < 8
