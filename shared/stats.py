"""Intervals and comparisons that respect groups: windows of one patient are one sample, not a hundred.

The bootstrap draws groups with replacement (Field and Welsh, J. R. Stat. Soc. B 69, 2007) and passes to the metric how
often each row's group was drawn; its percentiles are the interval. Percentile intervals of few groups are too narrow,
so under eight groups none is given: the range of the groups' own values stands in its place.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
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
    "row_codes",
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
    for table in (table_a, table_b):
        require(table, *key)
    both = {column: np.concatenate([table_a[column], table_b[column]]) for column in key}
    codes, n_a = row_codes(both, key), n_rows(table_a)
    in_a, in_b = (np.bincount(part, minlength=len(codes) + 1) > 0 for part in (codes[:n_a], codes[n_a:]))
    if (in_a != in_b).any():
        row = np.flatnonzero((in_a != in_b)[codes])[0]
        example = {column: both[column][row : row + 1].tolist()[0] for column in key}
        raise InputError(
            f"Two models must be scored on the same rows, but {(in_a & ~in_b).sum()} rows are only in the first and "
            f"{(in_b & ~in_a).sum()} only in the second table; for example {example}."
        )


def row_codes(table: Table, key: Sequence[str]) -> IntArray:
    """A small whole number for each row, the same one where rows agree in all columns of `key`."""
    require(table, *key)
    first, *more = key
    codes = _distinct(table[first])[1]
    for column in more:
        values, own = _distinct(table[column])
        codes = np.unique(codes * (len(values) + 1) + own, return_inverse=True)[1]
    return codes


def _distinct(column: npt.NDArray[Any]) -> tuple[list[Any], IntArray]:
    """The distinct values of a column and each row's position among them; a missing one is after the last."""
    if column.dtype.kind not in "OU":
        values, codes = np.unique(column, return_inverse=True)
        return values.tolist(), codes
    try:  # Arrow hashes text, which NumPy would sort in many times as long
        encoded = pa.array(column, from_pandas=True).dictionary_encode()
    except pa.ArrowException as error:
        raise InputError(f"A column that names rows or groups must hold values of one kind: {error}.") from error
    values = encoded.dictionary.to_pylist()
    return values, encoded.indices.fill_null(len(values)).to_numpy().astype(np.int64)


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
    names, codes = _distinct(table[group])
    if (codes == len(names)).any():
        raise InputError(f"Column {group!r} names no group in some rows. Every row must belong to one.")
    order = sorted(range(len(names)), key=names.__getitem__)
    return tuple(str(names[place]) for place in order), np.argsort(order)[codes]


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
    table, weights = take(table, order), weights[order]  # groups side by side: each is then a view
    parts = [slice(*ends) for ends in itertools.pairwise([*starts.tolist(), len(order)])]
    return np.array(
        [metric({name: column[rows] for name, column in table.items()}, weights[rows]) for rows in parts], np.float64
    )
