"""From one prediction table of several models to metrics.json, and from that to the tables of a report.

All models are scored on the same rows, every metric is computed once, from the table, and differences to the reference
model come from the same resamples as the intervals.

Entries of metrics.json (undefined numbers are null):

* "group" (column the bootstrap draws), "reference" (model compared to), "primary" (metric that ranks), "level",
  "resamples";
* "models", for each its "n_rows" (different things scored) and
    * "metrics": name -> estimate, low, high, level, method, n_groups, undefined (`shared.stats.Interval`), n_rows;
    * "differences" to the reference, model minus reference: the same and share_at_most_zero, without n_rows;
    * "groups": group -> primary metric, of very many groups the worst, and "n_groups_left_out" besides;
    * "repeats": training -> metric -> value, where there are several trainings of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, SupportsFloat

import numpy as np

from shared.errors import ConfigError, did_you_mean
from shared.metrics import Metric
from shared.report import ReportTable
from shared.stats import (
    RANGE,
    Interval,
    Resamples,
    average,
    difference,
    per_group,
    require_same_rows,
    resample,
    row_codes,
)
from shared.table import Table, require, take

__all__ = ["MOST_GROUPS", "interval_text", "models_of", "result_tables", "summarise"]

MOST_GROUPS = 200
"""Groups whose own values are kept; where there are more, those of the others would be a table, not a summary."""


def models_of(table: Table) -> dict[str, Table]:
    """The table cut by its column `model`: name -> rows, in the order in which the models first appear."""
    require(table, "model")
    return {str(name): take(table, table["model"] == name) for name in dict.fromkeys(table["model"].tolist())}


def summarise(
    table: Table,
    metrics: Sequence[Metric],
    *,
    group: str,
    reference: str,
    key: Sequence[str] = ("item",),
    repeats: str | None = None,
    primary: str | None = None,
    weight: str | None = None,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Every metric of every model with its interval, and every model's difference to the reference.

    Args:
        table: one row per scored unit and model; column `model`, the columns of `key`, `group` and of the metrics.
        metrics: what to compute.
        group: column whose values the bootstrap draws.
        reference: the model that the others are compared to.
        key: columns that name what was scored, by one row (a window) or several (an image's detections); every
            training of every model must have scored the same.
        repeats: column that tells several trainings of one model apart (its seeds). Metrics are then means over them,
            listed singly under "repeats"; models may have different numbers of them.
        primary: name of the metric that is also given for each group; by default the first.
        weight: column of weights that the rows have anyway.
        n: bootstrap resamples.
        level: two-sided coverage of the intervals.
        seed: of the resamples.

    Returns:
        What metrics.json holds; the module's text names the entries.

    Raises:
        InputError: a column is missing, or two models were not scored on the same rows.
        ConfigError: there is no model or metric of the name given.
    """
    models = models_of(table)
    if reference not in models:
        raise ConfigError(f"There is no model {reference!r} to compare to.{did_you_mean(reference, models)}")
    ranking = _metric_named(metrics, primary or metrics[0].name)
    trainings = {name: _trainings(rows, repeats) for name, rows in models.items()}
    for rows in (part for parts in trainings.values() for part in parts.values()):
        require_same_rows(models[reference], rows, tuple(key))
    draw = partial(resample, group=group, n=n, seed=seed, weight=weight)
    drawn = {name: _DrawnModel.draw(parts, metrics, draw) for name, parts in trainings.items()}
    entries = {
        name: {
            "n_rows": _count(rows, key),
            "metrics": {m.name: drawn[name].stated(m, level, _count(m.rows(rows), key)) for m in metrics},
            "differences": {} if name == reference else drawn[name].minus(drawn[reference], level),
            **drawn[name].by_group(ranking, group, weight),
            "repeats": drawn[name].singly(),
        }
        for name, rows in models.items()
    }
    about = {"group": group, "reference": reference, "primary": ranking.name, "level": level, "resamples": n}
    return {**about, "models": entries}


