"""What stands behind a share: different windows and patients, however many seeds decided on each, and trainings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shared.metrics import Metric
from shared.metrics.binary import SENSITIVITY
from shared.stats import per_group
from shared.table import Table, n_rows

__all__ = ["OTHERWISE", "by_training", "n_patients", "n_windows", "percent", "with_trainings"]

OTHERWISE: Mapping[str, int] = {"fold": 0, "seed": 0}
"""Columns that tell trainings apart, and what they hold where there was one training."""


def n_windows(rows: Table) -> int:
    """Different windows among the rows."""
    return len(set(rows["item"].tolist()))


def n_patients(rows: Table) -> int:
    """Different patients among the rows."""
    return len(set(rows["patient"].tolist()))


def percent(share: float) -> str:
    """A share as the tables print it; a dash where it is undefined."""
    return SENSITIVITY.format(share)


def with_trainings(table: Table) -> Table:
    """The table with the columns `fold` and `seed`, of one value where only one training was scored."""
    return {**{name: np.full(n_rows(table), value) for name, value in OTHERWISE.items()}, **table}


def by_training(metric: Metric, rows: Table, weight: str | None = None) -> float:
    """Mean over the seeds (column `seed`) of a metric that must not see several at once: one that ranks or bins.

    Args:
        metric: of the rows of one seed.
        rows: of one model.
        weight: column that says how often a row counts.
    """
    values = list(per_group(metric, rows, "seed", weight=weight).values())
    return float(np.mean(values)) if values else float("nan")
