"""The AHA table: counts, limits and verdicts that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from apps.ecg_shock.report.aha import aha_table
from shared.table import Table
from tests.apps.ecg_shock.decided import again, joined, windows


def line(table: Table, rhythm: str, *, withheld: bool = False) -> dict[str, str]:
    shown = aha_table(table, withheld)
    (cells,) = [row for row in shown.rows if row[0].startswith(rhythm)]
    return dict(zip(shown.header, cells, strict=True))


def ten_patients(shocked: int, size: int = 20) -> Table:
    return joined(*(windows("S_VF", f"p{number}", size, shocked) for number in range(10)))


def test_a_goal_is_met() -> None:
    found = line(ten_patients(19), "coarse VF")
    assert (found["windows"], found["needed"], found["patients"]) == ("200", "200", "10")
    assert found["estimate, %"] == "95.00"
    assert found["lower limit, exact, %"] == f"{100 * beta.ppf(0.1, 190, 11):.2f}"
    assert found["lower limit by patients, %"] == "95.00"  # every patient has the same share
    assert (found["goal (its limit), %"], found["verdict"], found["met by patients"]) == ("Se > 90 (87)", "met", "yes")


def test_the_estimate_must_be_above_the_goal() -> None:
    assert line(ten_patients(18), "coarse VF")["estimate, %"] == "90.00"
    assert line(ten_patients(18), "coarse VF")["verdict"] == "not met"


@pytest.mark.parametrize(("right", "verdict"), [(39, "met"), (38, "not met")])
def test_the_exact_limit_must_reach_its_own(right: int, verdict: str) -> None:
    """Both estimates, 78 and 76 %, are above 75 %; the lower limits are 68.6 and 66.5 %."""
    assert (beta.ppf(0.1, right, 51 - right) >= 0.67) == (verdict == "met")
    table = joined(windows("S_VT", "p0", 25, 25), windows("S_VT", "p1", 25, right - 25))
    found = line(table, "rapid VT")
    assert found["verdict"] == verdict
    assert found["lower limit by patients, %"] == f"{100 * (right - 25) / 25:.2f} (lowest of 2)"
    assert found["met by patients"] == "too few patients"


def test_patients_may_say_no_where_windows_say_yes() -> None:
    """One patient of twelve is missed wholly: drawn three times in a tenth of the resamples, 75 %, else 83 %."""
    table = joined(*(windows("S_VF", f"p{number}", 50, 50 if number else 0) for number in range(12)))
    found = line(table, "coarse VF")
    assert found["estimate, %"] == "91.67"
    assert found["lower limit by patients, %"] == "83.33"
    assert (found["verdict"], found["met by patients"]) == ("met", "no")


def test_too_few_windows_or_none_are_not_testable() -> None:
    table = joined(windows("N_ASYS", "p0", 99, 0), windows("N_NSR", "p0", 100, 0))
    assert line(table, "asystole")["verdict"] == "not testable"
    assert line(table, "asystole")["estimate, %"] == "100.00"
    assert line(table, "normal sinus")["verdict"] == "met"
    none = line(table, "fine VF")
    assert (none["windows"], none["estimate, %"], none["verdict"]) == ("0", "-", "not testable")


def test_undecided_is_missed_or_not_shocked() -> None:
    """Of 20 windows 10 are shocked, and the last 15 are undecided: 5 shocks are given."""
    table = joined(windows("S_VF", "p0", 20, 10, undecided=15), windows("N_ONR", "p1", 20, 10, undecided=15))
    assert line(table, "coarse VF", withheld=True)["estimate, %"] == "25.00"
    assert line(table, "coarse VF", withheld=False)["estimate, %"] == "50.00"
    assert line(table, "other organised", withheld=True)["estimate, %"] == "75.00"
    assert line(table, "other organised", withheld=False)["estimate, %"] == "50.00"
    assert table["decision"].sum() == 20  # the table given is not changed


def test_seeds_are_averaged_and_windows_counted_once() -> None:
    first = windows("S_VT", "p0", 50, 50)
    second = {**again(first, seed=1), "decision": (np.arange(50) < 45).astype(np.int8)}
    found = line(joined(first, second), "rapid VT")
    assert (found["windows"], found["estimate, %"]) == ("50", "95.00")
    assert found["lower limit, exact, %"] == f"{100 * beta.ppf(0.1, 48, 3):.2f}"  # 47.5 of 50 windows count as 48


def test_flutter_and_slow_vt_are_reported_apart() -> None:
    table = joined(windows("S_VFL", "p0", 4, 3), windows("I_SLOWVT", "p1", 30, 15), windows("S_VF", "p2", 10, 10))
    assert line(table, "coarse VF")["windows"] == "10"
    flutter, slow = line(table, "ventricular flutter"), line(table, "other VT")
    assert (flutter["estimate, %"], flutter["needed"], flutter["verdict"]) == ("75.00", "-", "reported")
    assert (slow["estimate, %"], slow["goal (its limit), %"], slow["verdict"]) == ("50.00", "none", "reported")
