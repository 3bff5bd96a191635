"""What stands behind a share: different windows and patients, however many seeds decided on each, and trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.amplitude import ASYSTOLE_MV
from shared.metrics import Metric
from shared.metrics.binary import SENSITIVITY
from shared.stats import Interval, clopper_pearson, per_group
from shared.table import Table, n_rows

__all__ = [
    "OTHERWISE", "RULED", "by_training", "exact_limits", "fine_percent", "n_patients", "n_windows", "percent",
    "with_trainings",
]  # fmt: skip

OTHERWISE: Mapping[str, int] = {"fold": 0, "seed": 0}
"""Columns that tell trainings apart, and what they hold where there was one training."""
RULED = (
    f"The network's decisions include the amplitude rule (under {ASYSTOLE_MV:g} mV: no shock), which the classical "
    "models do not have."
)
"""What a table that compares them must say."""


def n_windows(rows: Table) -> int:
    """Different windows among the rows."""
    return len(set(rows["item"].tolist()))


def n_patients(rows: Table) -> int:
    """Different patients among the rows."""
    return len(set(rows["patient"].tolist()))


def percent(share: float | None) -> str:
    """A share as the tables print it; a dash where it is undefined."""
    return SENSITIVITY.format(share)


def fine_percent(share: float | None) -> str:
    """With one digit more, where little things decide: goals of 99 %, recipes that differ by tenths."""
    return percent(share) if share is None or not np.isfinite(share) else f"{100 * share:.2f}"


def exact_limits(
    rows: Table, hit: npt.NDArray[np.bool_], level: float, side: Literal["two", "lower", "upper"] = "two"
) -> Interval:
    """Exact limits (Clopper-Pearson) of the share of windows hit, each counted once, whatever the number of seeds.

    Args:
        rows: of one model, as many for each window as there are seeds.
        hit: (rows,) what is counted; its mean over seeds is rounded to whole windows.
        level: coverage.
        side: "lower" and "upper" put all of the error on one side.
    """
    n = n_windows(rows)
    return clopper_pearson(round(float(hit.mean()) * n) if n else 0, n, level, side)


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
