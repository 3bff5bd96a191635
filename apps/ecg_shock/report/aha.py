"""The table by which defibrillators state how well they tell rhythms apart, with the goals of the Heart Association.

Kerber et al., Automatic external defibrillators for public access defibrillation, Circulation 1997;95:1677-1682: for
each rhythm a least number of windows, a goal for the share of right advice, and a lower 90 % limit it must reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.ecg_shock.report.counts import exact_limits, fine_percent, n_patients, n_windows
from shared.metrics import Weights
from shared.metrics.weighted import ratio
from shared.report import ReportTable
from shared.stats import RANGE, Interval, group_bootstrap
from shared.table import Table, require, take

__all__ = ["AHA_RHYTHMS", "CAPTION", "AhaRhythm", "Goal", "aha_table"]

CAPTION = "Advice by the rhythms of the American Heart Association"
LEVEL = 0.9
"""Coverage of the one-sided limits."""
NOT_TESTABLE = "not testable"


@dataclass(frozen=True)
class Goal:
    """What the share of right advice must come to."""

    above: float
    """The estimate must be above this."""
    limit: float
    """The one-sided lower limit must reach this."""


@dataclass(frozen=True)
class AhaRhythm:
    """One line of the table."""

    title: str
    cls: str
    """Class of its windows."""
    shock: bool
    """Whether the share to state is that of advice to shock, or that of no advice to shock."""
    minimum: int | None = None
    """Windows needed; none are asked for a rhythm outside the recommendation."""
    goal: Goal | None = None
    """None where the share is to be reported only."""


AHA_RHYTHMS = (
    AhaRhythm("coarse VF, 0.2 mV or more", "S_VF", True, 200, Goal(0.90, 0.87)),
    AhaRhythm("rapid VT, regular, 150/min or faster", "S_VT", True, 50, Goal(0.75, 0.67)),
    AhaRhythm("normal sinus rhythm", "N_NSR", False, 100, Goal(0.99, 0.97)),
    AhaRhythm("other organised rhythms", "N_ONR", False, 30, Goal(0.95, 0.88)),
    AhaRhythm("asystole, 0.2 mV at most", "N_ASYS", False, 100, Goal(0.95, 0.92)),
    AhaRhythm("fine VF, under 0.2 mV", "I_FINEVF", True, 25),
    AhaRhythm("other VT, under 150/min", "I_SLOWVT", True, 25),
    AhaRhythm("ventricular flutter", "S_VFL", True),
)
"""Rhythms with a goal, then those that are reported only."""

_HEADER = (
    "rhythm",
    "windows",
    "needed",
    "patients",
    "estimate, %",
    "lower limit, exact, %",
    "lower limit by patients, %",
    "goal (its limit), %",
    "verdict",
    "met by patients",
)
_NOTE = (
    "Goals and least numbers: Kerber et al., Circulation 1997;95:1677-1682. Se: share of the windows with advice to "
    "shock, which also stands where there is no goal; Sp: share without it. Met: the estimate is above the goal, and "
    "the one-sided lower 90 % limit reaches its limit; not testable: fewer windows than needed. As in the "
    "recommendation the exact limit (Clopper-Pearson) decides. It counts a window once, whatever the number of seeds, "
    "and takes windows as independent, which those of one patient are not. The limit by patients is the 10th "
    "percentile of 1000 resamples of whole patients; under eight patients there is none, and the lowest patient "
    "stands in its place. The estimate is the mean over seeds. Flutter has no line of its own in the recommendation: "
    "it is reported apart, not as coarse VF."
)


def aha_table(rows: Table, withheld: bool) -> ReportTable:
    """Windows, patients, share of right advice, its one-sided limits and the verdict of each rhythm.

    Args:
        rows: of one model: columns item, patient, cls, decision (1 shock; also where it was withheld), undecided.
        withheld: count an undecided window as one without advice to shock: shockable it is missed, else it is right.
            Otherwise every window counts as its probability decides.
    """
    require(rows, "item", "patient", "cls", "decision", "undecided")
    shocked = rows["decision"] == 1
    if withheld:
        shocked &= ~rows["undecided"].astype(bool)
    told = (
        "An undecided window counts as no advice to shock: a shockable one is missed, any other is right."
        if withheld
        else "Undecided windows count as their probability decides."
    )
    return ReportTable(
        f"{CAPTION}, {'undecided is no shock' if withheld else 'every window decided'}",
        _HEADER,
        [_line(rhythm, rows, shocked) for rhythm in AHA_RHYTHMS],
        f"{told} {_NOTE}",
    )


def _line(rhythm: AhaRhythm, rows: Table, shocked: np.ndarray) -> tuple[str, ...]:
    of_rhythm = rows["cls"] == rhythm.cls
    right = shocked[of_rhythm] == rhythm.shock
    part: Table = {**take(rows, of_rhythm), "right": right}
    n = n_windows(part)
    if not n:
        return (rhythm.title, "0", _needed(rhythm), "0", "-", "-", "-", _goal(rhythm), NOT_TESTABLE, "-")
    exact = exact_limits(part, right, LEVEL, "lower")
    by_patient = group_bootstrap(_share_right, part, "patient", level=2 * LEVEL - 1)
    return (
        rhythm.title,
        str(n),
        _needed(rhythm),
        str(n_patients(part)),
        fine_percent(by_patient.estimate),
        fine_percent(exact.low),
        _by_patients(by_patient),
        _goal(rhythm),
        *_verdicts(rhythm, n, exact.low, by_patient),
    )


def _share_right(table: Table, weights: Weights) -> float:
    return ratio(weights @ (table["right"] == 1), weights.sum())


def _needed(rhythm: AhaRhythm) -> str:
    return "-" if rhythm.minimum is None else str(rhythm.minimum)


def _goal(rhythm: AhaRhythm) -> str:
    if rhythm.goal is None:
        return "none"
    return f"{'Se' if rhythm.shock else 'Sp'} > {100 * rhythm.goal.above:g} ({100 * rhythm.goal.limit:g})"


def _by_patients(interval: Interval) -> str:
    if interval.method != RANGE:
        return fine_percent(interval.low)
    return f"{fine_percent(interval.low)} (lowest of {interval.n_groups})"


def _verdicts(rhythm: AhaRhythm, n: int, exact: float, by_patient: Interval) -> tuple[str, str]:
    """What the exact limit decides, and whether the limit by patients would say so too."""
    if rhythm.goal is None:
        return "reported", "-"
    if rhythm.minimum is not None and n < rhythm.minimum:
        return NOT_TESTABLE, "-"
    above, limit = by_patient.estimate > rhythm.goal.above, rhythm.goal.limit
    verdict = "met" if above and exact >= limit else "not met"
    if by_patient.method == RANGE:
        return verdict, "too few patients"
    return verdict, "yes" if above and by_patient.low >= limit else "no"
