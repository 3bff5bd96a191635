"""The report's part of the field: level, calibration, groups, time, unseen values, living parts, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.ctr_prediction.report import (
    by_group,
    cold_start,
    ece_floor,
    liveness_table,
    progressive,
    ranks,
    rate_table,
    sparsity,
)
from shared.evaluation import models_of
from shared.report import ReportFigure, ReportTable, Section, captioned
from shared.results import network_rows
from shared.table import Table

__all__ = ["sections", "tables"]

MOST_DAYS = 40
"""More days than this would be a table that nobody reads; windows of equally many rows stand for them."""


def tables(table: Table, groups: Sequence[str] = ()) -> list[ReportTable]:
    """All that the field tabulates, in the order of the report; what the columns do not allow is left out.

    Args:
        table: predictions of all models: columns model, item, block, target, weight, base_rate, probability, logit and
            those of the groups; seed where there are several trainings. Where they are known: unseen, time_order,
            day, nonzero, and part_NAME, NaN for the models without parts.
        groups: columns that name advertisers, campaigns and the like.
    """
    rows = network_rows(table)
    ranked = [group for group in groups if len(models_of(table)) > 1]
    return [
        rate_table.rate_table(table),
        ece_floor.calibration_table(table),
        *(by_group.group_table(rows, group) for group in groups),
        *_in_time(rows),
        *([cold_start.cold_start_table(rows)] if "unseen" in rows else []),
        *([liveness_table.liveness_table(rows)] if liveness_table.parts_of(rows) else []),
        *(made for group in ranked for made in (ranks.rank_table(table, group), ranks.against_table(table, group))),
        *([sparsity.sparsity_table(table)] if _has_sparsity(table) else []),
    ]


def _in_time(rows: Table) -> list[ReportTable]:
    """Equal windows, and days where there are several."""
    if not _has_time(rows):
        return []
    days = len(set(rows["day"].astype(str).tolist())) if "day" in rows else 0
    by_day = [progressive.progressive_table(rows, "day")] if 2 <= days <= MOST_DAYS else []
    return [progressive.progressive_table(rows), *by_day]


def _has_time(rows: Table) -> bool:
    return "time_order" in rows and len(np.unique(rows["time_order"])) > 1


def _has_sparsity(table: Table) -> bool:
    return "nonzero" in table and bool(np.isfinite(table["nonzero"].astype(np.float64)).any())


def sections(table: Table, summary: Mapping[str, Any], groups: Sequence[str] = ()) -> list[Section]:
    """The tables with what is said and drawn beside them; a section without any table is left out.

    Args:
        table: as for `tables`.
        summary: what metrics.json holds; its "tables" are those of `tables`, and every one is shown once.
        groups: as for `tables`.
    """
    rows = network_rows(table)

    def section(title: str, told: str, captions: Sequence[str], figures: Sequence[ReportFigure] = ()) -> Section:
        shown = [found for caption in captions for found in captioned(summary["tables"], caption)]
        return Section(title, [told], shown, figures)

    made = [
        section(
            "Click rates",
            "Where non-clicks were thinned, probabilities are at the rate of the thinned log; for what is paid and "
            "earned the rate of the whole log counts.",
            [rate_table.CAPTION],
        ),
        section(
            "Calibration",
            "A perfect model has a calibration error too; only what lies above its floor is the model's own.",
            [ece_floor.CAPTION],
            [ece_floor.calibration_figure(rows)],
        ),
        section(
            "Group by group",
            "A pooled AUC rewards knowing which group clicks more; within one group that gains nothing.",
            [by_group.CAPTION],
            [bars for group in groups for bars in by_group.auc_bars(rows, group)],
        ),
        section(
            "Along time",
            "The same figures window by window.",
            [progressive.CAPTION],
            progressive.progressive_figures(rows) if _has_time(rows) else (),
        ),
        section("Cold start", "Impressions with values that training has not shown.", [cold_start.CAPTION]),
        section("Living parts", "A dead part hides behind a good AUC.", [liveness_table.CAPTION]),
        section("Model against model", "Ties are told as ties.", [ranks.CAPTION, ranks.AGAINST]),
        section(
            "Sparsity",
            "Weights that are exactly zero need no memory.",
            [sparsity.CAPTION],
            sparsity.sparsity_figures(table) if _has_sparsity(table) else (),
        ),
    ]
    return [one for one in made if one.tables]
