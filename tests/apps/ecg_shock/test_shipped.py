"""The shipped weights on the shipped excerpts, from windows of every length they serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.ecg_shock import ShockAdvisor

SAMPLES = Path(__file__).parents[3] / "apps" / "ecg_shock" / "samples"


@pytest.fixture(scope="module")
def advisor() -> ShockAdvisor:
    return ShockAdvisor.from_pretrained("paper")


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


def test_published_network(advisor: ShockAdvisor) -> None:
    assert advisor.card.parameters == 7521
    assert advisor.card.macs == 1_548_505
    assert advisor.card.metrics["balanced accuracy"]["n_rows"] > 10_000


def test_dead_line_is_not_advised_on(advisor: ShockAdvisor) -> None:
    assert advisor.predict(np.zeros(1250), 250).advice == "undecided"


def test_quiet_line_gets_no_shock(advisor: ShockAdvisor) -> None:
    """Asystole with a little amplifier noise."""
    line = np.random.default_rng(0).normal(0, 0.01, 1250)
    assert advisor.predict(line, 250).shock_probability < 0.5
