"""Withheld advice: every share of the trade-off can be counted."""

from __future__ import annotations

import numpy as np

from apps.ecg_shock.report.calibration import cross_fitted
from apps.ecg_shock.report.withheld import trade_off_figures, withheld_tables, withheld_told
from shared.abstention import ProbabilityBand
from shared.table import Table
from tests.apps.ecg_shock.decided import joined, windows


def rows() -> Table:
    """Ten windows each of VF, sinus rhythm and noise; probabilities 0.05, 0.15 ... 0.95 in each, threshold 0.5.

    Two VF windows at the upper end are withheld for noise, and what lies between 0.4 and 0.6 for that.
    """
    table = dict(joined(*(windows(cls, "p0", 10, 0) for cls in ("S_VF", "N_NSR", "X_NOISE"))))
    probability = np.tile(np.arange(0.05, 1, 0.1), 3)
    noisy, close = np.isin(np.arange(30), [8, 9]), np.abs(probability - 0.5) < 0.1
    reason = np.where(noisy, "noise: made", np.where(close, ProbabilityBand.reason, None))  # type: ignore[call-overload]
    decision = (probability >= 0.5).astype(np.int8)
    return {**table, "probability": probability, "decision": decision, "undecided": noisy | close, "reason": reason}


def trade_off(table: Table) -> dict[str, tuple[str, ...]]:
    return {row[0]: tuple(row[1:]) for row in withheld_tables(cross_fitted(table))[1].rows}


def test_reasons_are_counted_by_their_first_words() -> None:
    reasons = withheld_tables(cross_fitted(rows()))[0]
    assert ("noise", "2", "6.7") in reasons.rows
    assert len(reasons.rows) == 2
    assert reasons.rows[1][1:] == ("6", "20.0")


def test_bands_withhold_what_lies_inside_and_what_other_reasons_withhold() -> None:
    lines = trade_off(rows())
    # No band: of VF 0.05 to 0.75 are left, three of eight over the threshold; half of the negatives are right.
    assert lines["none"] == ("10.0", "20.0", "37.5", "50.0", "0.0", "50.0")
    # 0.4 to 0.6: 0.45 and 0.55 go in each class.
    assert lines["0.4 to 0.6"] == ("30.0", "40.0", "33.3", "50.0", "20.0", "40.0")
    # 0.1 to 0.9: of VF only 0.05 is left, of the others 0.05 and 0.95.
    assert lines["0.1 to 0.9"] == ("85.0", "90.0", "0.0", "50.0", "80.0", "10.0")


def test_the_band_of_the_runs_is_told() -> None:
    lines = trade_off(rows())
    assert lines["as the runs decided (0.45 to 0.55 withheld)"] == lines["0.4 to 0.6"]
    assert withheld_told(rows()).startswith(
        "30.0% of the scored windows are undecided. On the others sensitivity is 33.3"
    )


def test_the_band_leaves_what_the_amplitude_rule_decided() -> None:
    table = {**rows(), "amplitude_mv": np.where(np.arange(30) < 10, 0.1, 1.0)}
    assert trade_off(table)["0.01 to 0.99"][1] == "20.0"


def test_figures_say_what_the_runs_did() -> None:
    buys, noise = trade_off_figures(cross_fitted(rows()))
    assert "withheld 30.0 %" in buys.caption
    assert noise.alt == "Curves; the runs withheld 20.0 % of them and shocked 40.0 %."
    clean = {name: column[:20] for name, column in rows().items()}
    assert len(trade_off_figures(cross_fitted(clean))) == 1
