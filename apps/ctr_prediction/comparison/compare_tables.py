"""The tables of a comparison that a single evaluation does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.ctr_prediction.comparison.recipes import Recipe
from apps.ctr_prediction.report.liveness_table import PREFIX, SILENT, parts_of
from apps.ctr_prediction.report.printed import fine, interval_of
from apps.ctr_prediction.report.ranks import verdict
from apps.ctr_prediction.report.rates import NORMALISED_ENTROPY
from apps.ctr_prediction.report.trainings import trainings
from shared.evaluation import models_of
from shared.metrics import Metric
from shared.metrics.binary import AUC, ECE, LOG_LOSS
from shared.report import ReportTable
from shared.stats import RANGE, Difference
from shared.table import Table, take

__all__ = ["estimate", "liveness", "main", "optimisers", "recipes"]

Summary = Mapping[str, Any]


def main(summary: Summary, table: Table) -> ReportTable:
    """One line for each model, the highest AUC first.

    Args:
        summary: of `shared.evaluation.summarise`, and "folds" of `shared.crossval.fold_spread` where there are several.
        table: predictions with the columns model, fold, seed, nonzero and seconds.
    """
    reference, folds = summary["reference"], summary["folds"]
    header = (
        "model", "AUC", f"minus {reference}", "of each seed", *(["mean over folds"] if folds else []), "log loss",
        "normalised entropy", "calibration error", "weights not zero, %", "training, s",
    )  # fmt: skip
    rows = models_of(table)
    lines = [
        (
            name,
            _with_interval(summary["models"][name]["metrics"][AUC.name]),
            "" if name == reference else interval_of(_difference(summary, name, AUC)),
            _each_seed(summary, name),
            *([fine(_number(folds[name]["mean"]))] if folds else []),
            fine(estimate(summary, name, LOG_LOSS)),
            fine(estimate(summary, name, NORMALISED_ENTROPY), 3),
            fine(estimate(summary, name, ECE)),
            fine(100 * _mean_over_trainings(rows[name], "nonzero"), 1),
            fine(_mean_over_trainings(rows[name], "seconds"), 1),
        )
        for name in sorted(rows, key=lambda name: -estimate(summary, name, AUC))
    ]
    note = (
        f"Means over the seeds; brackets: 95 % intervals from {summary['resamples']} resamples of whole blocks, the "
        "same for all models; round ones: the range over blocks, where there are too few. Probabilities as the models "
        "give them, not calibrated afterwards. Training: all epochs of a network, or fitting with the choice of "
        "settings of a classical model."
    )
    return ReportTable("All models on the same rows", header, lines, note)


def estimate(summary: Summary, model: str, metric: Metric) -> float:
    """The mean over a model's trainings; NaN where the metric is undefined."""
    return _number(summary["models"][model]["metrics"][metric.name]["estimate"])


def _number(stored: float | None) -> float:
    return float("nan") if stored is None else stored


def _with_interval(entry: Mapping[str, Any]) -> str:
    value, low, high = (fine(_number(entry[name])) for name in ("estimate", "low", "high"))
    return f"{value} ({low} to {high})" if entry["method"] == RANGE else f"{value} [{low}, {high}]"


def _difference(summary: Summary, model: str, metric: Metric) -> Difference:
    """A model minus the reference."""
    stored: Mapping[str, Any] = summary["models"][model]["differences"][metric.name]
    defined: dict[str, Any] = {name: float("nan") if value is None else value for name, value in stored.items()}
    return Difference(**defined)


def _each_seed(summary: Summary, model: str) -> str:
    """Lowest and highest AUC; nothing of a single training."""
    areas = [_number(metrics[AUC.name]) for metrics in summary["models"][model]["repeats"].values()]
    return f"{fine(min(areas))} to {fine(max(areas))}" if areas else ""


def _mean_over_trainings(rows: Table, column: str) -> float:
    """Of what is one number for each seed and held-out fold."""
    parts = [take(part, part["fold"] == fold) for part in trainings(rows) for fold in np.unique(part["fold"])]
    return float(np.mean([part[column][0] for part in parts]))


def optimisers(summary: Summary, family: Sequence[Recipe], defaults: Recipe) -> ReportTable:
    """Recipes of one network: how each is trained, and what that makes of the AUC and the log loss.

    Args:
        summary: as for `main`; its reference is one of the recipes.
        family: recipes that differ in nothing but how the network is trained.
        defaults: of `train`.
    """
    reference = summary["reference"]
    header = (
        "recipe", "how", "AUC", f"minus {reference}", f"against {reference}", f"log loss minus {reference}",
        "AUC of each seed",
    )  # fmt: skip
    lines = [
        (
            recipe.name,
            recipe.flags({**defaults.settings, **recipe.network}),
            fine(estimate(summary, recipe.name, AUC)),
            *_against(summary, recipe.name),
            _each_seed(summary, recipe.name),
        )
        for recipe in family
    ]
    note = (
        "Paired: the same rows, seeds and resampled blocks for both; each for itself, not corrected for the number of "
        "recipes. How: the settings that are not the defaults of train."
    )
    return ReportTable("One network under several optimisers", header, lines, note)


def _against(summary: Summary, model: str) -> tuple[str, str, str]:
    """AUC minus the reference's, who is ahead, and the same difference of the log loss."""
    if model == summary["reference"]:
        return "", "", ""
    area, loss = (_difference(summary, model, metric) for metric in (AUC, LOG_LOSS))
    return interval_of(area), verdict(area), interval_of(loss)


def liveness(rows: Table) -> ReportTable:
    """How far each part moves the logit, recipe by recipe.

    Args:
        rows: of the recipes; columns model and seed, and part_NAME, NaN in the rows of recipes without the part.
    """
    parts = [name.removeprefix(PREFIX) for name in rows if name.startswith(PREFIX)]
    lines = []
    for model, own in models_of(rows).items():
        spread = {name: _deviation(own, PREFIX + name) for name in parts_of(own)}
        silent = ", ".join(name for name, deviation in spread.items() if deviation < SILENT)
        lines.append((model, *(fine(spread.get(name, np.nan), 3) for name in parts), silent))
    note = (
        f"Standard deviations over impressions, in logits, the mean over the seeds. Silent: under {SILENT:g}, which "
        "moves the odds by less than about 5 %."
    )
    return ReportTable("How far each part moves the logit", ("recipe", *parts, "silent"), lines, note)


def _deviation(rows: Table, column: str) -> float:
    return float(np.mean([part[column].astype(np.float64).std() for part in trainings(rows)]))


def recipes(compared: Sequence[Recipe], defaults: Recipe) -> ReportTable:
    """What each recipe sets."""
    lines = [(recipe.name, recipe.flags(defaults.settings) or "the defaults") for recipe in compared]
    return ReportTable("Recipes", ("recipe", "settings that are not the defaults of train"), lines)
