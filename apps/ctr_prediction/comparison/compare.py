"""`compare`: recipes and classical models on the same held-out rows, paired, several seeds.

Every training and every classical model has a folder of its own (`shared.grid`), so that the same command continues a
comparison that was stopped, on any number of machines, and may ask for more recipes, seeds and models. A recipe that
was changed is trained anew; what its earlier settings gave is no longer looked at.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.ctr_prediction.comparison.compare_report import Comparison
from apps.ctr_prediction.comparison.recipes import ALWAYS_COMPARED, Recipe, known_recipes
from apps.ctr_prediction.config import TrainConfig
from apps.ctr_prediction.data import ImpressionLog
from apps.ctr_prediction.features.selection import feature_columns
from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.train import ClickExperiment
from apps.ctr_prediction.verb_config import CompareConfig
from shared.contract import App
from shared.errors import ConfigError, did_you_mean
from shared.grid import run_grid
from shared.prepared import PreparedSet
from shared.results import labelled
from shared.run import WIDER_STUDY, Run
from shared.splits import Split, SplitConfig
from shared.study import SuperfluousTrialError
from shared.table import Table, n_rows, read_table, write_table
from shared.verbs import train_run

__all__ = ["compare"]

PREDICTIONS = "predictions.parquet"
REFERENCE = "dcn_ftrl"
"""FTRL for everything in a Deep & Cross Network, which is what the title of Huang et al. 2020 announces."""
MAY_CHANGE = WIDER_STUDY | {"recipes", "reference", "resamples"}
NOT_COMPARED = ("unseen", "day", "time_order")
"""Columns of a prediction table that no figure of a comparison needs."""

Cell = Mapping[str, Any]


def compare(app: App, config: CompareConfig) -> None:
    """Do what is not done yet, then write compare.json and compare.html.

    Raises:
        ConfigError: a recipe, its settings, a column, a classical model, the split or what is held out is unknown; or
            the folder holds a comparison of other rows or columns.
    """
    prepared = PreparedSet(config.data)
    recipes = _recipes(app, config)
    classical = _classical(app, config, [recipe.name for recipe in recipes])
    folds = _held_out(prepared.split(config.split.name), config.holdout)
    reference = _reference(config.reference, [recipe.name for recipe in recipes])
    plain = Recipe.plain(config.data, config.out, config.exclude)
    settings = {recipe.name: recipe.training for recipe in recipes} | dict.fromkeys(classical, plain.training)
    for training in settings.values():
        _check(ClickExperiment(_on(training, config.split.name, folds[0])))
    run = Run.create(config.out, config, app.package, prepared.manifest_hash, resume=True, may_change=MAY_CHANGE)
    cells: list[Cell] = [
        {"model": recipe.name, "settings": recipe.fingerprint, "fold": fold, "seed": seed}
        for recipe in recipes
        for seed in config.seeds
        for fold in folds
    ]
    cells += [{"model": name, "fold": fold} for name in classical for fold in folds]
    work = partial(_score, settings, config.split.name, cells)
    done = run_grid(cells, work, run.folder / "cells", workers=config.workers)
    run.record(config)
    table = side_by_side([read_table(cell.folder / PREDICTIONS) for cell in done])
    write_table(run.predictions, table)
    groups = ImpressionLog(prepared).groups
    comparison = Comparison(table, recipes, plain, reference, groups, config.resamples)
    comparison.write(run.folder, _protocol(config, folds, table), prepared.manifest)


def _recipes(app: App, config: CompareConfig) -> list[Recipe]:
    known = known_recipes(app.folder)
    own = [name for name, path in known.items() if path.parent.name == "recipes"]
    words = (*own, ALWAYS_COMPARED) if config.recipes is None else config.recipes
    places = ["--data", str(config.data), "--out", str(config.out)]
    return [Recipe.read(word, known, places, config.exclude) for word in words]


def _classical(app: App, config: CompareConfig, recipes: Sequence[str]) -> tuple[str, ...]:
    """The classical models. Raises ConfigError for unknown ones, and where two models would have one name."""
    chosen = app.baselines if config.baselines is None else config.baselines
    for name in chosen:
        if name not in app.baselines:
            raise ConfigError(f"There is no classical model {name!r}.{did_you_mean(name, app.baselines)}")
    names = [*recipes, *chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Two models of a comparison are called {', '.join(twice)}: rename the recipe's file.")
    return tuple(chosen)


def _held_out(split: Split, asked: int | str | None) -> Sequence[int | str]:
    """What is held out in turn. Raises ConfigError where the split has roles and none is named."""
    if asked is not None:
        return (asked,)
    if not all(isinstance(fold, int) for fold in split.folds):
        raise ConfigError(
            f"Split {split.name!r} has the roles {', '.join(map(str, split.folds))}: say which of them is scored, "
            "for example --holdout test."
        )
    return split.folds


def _reference(asked: str | None, recipes: Sequence[str]) -> str:
    if asked is None:
        return REFERENCE if REFERENCE in recipes else recipes[0]
    if asked not in recipes:
        raise ConfigError(f"--reference {asked}: no such recipe is compared.{did_you_mean(asked, recipes)}")
    return asked


def _on(training: TrainConfig, split: str, fold: int | str) -> TrainConfig:
    return dataclasses.replace(training, split=SplitConfig(split, test=fold))


def _check(experiment: ClickExperiment) -> None:
    """Refuse before anything is trained what cannot be. Raises ConfigError for unknown columns and folds."""
    config = experiment.config
    experiment.where("test")
    feature_columns(experiment.log.schema, config.features)
    if config.new_campaign.apply:
        feature_columns(experiment.log.schema, config.new_campaign.features)


def _score(settings: Mapping[str, TrainConfig], split: str, asked: Sequence[Cell], cell: Cell, folder: Path) -> None:
    """Do one cell: train and score a recipe, or a classical model."""
    if cell not in asked:  # queued before the comparison was stopped; since then the recipe was changed or left out
        raise SuperfluousTrialError
    training = _on(settings[cell["model"]], split, cell["fold"])
    fit = dataclasses.replace(training.fit, seed=cell.get("seed", training.fit.seed), progress=False)
    experiment = ClickExperiment(dataclasses.replace(training, fit=fit, out=folder / "run", resume=True))
    score = _network if "seed" in cell else _classical_model
    table, seconds = score(experiment, cell["model"], folder)
    compared = {name: column for name, column in table.items() if name not in NOT_COMPARED}
    columns = {"fold": cell["fold"], "seed": fit.seed, "seconds": seconds}
    write_table(folder / PREDICTIONS, labelled(compared, cell["model"], **columns))


def _network(experiment: ClickExperiment, _: str, folder: Path) -> tuple[Table, float]:
    """Held-out predictions, and the seconds that the epochs took."""
    run = train_run(experiment)
    epochs = [json.loads(line) for line in run.log.read_text(encoding="utf-8").splitlines()]
    predictor = ClickPredictor.from_pretrained(run.folder)
    return experiment.predictions(predictor, "test", folder / "outputs"), sum(epoch["seconds"] for epoch in epochs)


def _classical_model(experiment: ClickExperiment, name: str, _: Path) -> tuple[Table, float]:
    """Held-out predictions, and the seconds of fitting, the choice of settings among them."""
    start = time.monotonic()
    fitted = experiment.fit_baseline(name)
    seconds = time.monotonic() - start
    return experiment.baseline_predictions(fitted, "test"), seconds


def side_by_side(tables: Sequence[Table]) -> Table:
    """One table under the other; where one has no such column (a part of other networks), its rows have NaN there."""
    names = dict.fromkeys(name for table in tables for name in table)
    absent = np.nan
    return {
        name: np.concatenate([table.get(name, np.full(n_rows(table), absent)) for table in tables]) for name in names
    }


def _protocol(config: CompareConfig, folds: Sequence[int | str], table: Table) -> str:
    """What the figures are of."""
    first = (table["model"] == table["model"][0]) & (table["seed"] == table["seed"][0])
    target, blocks = table["target"][first], len(set(table["block"][first].tolist()))
    held_out = f"{len(folds)} folds in turn" if config.holdout is None else repr(config.holdout)
    columns = f"; without the columns {', '.join(config.exclude)}" if config.exclude else ""
    return (
        f"Split {config.split.name!r}, held out: {held_out}; {len(target)} impressions, {int((target == 1).sum())} "
        f"clicks in {blocks} blocks; trained with {len(config.seeds)} seeds, the last epoch kept{columns}"
    )
