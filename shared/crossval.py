"""`crossval`: every fold of a split held out in turn, with several seeds, as a grid that can be stopped and continued.

Each cell trains one experiment and scores the fold it has not seen; nothing is chosen on that fold. The classical
models are fitted on the same training rows. The joined out-of-fold predictions are what a model card's figures are
computed from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.contract import App, load
from shared.errors import ConfigError
from shared.evaluation import models_of
from shared.experiment import Experiment
from shared.grid import run_grid
from shared.metrics import Metric
from shared.prepared import PreparedSet
from shared.results import NETWORK, labelled, write_results
from shared.run import WIDER_STUDY, Run
from shared.splits import Split
from shared.table import Table, concatenate, read_table, take, write_table
from shared.verb_config import BaseTrainConfig, training_settings
from shared.verbs import predictor_class, train_run

__all__ = ["crossval", "fold_spread"]

PREDICTIONS = "predictions.parquet"
Cell = Mapping[str, Any]


def crossval(app: App, config: Any) -> None:
    """Run the grid that `config` (the app's TrainConfig with `CrossvalSettings`) describes, then write its figures."""
    prepared = PreparedSet(config.data)
    folds = _folds(prepared.split(config.split.name), config.folds)
    run = Run.create(config.out, config, app.package, prepared.manifest_hash, resume=True, may_change=WIDER_STUDY)
    training = training_settings(config, load(app.experiment).config_class)
    cells: list[Cell] = [{"fold": fold, "seed": seed} for seed in config.seeds for fold in folds]
    if config.baselines:
        cells += [{"fold": fold, "baseline": name} for fold in folds for name in app.baselines]
    work = partial(_score_cell, app, training, _validation_folds(training, folds))
    done = run_grid(cells, work, run.folder / "cells", workers=config.workers)
    run.record(config)
    table = concatenate([read_table(cell.folder / PREDICTIONS) for cell in done])
    experiment = load(app.experiment)(training)
    spread = fold_spread(experiment.primary_metric(), experiment.scored(table))
    protocol = _protocol(training, len(folds), len(config.seeds))
    write_results(run, experiment, table, protocol=protocol, extra={"folds": spread})
    print(f"{run.metrics}\n{run.report}")


def _folds(split: Split, chosen: Sequence[int] | None) -> Sequence[int]:
    """The folds to hold out in turn. Raises ConfigError for a split of roles, unknown folds, or fewer than two."""
    if not all(isinstance(fold, int) for fold in split.folds):
        raise ConfigError(f"Split {split.name!r} has the roles {split.folds}; a cross-validation needs numbered folds.")
    folds = tuple(chosen or split.folds)
    if len(folds) < 2 or not set(folds) <= set(split.folds):
        raise ConfigError(f"Split {split.name!r} has the folds {split.folds}, {folds} were asked for; two are needed.")
    return folds  # type: ignore[return-value]  # all int, as checked


def _validation_folds(training: BaseTrainConfig, folds: Sequence[int]) -> Mapping[int, int | None]:
    """For each held-out fold the one to validate on: the next one where validation is asked for, else none."""
    if training.split.validation is None:
        return dict.fromkeys(folds)
    return {fold: folds[(place + 1) % len(folds)] for place, fold in enumerate(folds)}


def _protocol(training: BaseTrainConfig, n_folds: int, n_seeds: int) -> str:
    """What the figures are: which rows, and what was chosen on what."""
    fit = training.fit
    chosen = "the last epoch kept"
    if fit.monitor is not None:
        chosen = f"the epoch of best {fit.monitor} on the fold after the held-out one"
    return (
        f"Out of fold on split {training.split.name!r}, {n_folds} folds, {n_seeds} seeds; {fit.epochs} epochs, "
        f"{chosen}; threshold fixed beforehand"
    )


def _score_cell(
    app: App, training: BaseTrainConfig, validation: Mapping[int, int | None], cell: Cell, folder: Path
) -> None:
    """Train on all folds but one and score that one, with the network or with a classical model."""
    split = dataclasses.replace(training.split, test=cell["fold"], validation=validation[cell["fold"]])
    fit = dataclasses.replace(training.fit, seed=cell.get("seed", training.fit.seed), progress=False)
    config = dataclasses.replace(training, split=split, fit=fit, out=folder / "run", resume=True)
    experiment: Experiment[Any] = load(app.experiment)(config)
    name = cell.get("baseline", NETWORK)
    if name == NETWORK:
        run = train_run(experiment)
        predictor = predictor_class(app).from_pretrained(run.folder)
        table = experiment.predictions(predictor, "test", folder / "outputs")
    else:
        table = experiment.baseline_predictions(experiment.fit_baseline(name), "test")
    write_table(folder / PREDICTIONS, labelled(table, name, fold=cell["fold"], seed=fit.seed))


def fold_spread(metric: Metric, table: Table) -> dict[str, Any]:
    """A metric of each held-out fold: per model the mean and standard deviation over folds, and over seeds of the mean.

    Args:
        metric: of the rows of one fold, model and seed.
        table: with the columns model, fold and seed.

    Returns:
        Plain JSON. A fold in which the metric is undefined has None, and is left out of the means.
    """
    spread: dict[str, Any] = {}
    for model, rows in models_of(table).items():
        folds, seeds = np.unique(rows["fold"]).tolist(), np.unique(rows["seed"]).tolist()
        values = np.array([[_value(metric, rows, fold, seed) for fold in folds] for seed in seeds])
        per_fold, per_seed = [_mean(column) for column in values.T], [_mean(row) for row in values]
        spread[model] = {
            "metric": metric.name,
            "mean": _or_none(_mean(np.array(per_fold))),
            "sd over folds": _deviation(per_fold),
            "sd over seeds": _deviation(per_seed),
            "per fold": {str(fold): _or_none(value) for fold, value in zip(folds, per_fold, strict=True)},
            "per seed": {str(seed): _or_none(value) for seed, value in zip(seeds, per_seed, strict=True)},
        }
    return spread


def _value(metric: Metric, rows: Table, fold: Any, seed: Any) -> float:
    return metric(take(rows, (rows["fold"] == fold) & (rows["seed"] == seed)))


def _mean(values: npt.NDArray[np.float64]) -> float:
    """The mean of what is defined, NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _deviation(values: Sequence[float]) -> float | None:
    """The standard deviation of what is defined; None where that is one value or none."""
    defined = np.array([value for value in values if not np.isnan(value)])
    return float(defined.std(ddof=1)) if len(defined) > 1 else None


def _or_none(value: float) -> float | None:
    """A value as JSON can hold it."""
    return None if np.isnan(value) else value
