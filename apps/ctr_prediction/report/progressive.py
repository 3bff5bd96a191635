"""Progressive validation: the same figures window by window in the order of time.

Where the predictions were made before the model was updated with the window, this is the progressive validation of
Blum, Kalai and Langford (COLT 1999); where the model stood still, it shows how it ages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from apps.ctr_prediction.report.ece_floor import mean_floor
from apps.ctr_prediction.report.printed import FEW_CLICKS, remark
from apps.ctr_prediction.report.rates import (
    PREDICTED_TO_OBSERVED,
    inverse_sampling_rate,
    predicted_to_observed,
    sampled_predicted_to_observed,
)
from apps.ctr_prediction.report.trainings import counts, mean_of
from shared.figures import curve
from shared.metrics.binary import AUC, LOG_LOSS
from shared.report import ReportFigure, ReportTable
from shared.table import Table, require, take

__all__ = ["CAPTION", "equal_windows", "progressive_figures", "progressive_table", "windows_by"]

CAPTION = "Progressive validation"
MOST_WINDOWS = 10


def equal_windows(rows: Table) -> dict[str, Table]:
    """Windows of about equally many rows in the order of `time_order`; rows of one moment stay together.

    At most ten, and no more than leave each some twenty clicks on average.

    Returns:
        Number of the window -> its rows; where there is a column `day`, its first and last day are named too.
    """
    require(rows, "time_order")
    wanted = int(np.clip(counts(rows)[1] // FEW_CLICKS, 1, MOST_WINDOWS))
    _, moment, size = np.unique(rows["time_order"], return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - size / 2
    place = (middle * wanted / max(size.sum(), 1)).astype(np.int64)[moment]
    parts = [take(rows, place == number) for number in np.unique(place)]
    return {f"{number}{_days(part)}": part for number, part in enumerate(parts, 1)}


def _days(rows: Table) -> str:
    """The days that a window reaches over."""
    if "day" not in rows:
        return ""
    days = sorted(set(rows["day"].astype(str).tolist()))
    return f" ({days[0]})" if len(days) == 1 else f" ({days[0]} to {days[-1]})"


def windows_by(rows: Table, column: str) -> dict[str, Table]:
    """A window for each value of a column that sorts in time: days, or hours of the day."""
    require(rows, column)
    values = rows[column].astype(str)
    return {value: take(rows, values == value) for value in np.unique(values).tolist()}


@dataclass(frozen=True)
class _Window:
    """The figures of one window; of several trainings the means."""

    impressions: int
    clicks: int
    auc: float
    log_loss: float
    ece: float
    floor: float
    sampled_ratio: float
    ratio: float

    @classmethod
    def of(cls, rows: Table, rate: float) -> _Window:
        calibration = mean_floor(rows)
        return cls(
            *counts(rows),
            mean_of(AUC, rows),
            mean_of(LOG_LOSS, rows),
            calibration.ece,
            calibration.floor,
            mean_of(sampled_predicted_to_observed, rows),
            mean_of(partial(predicted_to_observed, rate=rate), rows),
        )

    def cells(self) -> tuple[str, ...]:
        return (
            str(self.impressions),
            str(self.clicks),
            AUC.format(self.auc),
            LOG_LOSS.format(self.log_loss),
            *(LOG_LOSS.format(value) for value in (self.ece, self.floor)),
            *(PREDICTED_TO_OBSERVED.format(value) for value in (self.sampled_ratio, self.ratio)),
            remark(self.clicks),
        )


def _measured(rows: Table, by: str | None) -> dict[str, _Window]:
    rate = inverse_sampling_rate(rows)
    windows = equal_windows(rows) if by is None else windows_by(rows, by)
    return {name: _Window.of(part, rate) for name, part in windows.items()}


def progressive_table(rows: Table, by: str | None = None) -> ReportTable:
    """One line for each window.

    Args:
        rows: of one model: columns target, probability, weight and time_order, or that of `by`; seed where there are
            several trainings.
        by: column of days or hours; by default windows of equally many rows.
    """
    lines = [(name, *window.cells()) for name, window in _measured(rows, by).items()]
    header = (
        by or "window", "impressions", "clicks", "AUC", "log loss", "calibration error", "its 95 % floor",
        "predicted / observed, as sampled", "sampling undone", "remark",
    )  # fmt: skip
    note = (
        "In the order of time. The floor is what a perfect model stays below 19 times in 20 on as many rows. A log "
        "loss moves with the share of clicks too. Predicted / observed: clicks; 1 is right."
    )
    return ReportTable(f"{CAPTION} by {by or 'windows of equally many rows'}", header, lines, note)


def progressive_figures(rows: Table) -> list[ReportFigure]:
    """AUC and predicted over observed clicks along windows of equally many rows; none where there is one window only.

    Args:
        rows: as for `progressive_table`.
    """
    windows = list(_measured(rows, None).values())
    if len(windows) < 2:
        return []
    place = np.arange(1, len(windows) + 1)
    areas, ratios = [window.auc for window in windows], [window.ratio for window in windows]
    told = "window, in the order of time"
    return [
        ReportFigure(
            curve(place, {"AUC": areas}, told, "AUC"),
            "AUC along windows of equally many rows.",
            f"Curve of the AUC, {AUC.format(areas[0])} in the first and {AUC.format(areas[-1])} in the last window.",
        ),
        ReportFigure(
            curve(place, {"predicted / observed": ratios}, told, "predicted / observed clicks"),
            "Predicted over observed clicks after undoing the sampling, along the same windows.",
            f"Curve of predicted over observed clicks, {PREDICTED_TO_OBSERVED.format(ratios[-1])} in the last window.",
        ),
    ]
