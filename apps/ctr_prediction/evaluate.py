"""Scored impressions as a table, and what is measured on them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.data import ImpressionLog
from apps.ctr_prediction.report.rates import NORMALISED_ENTROPY, PREDICTED_TO_OBSERVED
from shared.calibrate import Calibrator
from shared.metrics import Metric
from shared.metrics.binary import AUC, AVERAGE_PRECISION, ECE, LOG_LOSS
from shared.table import Table

__all__ = ["BLOCK", "LIMITS", "METRICS", "PUBLISHED", "impressions"]

BLOCK = "block"
"""What no split cuts and every interval resamples: a day of a campaign."""

METRICS: tuple[Metric, ...] = (AUC, LOG_LOSS, NORMALISED_ENTROPY, AVERAGE_PRECISION, ECE, PREDICTED_TO_OBSERVED)
"""At the rate of the sampled rows; the last one after undoing the sampling."""

PUBLISHED = ("target", "probability", "weight", "base_rate")
"""Columns of the out-of-fold predictions that the metrics need."""

LIMITS = (
    "A probability holds for campaigns like those of the training rows: of a new campaign the order of its impressions "
    "is worth something, the level of its click rate is not known.",
    "The training rows are impressions that were shown: what was never bought or shown is not among them.",
    "Clicks include accidental and fraudulent ones; nothing tells them apart.",
)


def impressions(log: ImpressionLog, rows: pa.Table, logit: npt.NDArray[np.float64], calibrator: Calibrator) -> Table:
    """The prediction table of some rows.

    Args:
        log: which columns are what.
        rows: of the prepared table.
        logit: (rows,) of a click, as the model gives it.
        calibrator: to probabilities.
    """
    day = {"day": _texts(rows, "day")} if "day" in rows.column_names else {}
    times = [column.name for column in log.schema if column.role == "time"]
    order = {"time_order": _moments(rows[times[0]])} if times else {}
    return {
        "item": rows["row"].to_numpy(),
        "target": log.clicks(rows).astype(np.int64),
        "weight": log.weights(rows),
        "probability": calibrator(logit),
        "logit": logit,
        BLOCK: _texts(rows, BLOCK),
        **{name: _texts(rows, name) for name in log.groups},
        **day,
        **order,
    }


def _texts(rows: pa.Table, name: str) -> npt.NDArray[np.object_]:
    return rows[name].cast(pa.string()).to_numpy(zero_copy_only=False).astype(object)


def _moments(times: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Microseconds since 1970."""
    return pc.cast(times, pa.timestamp("us")).cast(pa.int64()).to_numpy().astype(np.float64)
