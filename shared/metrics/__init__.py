"""Metrics: pure functions of a prediction table and a weight per row.

A weight is how often a row counts. The group bootstrap (`shared.stats`) passes how often it drew the row's group, so a
metric must answer as if every row stood in the table that many times; a weight of 0 means the row is not there. Where
a metric is undefined (no positive, no truth, no weight at all) it is NaN and never an exception. A table without the
columns, or with a target that cannot be one, raises InputError.

`binary`, `multiclass`, `detection` and `dense` hold the metrics of their kind of table; an app names those it reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from shared.table import Table, n_rows, require, take

__all__ = ["Metric", "MetricFunction", "Weights"]

Weights = npt.NDArray[np.float64]
"""How often each row counts: (n_rows,), not negative."""

MetricFunction = Callable[[Table, Weights], float]
"""What every metric is: a plain function, or a `Metric` that wraps one."""


@dataclass(frozen=True)
class Metric:
    """A metric with what a report must know about it. Calling it calls the function."""

    name: str
    """As tables and metrics.json print it: "balanced accuracy"."""
    function: MetricFunction
    """(table, weights) -> value."""
    higher_is_better: bool = True
    """Which way models are ranked."""
    percent: bool = False
    """Whether reports print it times 100; the value itself is always a share."""
    description: str = ""
    """One sentence for the reader of a report."""
    where: tuple[str, float] | None = None
    """(column, value) of the only rows the function looks at, so that their rows and groups are counted, not all."""
    sort_by: str | None = None
    """Column the function sorts by. Sorting the table once before resampling makes its own sorts almost free."""

    def __call__(self, table: Table, weights: Weights | None = None) -> float:
        """The metric's value; without weights every row counts once."""
        return float(self.function(table, np.ones(n_rows(table)) if weights is None else weights))

    @property
    def direction(self) -> Literal["max", "min"]:
        """What to do with it when models are ranked or a search is run."""
        return "max" if self.higher_is_better else "min"

    def rows(self, table: Table) -> Table:
        """The rows the metric looks at."""
        if self.where is None:
            return table
        column, value = self.where
        require(table, column)
        return take(table, table[column] == value)

    def format(self, value: float | None) -> str:
        """The value as reports print it: "97.1" where `percent`, else "0.991"; a dash where it is undefined."""
        if value is None or not np.isfinite(value):
            return "-"
        return f"{100 * value:.1f}" if self.percent else f"{value:.3f}"
