"""`train`, `evaluate`, `predict`, `export` and `card`, the same for every app."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shared.cli import load_config
from shared.contract import App, load
from shared.errors import ConfigError, InputError
from shared.experiment import Experiment
from shared.fit import fit, is_first_process
from shared.predictor import Predictor
from shared.progress import counted
from shared.publish import HELD_OUT, publish
from shared.results import NETWORK, labelled, network_rows, write_results
from shared.run import Run
from shared.table import Table, concatenate, read_table, take
from shared.verb_config import BaseTrainConfig, CardConfig, EvaluateConfig, ExportConfig, PredictConfig

__all__ = ["card", "evaluate", "export", "open_experiment", "predict", "predictor_class", "train", "train_run"]


def predictor_class(app: App) -> type[Predictor]:
    """The importable predictor that an app declares."""
    return load(app.predictor)


def train(app: App, config: BaseTrainConfig) -> None:
    """Train as configured and leave a run folder that `evaluate`, `predict --model` and `from_pretrained` read."""
    run = train_run(load(app.experiment)(config))
    if is_first_process(config.fit):
        print(f"{run.folder} holds the run. Next: python -m {app.package} {_next_step(config)}")


def _next_step(config: BaseTrainConfig) -> str:
    """Words to paste: what is usually done with the run just trained."""
    folder = shlex.quote(str(config.out))
    if config.split.test is None:
        return f"card --model {folder} --publish MODEL --crossval GRID"
    return f"evaluate {folder}"


def train_run(experiment: Experiment[Any]) -> Run:
    """Train one experiment into the run folder that its configuration names; a finished run is returned as it is."""
    config = experiment.config
    writes = is_first_process(config.fit)
    # Whatever can be refused is built first: a wrong setting must leave no folder behind.
    calibration = _calibration_rows(experiment)
    torch.manual_seed(config.fit.seed)
    network = experiment.network()
    task = experiment.task(network)
    run = Run.create(
        config.out,
        config,
        experiment.app.package,
        experiment.prepared.manifest_hash,
        config.resume,
        first_process=writes,
    )
    result = fit(task, network, config.fit, run.folder, resume=config.resume)
    if writes:
        run.record(config)
        experiment.predictor(result.model, calibration).save_pretrained(run.model)
    return run


def _calibration_rows(experiment: Experiment[Any]) -> Table | None:
    """Out-of-fold predictions to calibrate on, where a cross-validation was named.

    Raises:
        ConfigError: rows are held out, which such predictions would give away; or the data are others.
    """
    config = experiment.config
    if config.calibration is None:
        return None
    if (config.split.test, config.split.validation) != (None, None):
        raise ConfigError(
            "--calibration takes predictions on every row, the held-out ones too: it is for the training on all folds, "
            "--split.test null. Elsewhere calibrate on --split.validation."
        )
    crossval = Run.open(config.calibration, experiment.app.package)
    if crossval.data_manifest_hash != experiment.prepared.manifest_hash:
        raise ConfigError(f"{config.calibration} is a cross-validation of another prepared set than {config.data}.")
    return network_rows(read_table(crossval.predictions))


def open_experiment(app: App, run: Run, data: Path | None = None) -> Experiment[Any]:
    """The experiment of a finished run, on its own prepared set or on another one.

    Raises:
        ConfigError: the settings of the run cannot be read by this version.
        InputError: the prepared set is not there.
    """
    experiment_class: type[Experiment[Any]] = load(app.experiment)
    config: BaseTrainConfig = load_config(experiment_class.config_class, run.config)
    if data is not None:
        return experiment_class(dataclasses.replace(config, data=data))
    try:
        return experiment_class(config)
    except InputError as error:
        raise InputError(
            f"{error} (The run was trained with --data {config.data}, which is looked for from the folder you are in; "
            "another set is scored without it by --data SET --baselines false.)"
        ) from error


def evaluate(app: App, config: EvaluateConfig) -> None:
    """Score a run and the classical models on the same rows; write predictions, metrics.json and report.html."""
    run = Run.open(config.run, app.package)
    scored_on = open_experiment(app, run, config.data)
    split = scored_on.config.split
    if config.data is None and split.test is None:
        raise ConfigError(f"{run.folder} was trained on every row: nothing is held out. Give --data another set.")
    role = "test" if config.data is None else "all"
    predictor = predictor_class(app).from_pretrained(run.folder)
    tables = [labelled(scored_on.predictions(predictor, role, run.outputs), NETWORK)]
    if config.baselines:
        own = scored_on if config.data is None else open_experiment(app, run)
        tables += [
            labelled(scored_on.baseline_predictions(own.fit_baseline(name), role), name)
            for name in counted(app.baselines, "classical models")
        ]
    table: Table = concatenate(tables)
    protocol = f"Split {split.name!r} of the run's set, held out: {split.test!r}"
    own_rows: dict[str, Any] = {HELD_OUT: {"split": split.name, "test": split.test}}
    if config.data is not None:
        table, left_out = _unseen(table, app.resampling_unit, predictor.card.training_groups)
        protocol = (
            f"All rows of {config.data.name!r}, another set than the run's; left out, because the run was trained on "
            f"them: {left_out} of their {app.resampling_unit} groups"
        )
        own_rows = {}
    write_results(
        run, scored_on, table, protocol=protocol, extra=own_rows, resamples=config.resamples, level=config.level
    )
    print(f"{run.metrics}\n{run.report}")


def _unseen(table: Table, unit: str, trained_on: Sequence[str]) -> tuple[Table, int]:
    """The rows of groups that a model was not trained on, and how many groups were left out.

    Raises:
        InputError: no row is left.
    """
    groups = table[unit].astype(str)
    seen = np.isin(groups, list(trained_on))
    if seen.all():
        raise InputError(f"The run was trained on every {unit} of this set: no figure counts. Give another set.")
    return take(table, ~seen), len(set(groups[seen].tolist()))


def predict(app: App, config: PredictConfig) -> None:
    """Answer for each file: one JSON object, or one line of text."""
    predictor = predictor_class(app).from_pretrained(config.model)
    for path in config.files:
        answer = {"file": str(path), **predictor.predict(path).to_dict()}
        print(json.dumps(answer) if config.json else _as_text(answer))


def _as_text(answer: Mapping[str, Any]) -> str:
    """An answer as a person reads it: what is missing is left out, of a list its length is told."""
    told = {name: f"{len(value)} values" if isinstance(value, list) else value for name, value in answer.items()}
    return "  ".join(f"{name}: {value}" for name, value in told.items() if value is not None)


def export(app: App, config: ExportConfig) -> None:
    """Write the network of a model as ONNX, after its answers have been compared with the network's own."""
    if app.onnx_core is None:
        raise ConfigError(f"The network of {app.name} cannot be written as ONNX.")
    difference = predictor_class(app).from_pretrained(config.model).to_onnx(config.out)
    print(f"{config.out}: {app.onnx_core}; largest difference to torch {difference:.1g}")


def card(app: App, config: CardConfig) -> None:
    """Print the card of a model, or publish a run with figures of rows that were held out."""
    predictor = predictor_class(app).from_pretrained(config.model)
    if config.publish is None:
        print(predictor.card.to_markdown())
        return
    published = publish(app, predictor, _scored(predictor, config), config.publish)
    print(f"{config.publish} holds {published.label} with {len(published.metrics)} metrics.")


def _scored(predictor: Predictor, config: CardConfig) -> Path:
    """Folder with the figures to publish. Raises ConfigError where there are none, or not those of this model."""
    held_out = predictor.card.status == "run" and predictor.card.recipe["split"]["test"] is not None
    if config.crossval is not None:
        if held_out:
            raise ConfigError(
                "The run held rows out. Leave --crossval out to publish it with its own figures, or train on every "
                "fold: --split.test null."
            )
        return config.crossval
    if config.model is None or not held_out:
        raise ConfigError(
            "A published card needs figures: give --crossval the folder of a cross-validation, or publish a run that "
            "held rows out and has been evaluated."
        )
    return Path(config.model)
