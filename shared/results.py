"""What a scored table becomes: predictions.parquet, metrics.json and report.html, the same for every app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shared.atomic import write_json
from shared.evaluation import result_tables, summarise
from shared.experiment import Experiment
from shared.figures import per_group_bars
from shared.metrics import Metric
from shared.report import ReportFigure, ReportTable, Section, render
from shared.run import Run
from shared.table import Table, n_rows, require, take, write_table

__all__ = ["NETWORK", "labelled", "network_rows", "write_results"]

NETWORK = "network"
"""Name of the app's network in the column `model`; the classical models have their own names."""


def labelled(table: Table, model: str, **columns: Any) -> Table:
    """The table with the model's name, and with one value for all rows in each further column."""
    rows = n_rows(table)
    constants = {name: np.full(rows, value) for name, value in columns.items()}
    return {"model": np.full(rows, model, dtype=object), **table, **constants}


def network_rows(table: Table) -> Table:
    """The rows of the app's network. Raises InputError where the table does not name its models."""
    require(table, "model")
    return take(table, table["model"] == NETWORK)


def write_results(
    run: Run,
    experiment: Experiment[Any],
    table: Table,
    *,
    protocol: str,
    extra: Mapping[str, Any] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Write the table, its figures and the page into a run folder.

    Args:
        run: where to write.
        experiment: of the app; names the metrics and adds the field's own sections.
        table: predictions of all models, named in the column `model`; a column `seed` tells trainings apart.
        protocol: one sentence: which rows, held out how.
        extra: further entries of metrics.json.
        resamples: of the bootstrap.
        level: coverage of the intervals.

    Returns:
        What metrics.json holds.
    """
    write_table(run.predictions, table)
    scored = experiment.scored(table)
    summary = summarise(
        scored,
        experiment.metrics,
        group=experiment.app.resampling_unit,
        reference=NETWORK,
        key=experiment.item_columns,
        repeats="seed" if "seed" in table else None,
        primary=experiment.app.primary_metric,
        n=resamples,
        level=level,
    )
    summary |= {
        "details": experiment.details(table),
        "tables": [shown.to_dict() for shown in experiment.tables(table)],
        "protocol": protocol,
        "scored_unit": experiment.app.scored_unit,
        **(extra or {}),
    }
    write_json(run.metrics, summary)
    manifest = experiment.prepared.manifest
    render(
        run.report,
        title=experiment.app.title,
        subtitle=protocol,
        sections=[_common_section(experiment, summary), *experiment.sections(table, summary)],
        facts={
            "data": f"{manifest.title} ({manifest.source})",
            "licence of the data": manifest.licence,
            "scored unit": experiment.app.scored_unit,
            "intervals by": experiment.app.resampling_unit,
        },
        synthetic=manifest.synthetic,
    )
    return summary


def _common_section(experiment: Experiment[Any], summary: Mapping[str, Any]) -> Section:
    """Metrics of all models, and the primary one by group."""
    tables = result_tables(summary, experiment.metrics)
    if "folds" in summary:
        tables.append(_spread_table(summary["folds"], experiment.primary_metric()))
    return Section("Results", tables=tables, figures=_group_bars(experiment, summary))


def _group_bars(experiment: Experiment[Any], summary: Mapping[str, Any]) -> list[ReportFigure]:
    """The primary metric of each group, unless most groups are too one-sided to have one."""
    values = summary["models"][NETWORK]["groups"]
    if 2 * sum(value is not None for value in values.values()) < len(values):
        return []
    name = f"{summary['primary']} by {summary['group']}"
    figure = per_group_bars(values, name, higher_is_better=experiment.primary_metric().higher_is_better)
    return [ReportFigure(figure, f"The network's {name}, the worst first.", f"Bars of the {name}.")]


def _spread_table(folds: Mapping[str, Any], metric: Metric) -> ReportTable:
    """Mean over held-out folds, with what folds and seeds add to it."""
    columns = ("mean", "sd over folds", "sd over seeds")
    rows = [
        (
            name,
            *(_fine(metric, spread[column]) for column in columns),
            ", ".join(metric.format(value) for value in spread["per fold"].values()),
        )
        for name, spread in folds.items()
    ]
    unit = ", in percent" if metric.percent else ""
    return ReportTable(f"Mean over held-out folds of the {metric.name}{unit}", ("model", *columns, "each fold"), rows)


def _fine(metric: Metric, value: float | None) -> str:
    """A value with one digit more than the metric's own format: a mean over folds moves less than a fold."""
    if value is None:
        return metric.format(None)
    return f"{100 * value:.2f}" if metric.percent else f"{value:.4f}"
