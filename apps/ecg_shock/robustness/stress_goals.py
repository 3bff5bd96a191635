"""What was asked of the network under stress, and whether it is met."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apps.ecg_shock.robustness.artefacts import ARTEFACTS
from apps.ecg_shock.robustness.cost import FEATURES_MS, ONNX_BATCH_MS, Cost
from apps.ecg_shock.robustness.disturbances import GAIN, INVERSION, LENGTH
from apps.ecg_shock.robustness.stress_results import StressResults
from shared.crossval import fold_spread
from shared.metrics.binary import BALANCED_ACCURACY
from shared.report import ReportTable
from shared.results import NETWORK

__all__ = ["goal_table"]

SPECIFICITY_GOALS = (("wander", 6.0, 95.0), ("wander", 0.0, 90.0), ("muscle", 6.0, 95.0), ("muscle", 0.0, 90.0),
                     ("compressions", 6.0, 85.0))  # fmt: skip
"""Artefact, signal-to-noise ratio in dB, lowest specificity in percent."""
SENSITIVITY_GOAL = (6.0, 95.0)
"""Down to this ratio, at least this sensitivity."""
UNDECIDED_GOALS = ((6.0, 10.0), (0.0, 20.0))
"""At this ratio, at most this share undecided."""
GAINS_WITHIN = (0.5, 2.0)
POINTS = 2.0
"""Points of sensitivity or specificity that gain and inversion may cost, and of balanced accuracy 2 s instead of 5."""
ONNX_GOAL_MS, TIMES_FASTER = 0.15, 20.0
"""In ONNX Runtime and batches: milliseconds for a decision, or else how many times faster than the features."""


@dataclass(frozen=True)
class _Goal:
    what: str
    wanted: str
    value: float
    """What was found; NaN where this set has nothing to count it on."""
    found: str
    """The same in words."""
    met: bool

    @classmethod
    def at_least(cls, what: str, lowest: float, value: float, where: str = "") -> _Goal:
        """A figure, measured at some worst place, that may not be lower."""
        return cls(what, f">= {lowest:g}", value, f"{value:.1f}{where}", value >= lowest)

    @classmethod
    def at_most(cls, what: str, highest: float, value: float, where: str = "") -> _Goal:
        """One that may not be higher."""
        return cls(what, f"<= {highest:g}", value, f"{value:.1f}{where}", value <= highest)


def goal_table(results: StressResults, cost: Cost) -> ReportTable:
    """The goals, what was found, and "met" or "not met"; goals that this set cannot test are left out."""
    goals = [*_noise_goals(results), *_gain_goals(results), *_length_goal(results), *_speed_goal(cost)]
    lines = [
        (goal.what, goal.wanted, goal.found, "met" if goal.met else "not met")
        for goal in goals
        if not math.isnan(goal.value)
    ]
    note = "Percent; the mean over seeds. Where a goal is for every artefact, the worst is named."
    return ReportTable("Goals under stress", ("of the network", "goal", "found", "verdict"), lines, note)


def _noise_goals(results: StressResults) -> Iterator[_Goal]:
    for name, snr, lowest in SPECIFICITY_GOALS:
        found = 100 * results.rates(NETWORK, name, snr).specificity
        yield _Goal.at_least(f"specificity, {ARTEFACTS[name].title}, {snr:g} dB", lowest, found)
    snr, lowest = SENSITIVITY_GOAL
    sensitivity = {name: 100 * results.rates(NETWORK, name, snr).sensitivity for name in ARTEFACTS}
    worst = min(sensitivity, key=sensitivity.__getitem__)
    what = f"sensitivity, every artefact, {snr:g} dB"
    yield _Goal.at_least(what, lowest, sensitivity[worst], f" ({ARTEFACTS[worst].title})")
    for snr, highest in UNDECIDED_GOALS:
        undecided = {name: 100 * results.rates(NETWORK, name, snr).undecided for name in ARTEFACTS}
        worst = max(undecided, key=undecided.__getitem__)
        what = f"undecided, every artefact, {snr:g} dB"
        yield _Goal.at_most(what, highest, undecided[worst], f" ({ARTEFACTS[worst].title})")


def _gain_goals(results: StressResults) -> Iterator[_Goal]:
    clean = results.clean(NETWORK)
    low, high = GAINS_WITHIN
    inside = [(GAIN, level) for level in results.levels(GAIN) if low <= level <= high and level != 1]
    for what, asked in ((f"gain x{low:g} to x{high:g}", inside), ("inversion", [(INVERSION, 1.0)])):
        found = [results.rates(NETWORK, test, level) for test, level in asked]
        lost = [(clean.sensitivity - r.sensitivity, clean.specificity - r.specificity) for r in found]
        yield _Goal.at_most(f"{what}: loss of sensitivity or specificity", POINTS, 100 * float(np.max(lost)))


def _length_goal(results: StressResults) -> Iterator[_Goal]:
    if {2.0, 5.0} <= set(results.levels(LENGTH)):
        spread = [
            fold_spread(BALANCED_ACCURACY, results.rows(NETWORK, LENGTH, seconds))[NETWORK]["mean"]
            for seconds in (5.0, 2.0)
        ]
        if None not in spread:
            yield _Goal.at_most("2 s instead of 5 s: loss of balanced accuracy", POINTS, 100 * (spread[0] - spread[1]))


def _speed_goal(cost: Cost) -> Iterator[_Goal]:
    if ONNX_BATCH_MS in cost.milliseconds:
        found, peer = cost.milliseconds[ONNX_BATCH_MS], cost.milliseconds[FEATURES_MS]
        wanted = f"< {ONNX_GOAL_MS:g} ms, or {TIMES_FASTER:g} times faster than the features"
        met = found < ONNX_GOAL_MS or peer / found >= TIMES_FASTER
        told = f"{found:.3f} ms, {peer / found:.0f} times"
        yield _Goal("ONNX Runtime in batches, a decision", wanted, found, told, met)