@dataclass(frozen=True)
class _DrawnModel:
    """The trainings of one model, each metric drawn for each of them and averaged."""

    trainings: Mapping[str, Table]
    single: Mapping[str, Sequence[Resamples]]
    """Metric -> one for each training."""
    mean: Mapping[str, Resamples]
    """Metric -> over all trainings."""

    @classmethod
    def draw(
        cls, trainings: Mapping[str, Table], metrics: Sequence[Metric], draw: Callable[[Metric, Table], Resamples]
    ) -> Self:
        single = {metric.name: [draw(metric, rows) for rows in trainings.values()] for metric in metrics}
        return cls(trainings, single, {name: average(parts) for name, parts in single.items()})

    def stated(self, metric: Metric, level: float, rows: int) -> dict[str, Any]:
        return {**self.mean[metric.name].interval(level).to_dict(), "n_rows": rows}

    def minus(self, reference: Self, level: float) -> dict[str, dict[str, Any]]:
        return {name: difference(mean, reference.mean[name], level).to_dict() for name, mean in self.mean.items()}

    def by_group(self, metric: Metric, group: str, weight: str | None) -> dict[str, Any]:
        """Group -> mean over the trainings, None where it is undefined; the worst of very many groups."""
        parts = [per_group(metric, rows, group, weight=weight) for rows in self.trainings.values()]
        values = np.mean([list(part.values()) for part in parts], axis=0)  # `average` has found the same groups in all
        worst = np.argsort(values if metric.higher_is_better else -values)[:MOST_GROUPS]  # NaN comes last
        names = tuple(parts[0])
        return {
            "groups": {names[place]: _or_none(values[place]) for place in np.sort(worst).tolist()},
            "n_groups_left_out": len(names) - len(worst),
        }

    def singly(self) -> dict[str, dict[str, float | None]]:
        """Each training's own value of each metric; nothing where there is only one."""
        return {
            training: {metric: _or_none(parts[number].estimate) for metric, parts in self.single.items()}
            for number, training in enumerate(self.trainings)
            if len(self.trainings) > 1
        }


def _trainings(rows: Table, repeats: str | None) -> dict[str, Table]:
    """A model's rows, cut by training."""
    if repeats is None:
        return {"": rows}
    return {str(name): take(rows, rows[repeats] == name) for name in np.unique(rows[repeats]).tolist()}


def _or_none(value: SupportsFloat) -> float | None:
    return float(value) if np.isfinite(float(value)) else None


def _metric_named(metrics: Sequence[Metric], name: str) -> Metric:
    by_name = {metric.name: metric for metric in metrics}
    if name not in by_name:
        raise ConfigError(f"There is no metric {name!r}.{did_you_mean(name, by_name)}")
    return by_name[name]


def _count(rows: Table, key: Sequence[str]) -> int:
    """How many different things were scored."""
    return int(np.count_nonzero(np.bincount(row_codes(rows, key))))


def interval_text(metric: Metric, entry: Mapping[str, Any] | Interval) -> str:
    """An interval as a table prints it: "97.1 [95.0, 99.2]"; a range over groups as "97.1 (93.0 to 99.5)"."""
    stored = entry.to_dict() if isinstance(entry, Interval) else entry
    estimate, low, high = (metric.format(stored[name]) for name in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})" if stored["method"] == RANGE else f"{estimate} [{low}, {high}]"


def result_tables(summary: Mapping[str, Any], metrics: Sequence[Metric]) -> list[ReportTable]:
    """The common tables of a report: metrics of all models, and differences to the reference where there are others."""
    note = (
        f"Square brackets: {100 * summary['level']:g} % interval from {summary['resamples']} resamples of whole groups "
        f"(column {summary['group']}). Round brackets: the smallest and the largest group, where under eight groups "
        "allow no interval."
    )
    tables = [
        _metric_table("Metrics of all models on the same rows", summary["models"], "metrics", metrics, note),
    ]
    others = {name: model for name, model in summary["models"].items() if name != summary["reference"]}
    if others:
        caption = f"Difference to {summary['reference']} (model minus {summary['reference']})"
        tables.append(_metric_table(caption, others, "differences", metrics, "The same groups drawn for both models."))
    return tables


def _metric_table(
    caption: str, models: Mapping[str, Any], part: str, metrics: Sequence[Metric], note: str
) -> ReportTable:
    header = ("model", *(f"{metric.name}, %" if metric.percent else metric.name for metric in metrics))
    rows = [
        (name, *(interval_text(metric, model[part][metric.name]) for metric in metrics))
        for name, model in models.items()
    ]
    return ReportTable(caption, header, rows, note)
