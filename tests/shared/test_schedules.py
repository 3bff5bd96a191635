"""Schedules against torch's own, and what every schedule must keep to."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from shared.errors import ConfigError
from shared.fit_config import ScheduleConfig
from shared.schedules import constant, cosine, one_cycle, schedule_factor, sigmoid, with_warmup

STEPS = 40
PEAK = 0.3


def torch_rates(make: type[LRScheduler], **settings: float) -> list[float]:
    """Learning rates of steps 0 ... STEPS - 1 as torch's scheduler sets them."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler = make(optimizer, **settings)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_is_torchs() -> None:
    expected = torch_rates(CosineAnnealingLR, T_max=STEPS, eta_min=0.1 * PEAK)
    assert [PEAK * cosine(step / STEPS, final=0.1) for step in range(STEPS)] == pytest.approx(expected)


def test_one_cycle_is_torchs_where_torch_peaks_on_a_step() -> None:
    # torch's cycle peaks at step 0.3 * total - 1 and ends at step total - 1: with these two as our 0.3 and 1 on each
    # side of the peak, both curves are the same.
    total = STEPS + 1
    expected = torch_rates(OneCycleLR, max_lr=PEAK, total_steps=total, cycle_momentum=False)
    peak, end = 0.3 * total - 1, total - 1

    def progress(step: int) -> float:
        return 0.3 * step / peak if step < peak else 0.3 + 0.7 * (step - peak) / (end - peak)

    assert [PEAK * one_cycle(progress(step)) for step in range(STEPS)] == pytest.approx(expected)


def test_one_cycle_starts_peaks_and_ends_where_it_should() -> None:
    assert one_cycle(0.0) == pytest.approx(1 / 25)
    assert one_cycle(0.3) == pytest.approx(1.0)
    assert one_cycle(1.0) == pytest.approx(1e-4 / 25)


def test_sigmoid_is_a_logistic_curve_between_exact_ends() -> None:
    assert sigmoid(0.0, final=0.1) == pytest.approx(1.0)
    assert sigmoid(1.0, final=0.1) == pytest.approx(0.1)
    assert sigmoid(0.5, final=0.1) == pytest.approx(0.55)
    logistic = [torch.sigmoid(torch.tensor(12 * (0.5 - p), dtype=torch.float64)).item() for p in (0.25, 0.4, 0.75)]
    assert [sigmoid(p) for p in (0.25, 0.4, 0.75)] == pytest.approx(logistic, abs=3e-3)


@given(
    p=st.floats(0, 1),
    q=st.floats(0, 1),
    warmup=st.floats(0, 0.9),
    final=st.floats(0, 1),
    name=st.sampled_from(["constant", "cosine", "onecycle", "sigmoid"]),
)
@settings(deadline=None, max_examples=100)
def test_every_schedule_stays_in_range_and_never_rises_after_its_peak(
    p: float, q: float, warmup: float, final: float, name: str
) -> None:
    config = ScheduleConfig(
        name=name,
        warmup=0.0 if name == "onecycle" else warmup,
        final=final if name in ("cosine", "sigmoid") else 0.0,
    )
    factor = schedule_factor(config)
    peak = 0.3 if name == "onecycle" else warmup
    early, late = sorted((p, q))
    assert 0 <= factor(p) <= 1 + 1e-12
    if early >= peak:
        assert factor(late) <= factor(early) + 1e-12
    elif late < peak:
        assert factor(late) >= factor(early) - 1e-12


def test_warmup_rises_straight_and_then_runs_the_whole_schedule() -> None:
    factor = with_warmup(cosine, 0.2)
    assert [factor(p) for p in (0.0, 0.05, 0.1)] == pytest.approx([0.0, 0.25, 0.5])
    assert [factor(0.2 + 0.8 * p) for p in (0.0, 0.3, 1.0)] == pytest.approx([cosine(p) for p in (0.0, 0.3, 1.0)])
    assert schedule_factor(ScheduleConfig())(0.7) == constant(0.7) == 1.0


@pytest.mark.parametrize(
    "wrong",
    [{"warmup": 1.0}, {"warmup": -0.1}, {"final": 1.5}, {"name": "onecycle", "warmup": 0.1}, {"final": 0.1}],
)
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"schedule"):
        ScheduleConfig(**wrong)
