"""Intervals and comparisons that respect groups: windows of one patient are one sample, not a hundred.

The bootstrap draws groups with replacement (Field and Welsh, J. R. Stat. Soc. B 69, 2007) and passes to the metric how
often each row's group was drawn; its percentiles are the interval. Percentile intervals of few groups are too narrow,
so under eight groups none is given: the range of the groups' own values stands in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from shared.errors import InputError
from shared.metrics import Metric, MetricFunction, Weights
from shared.table import Table, n_rows, require, take

__all__ = [
    "MIN_GROUPS",
    "Difference",
    "Interval",
    "Resamples",
    "average",
    "clopper_pearson",
    "difference",
    "group_bootstrap",
    "paired_difference",
    "per_group",
    "require_same_rows",
    "resample",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_GROUPS = 8
"""Under this many groups there is no interval."""

BOOTSTRAP = "group bootstrap"
RANGE = "range over groups"
EXACT = "exact binomial"


@dataclass(frozen=True)
class Interval:
    """An estimate with what is known of its uncertainty."""

    estimate: float
    low: float
    high: float
    level: float
    """Coverage asked for; without meaning where `method` is "range over groups"."""
    method: str
    """"group bootstrap", "exact binomial", or "range over groups": the smallest and the largest group's value."""
    n_groups: int
    """Independent units: groups, or trials of an exact interval."""
    undefined: float = 0.0
    """Share of the resamples (or groups) in which the metric was undefined; they are left out of low and high."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: NaN becomes None."""
        return {name: _finite_or_none(value) for name, value in dataclasses.asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """The interval of a difference between two models on the same rows."""

    share_at_most_zero: float
    """Share of the resamples (or groups) in which the difference is 0 or less; small means surely positive."""


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


@dataclass(frozen=True)
class Resamples:
    """A metric on the table as it is, and on its resamples (or, under eight groups, on each group alone)."""

    estimate: float
    values: FloatArray
    """(n,) values on the resamples, or (n_groups,) values of the groups."""
    method: str
    groups: tuple[str, ...]
    """Names of the groups, sorted."""

    def interval(self, level: float = 0.95) -> Interval:
        """The percentile interval, or the range of the groups; NaN ends where no value is defined.

        For a one-sided limit of coverage c take the end of the two-sided interval of level 2c - 1.
        """
        low, high = self._ends(level)
        return Interval(self.estimate, low, high, level, self.method, len(self.groups), self._undefined())

    def _ends(self, level: float) -> tuple[float, float]:
        defined = self.values[~np.isnan(self.values)]
        if len(defined) == 0:
            return float("nan"), float("nan")
        tail = 0.0 if self.method == RANGE else (1 - level) / 2
        low, high = np.quantile(defined, [tail, 1 - tail])
        return float(low), float(high)

    def _undefined(self) -> float:
        return float(np.isnan(self.values).mean()) if len(self.values) else 0.0


def resample(
    metric: MetricFunction, table: Table, group: str, *, n: int = 1000, seed: int = 0, weight: str | None = None
) -> Resamples:
    """Evaluate a metric on `n` draws of the table's groups with replacement.

    Only the rows that a `Metric` looks at (its `where`) are taken, and only their groups are drawn: what decides a
    sensitivity is how many patients have a positive. The draws depend on nothing but `seed` and the number of groups,
    so two tables with the same groups are drawn alike.

    Args:
        metric: (table, weights) -> value.
        table: one row per scored unit.
        group: column whose values are drawn: the patient, the speaker, the scene.
        n: number of draws.
        seed: of the draws.
        weight: column of weights that the rows have anyway (undoing a down-sampling, say).
    """
    table = _rows_that_count(metric, table)
    names, codes = _group_codes(table, group)
    base = _base_weights(table, weight)
    estimate = float(metric(table, base))
    if len(names) < MIN_GROUPS:
        return Resamples(estimate, _group_values(metric, table, codes, base), RANGE, names)
    draws = (metric(table, base * counts[codes]) for counts in _draw_groups(len(names), n, seed))
    return Resamples(estimate, np.fromiter(draws, np.float64, n), BOOTSTRAP, names)


def group_bootstrap(
    metric: MetricFunction,
    table: Table,
    group: str,
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    weight: str | None = None,
) -> Interval:
    """A metric with its interval over groups. Arguments as `resample`; `level` is the two-sided coverage."""
    return resample(metric, table, group, n=n, seed=seed, weight=weight).interval(level)


def _require_drawn_alike(first: Resamples, second: Resamples) -> None:
    if first.groups != second.groups or len(first.values) != len(second.values):
        raise InputError(
            f"Only what was scored on the same groups can be compared; found {len(first.groups)} and "
            f"{len(second.groups)} groups, {len(set(first.groups) & set(second.groups))} in common."
        )


def average(trainings: Sequence[Resamples]) -> Resamples:
    """The mean of several trainings of one model, each resampled alike; undefined where one of them is.

    Raises:
        InputError: they do not have the same groups, or not the same number of draws.
    """
    first = trainings[0]
    for other in trainings[1:]:
        _require_drawn_alike(first, other)
    estimate = float(np.mean([training.estimate for training in trainings]))
    values = np.mean([training.values for training in trainings], axis=0)
    return dataclasses.replace(first, estimate=estimate, values=values)


def difference(first: Resamples, second: Resamples, level: float = 0.95) -> Difference:
    """First minus second, of two models that were resampled alike.

    Raises:
        InputError: the two do not have the same groups, or not the same number of draws.
    """
    _require_drawn_alike(first, second)
    apart = Resamples(first.estimate - second.estimate, first.values - second.values, first.method, first.groups)
    defined = apart.values[~np.isnan(apart.values)]
    at_most_zero = float((defined <= 0).mean()) if len(defined) else float("nan")
    return Difference(**vars(apart.interval(level)), share_at_most_zero=at_most_zero)


def paired_difference(
    metric: MetricFunction,
    table_a: Table,
    table_b: Table,
    group: str,
    key: str | tuple[str, ...] = "item",
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    weight: str | None = None,
) -> Difference:
    """How much a metric differs between two models, a minus b, with the same groups drawn for both.

    Args:
        metric: (table, weights) -> value.
        table_a: rows of the first model.
        table_b: rows of the second, in any order.
        group: column whose values are drawn.
        key: column or columns that name a row; both tables must hold the same names.
        n: number of draws.
        level: two-sided coverage.
        seed: of the draws.
        weight: column of weights that the rows have anyway.

    Raises:
        InputError: the tables do not hold the same rows.
    """
    require_same_rows(table_a, table_b, (key,) if isinstance(key, str) else key)
    first, second = (resample(metric, table, group, n=n, seed=seed, weight=weight) for table in (table_a, table_b))
    return difference(first, second, level)


def require_same_rows(table_a: Table, table_b: Table, key: tuple[str, ...]) -> None:
    """Raise InputError, with an example, unless the two tables hold the same set of `key` values."""
    rows_a, rows_b = _row_names(table_a, key), _row_names(table_b, key)
    if rows_a != rows_b:
        example = next(iter(rows_a ^ rows_b))
        raise InputError(
            f"Two models must be scored on the same rows, but {len(rows_a - rows_b)} rows are only in the first and "
            f"{len(rows_b - rows_a)} only in the second table; for example {dict(zip(key, example, strict=True))}."
        )


def _row_names(table: Table, key: tuple[str, ...]) -> set[tuple[Any, ...]]:
    require(table, *key)
    return set(zip(*(table[column].tolist() for column in key), strict=True))


def per_group(metric: MetricFunction, table: Table, group: str, *, weight: str | None = None) -> dict[str, float]:
    """The metric of each group alone, by the group's name: NaN where it is undefined, none where no row counts."""
    table = _rows_that_count(metric, table)
    names, codes = _group_codes(table, group)
    values = _group_values(metric, table, codes, _base_weights(table, weight))
    return dict(zip(names, values.tolist(), strict=True))


def clopper_pearson(k: int, n: int, level: float = 0.95, side: Literal["two", "lower", "upper"] = "two") -> Interval:
    """Exact binomial limits of a share (Clopper and Pearson 1934). They ignore groups: rows count as independent.

    Args:
        k: successes.
        n: trials; 0 gives a NaN estimate between 0 and 1.
        level: coverage.
        side: "lower" and "upper" put all of the error on one side; the other end is then 1 or 0.

    Raises:
        InputError: k is not between 0 and n.
    """
    if not 0 <= k <= n:
        raise InputError(f"A share needs 0 <= successes <= trials, found {k} of {n}.")
    if n == 0:
        return Interval(float("nan"), 0.0, 1.0, level, EXACT, 0)
    alternative: Literal["two-sided", "greater", "less"] = (
        "two-sided" if side == "two" else "greater" if side == "lower" else "less"
    )
    limits = binomtest(k, n, alternative=alternative).proportion_ci(level, method="exact")
    return Interval(k / n, float(limits.low), float(limits.high), level, EXACT, n)


def _rows_that_count(metric: MetricFunction, table: Table) -> Table:
    """The rows that the metric looks at, sorted once for all the times it will sort them again."""
    if not isinstance(metric, Metric):
        return table
    table = metric.rows(table)
    if metric.sort_by is None:
        return table
    require(table, metric.sort_by)
    return take(table, np.argsort(table[metric.sort_by], kind="stable"))


def _group_codes(table: Table, group: str) -> tuple[tuple[str, ...], IntArray]:
    """Sorted names of the groups and each row's position among them."""
    require(table, group)
    column = table[group]
    if column.dtype.kind == "O" and any(value is None or value != value for value in column.tolist()):
        raise InputError(f"Column {group!r} names no group in some rows. Every row must belong to one.")
    names, codes = np.unique(column, return_inverse=True)
    return tuple(str(name) for name in names.tolist()), codes


def _base_weights(table: Table, weight: str | None) -> Weights:
    if weight is None:
        return np.ones(n_rows(table))
    require(table, weight)
    return table[weight].astype(np.float64)


def _draw_groups(n_groups: int, n: int, seed: int) -> Iterator[IntArray]:
    """How often each group is drawn, `n` times."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups)


def _group_values(metric: MetricFunction, table: Table, codes: IntArray, weights: Weights) -> FloatArray:
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    parts = np.split(order, starts[1:]) if len(starts) else []
    return np.array([metric(take(table, rows), weights[rows]) for rows in parts], dtype=np.float64)
