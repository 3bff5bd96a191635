"""Several trainings of one model (column `seed`): figures are means over them, and an impression is counted once."""

from __future__ import annotations

import numpy as np

from shared.metrics import MetricFunction
from shared.stats import Resamples, average, resample
from shared.table import Table, n_rows, take

__all__ = ["counts", "mean_of", "resampled", "trainings"]


def trainings(rows: Table) -> list[Table]:
    """The rows of one model, a table for each training; they have scored the same impressions."""
    if "seed" not in rows or not n_rows(rows):
        return [rows]
    return [take(rows, rows["seed"] == seed) for seed in np.unique(rows["seed"])]


def counts(rows: Table) -> tuple[int, int]:
    """Impressions and clicks, however many trainings scored them."""
    first = trainings(rows)[0]
    return n_rows(first), int((first["target"] == 1).sum())


def mean_of(metric: MetricFunction, rows: Table) -> float:
    """Mean over the trainings."""
    return float(np.mean([metric(part, np.ones(n_rows(part))) for part in trainings(rows)]))


def resampled(metric: MetricFunction, rows: Table, unit: str, n: int) -> Resamples:
    """Mean over the trainings on `n` resamples of what the column `unit` names."""
    return average([resample(metric, part, unit, n=n) for part in trainings(rows)])
