"""Does a probability of 0.9 mean nine in ten? Measured on folds that the calibration has not seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.amplitude import ASYSTOLE_MV
from apps.ecg_shock.data import has_verdict
from apps.ecg_shock.report.counts import by_training
from shared.calibrate import Platt
from shared.figures import reliability
from shared.metrics.binary import ECE, LOG_LOSS
from shared.report import ReportFigure, ReportTable
from shared.table import Table, n_rows, take

__all__ = ["CALIBRATION", "calibration_figures", "calibration_tables", "cross_fitted", "even_odds", "ruled_asystole"]

CALIBRATION = "Calibration of the network's probability"
GIVEN, FITTED = "as the runs gave it", "Platt's line fitted on the other folds"


def even_odds(label: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights (n,) that make both labels, 0 and 1, alike heavy and come to n together."""
    alike: npt.NDArray[np.float64] = len(label) / (2 * np.bincount(label, minlength=2)[label])
    return alike


def ruled_asystole(rows: Table) -> npt.NDArray[np.bool_]:
    """Where the size of the signal decided, whatever the network said: its probability says nothing there."""
    if "amplitude_mv" not in rows:
        return np.zeros(n_rows(rows), dtype=bool)
    return rows["amplitude_mv"].astype(np.float64) < ASYSTOLE_MV


def cross_fitted(rows: Table) -> Table:
    """What a calibration on all folds but a window's own makes of its probability.

    Args:
        rows: of the network, all seeds and classes: columns logit, probability, target, fold.

    Returns:
        The rows with the columns `slope`, `intercept` and `calibrated`. Without other folds that hold both labels these
        are NaN, NaN and the probability as it is; likewise where the amplitude rule decided.
    """
    slope, intercept = np.full(n_rows(rows), np.nan), np.full(n_rows(rows), np.nan)
    calibrated = rows["probability"].astype(np.float64)
    asystole = ruled_asystole(rows)
    counted = take(rows, has_verdict(rows["target"]) & ~asystole)
    for fold in np.unique(rows["fold"]).tolist():
        others = take(counted, counted["fold"] != fold)
        label = others["target"].astype(np.int64)
        if len(np.unique(label)) == 2:
            calibrator = Platt.fit(others["logit"], label, even_odds(label))
            inside = (rows["fold"] == fold) & ~asystole
            slope[inside], intercept[inside] = calibrator.slope, calibrator.intercept
            calibrated[inside] = calibrator(rows["logit"][inside])
    return {**rows, "slope": slope, "intercept": intercept, "calibrated": calibrated}


def calibration_tables(rows: Table) -> list[ReportTable]:
    """Calibration error before and after; none where there were no other folds to fit on.

    Args:
        rows: from `cross_fitted`.
    """
    before, after = _judged(rows)
    if not n_rows(before):
        return []
    fitted = " and ".join(f"{before[name].min():.2f} to {before[name].max():.2f}" for name in ("slope", "intercept"))
    header = (
        "probability", "calibration error at even odds", "at the odds found here", "log loss at even odds",
        "slope and intercept",
    )  # fmt: skip
    lines = [_line(GIVEN, before, "-"), _line(FITTED, after, fitted)]
    note = (
        "Calibration error: mean gap between probability and observed share over 15 bins of equal mass; mean over "
        "seeds. At even odds shockable windows weigh as much as the others, which is what the probability is meant "
        "for. The line is fitted at even odds to all folds but one, and measured on that one. Scored windows "
        "without those that the amplitude rule decided."
    )
    return [ReportTable(CALIBRATION, header, lines, note)]


def calibration_figures(rows: Table) -> list[ReportFigure]:
    """Observed share against probability, before and after; none where there were no other folds to fit on."""
    before, after = _judged(rows)
    if not n_rows(before):
        return []
    figure = ReportFigure(
        reliability({GIVEN: before, FITTED: after}),
        "Observed share against the network's probability, at the share of shockable windows found here.",
        f"Reliability diagram; calibration error {ECE(before):.3f} as given, {ECE(after):.3f} cross-fitted.",
    )
    return [figure]


def _judged(rows: Table) -> tuple[Table, Table]:
    """Scored rows with a line, before and after, with the weight that makes both labels alike heavy."""
    part = take(rows, has_verdict(rows["target"]) & ~np.isnan(rows["slope"].astype(np.float64)))
    before = {**part, "weight": even_odds(part["target"].astype(np.int64))}
    return before, {**before, "probability": part["calibrated"]}


def _line(title: str, rows: Table, fitted: str) -> tuple[str, ...]:
    values = ((ECE, "weight"), (ECE, None), (LOG_LOSS, "weight"))
    return (title, *(metric.format(by_training(metric, rows, weight)) for metric, weight in values), fitted)
