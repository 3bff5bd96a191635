"""What exact zeros cost: the share of weights that are left against the AUC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from apps.ctr_prediction.report.printed import fine, interval_of
from apps.ctr_prediction.report.trainings import mean_of, resampled
from shared.evaluation import models_of
from shared.figures import curve
from shared.metrics.binary import AUC
from shared.report import ReportFigure, ReportTable
from shared.stats import Resamples, difference
from shared.table import Table, require, take

__all__ = ["ALLOWED_LOSS", "CAPTION", "sparsity_figures", "sparsity_table"]

CAPTION = "Non-zero weights against AUC"
ALLOWED_LOSS = 0.002
"""AUC that a sparser model may lose."""


@dataclass(frozen=True)
class _Setting:
    """A model of which it is known how many of its weights are not zero."""

    nonzero: float
    """Share of the weights, the mean over the trainings."""
    rows: Table

    @property
    def auc(self) -> float:
        return mean_of(AUC, self.rows)


def _settings(table: Table) -> dict[str, _Setting]:
    """The densest first."""
    require(table, "nonzero")
    known: Table = take(table, np.isfinite(table["nonzero"].astype(np.float64)))
    found = {
        name: _Setting(float(rows["nonzero"].astype(np.float64).mean()), rows)
        for name, rows in models_of(known).items()
    }
    return dict(sorted(found.items(), key=lambda item: -item[1].nonzero))


def sparsity_table(table: Table, n: int = 1000) -> ReportTable:
    """One line for each model with a known share of non-zero weights, the densest first.

    Args:
        table: columns model, block, target, probability and nonzero: the share of a training's weights that are not
            zero, the same in all its rows, NaN for models that have no such share; seed where there are several.
        n: bootstrap resamples of whole blocks.
    """
    settings = _settings(table)
    lines: list[tuple[str, ...]] = []
    densest: Resamples | None = None
    for name, setting in settings.items():
        drawn = resampled(AUC, setting.rows, "block", n)
        lost = "-" if densest is None else interval_of(difference(drawn, densest))
        densest = densest or drawn
        lines.append((name, f"{100 * setting.nonzero:.1f}", fine(setting.auc), lost))
    header = ("model", "weights that are not zero, %", "AUC", "AUC minus the densest model's")
    return ReportTable(CAPTION, header, lines, f"{_told(settings)} Intervals: 95 %, {n} resamples of whole blocks.")


def _told(settings: Mapping[str, _Setting]) -> str:
    """The sparsest model that loses next to nothing."""
    if len(settings) < 2:
        return "One setting only: nothing to compare."
    best = next(iter(settings.values())).auc
    name, sparsest = [(name, one) for name, one in settings.items() if one.auc >= best - ALLOWED_LOSS][-1]
    return (
        f"The sparsest within {ALLOWED_LOSS:g} AUC of the densest is {name}, with {sparsest.nonzero:.1%} of its "
        "weights not zero."
    )


def sparsity_figures(table: Table) -> list[ReportFigure]:
    """AUC against the share of non-zero weights; none for a single setting."""
    settings = list(_settings(table).values())
    if len(settings) < 2:
        return []
    shares, areas = [100 * one.nonzero for one in settings], [one.auc for one in settings]
    return [
        ReportFigure(
            curve(shares, {"AUC": areas}, "weights that are not zero, %", "AUC"),
            "AUC against the share of weights that are not zero.",
            f"Curve from AUC {fine(areas[0])} at {shares[0]:.1f} % to {fine(areas[-1])} at {shares[-1]:.1f} %.",
        )
    ]
