"""From a run to a model that ships: its card gets figures of rows that were held out.

Either those of a cross-validation of the same recipe: the shipped weights are then trained on more than any fold was,
so that their own figures cannot be measured, and the card says so. Or the run's own, where it held groups out and ships
as it is: the way where data are generated and a group more or less costs nothing. Everybody can recompute the figures
from the predictions that lie beside the card.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from shared.atomic import read_json, sha256_of, write_json
from shared.card import Card
from shared.contract import App, load
from shared.errors import ConfigError
from shared.evaluation import summarise
from shared.predictor import Predictor
from shared.results import NETWORK, labelled, network_rows
from shared.run import Run, dotted
from shared.splits import LEAKY
from shared.table import Table, read_table, require, take, write_table

__all__ = ["FIGURES", "HELD_OUT", "OUT_OF_FOLD", "card_metrics", "further_results", "publish"]

OUT_OF_FOLD = "oof.parquet"
"""Predictions of held-out rows beside the card: the columns an app may publish, and no others."""

FIGURES = "figures.json"
"""Figures of the network and of all classical models on the same held-out rows."""

HELD_OUT = "held_out"
"""Entry of metrics.json: the part of the run's own split that was scored; absent where another set was."""

ITEM = "item"
"""Column of those predictions that numbers what was scored."""

OPEN_LICENCES = frozenset(
    {"Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "MIT", "ODC-By-1.0", "PDDL-1.0", "ODbL-1.0"}
)
"""SPDX names of licences that allow any use. Weights from data under anything else, or nothing, are research-only."""

FREE_TO_DIFFER = frozenset({"split.test", "split.validation", "fit.seed", "fit.progress", "fit.accelerator"})
"""Settings of a recipe that differ between a fold's training and the shipped one by nature."""


def publish(app: App, predictor: Predictor, scored: Path, out: Path) -> Card:
    """Write a model folder whose card is complete.

    Args:
        app: whose model it is.
        predictor: loaded from the run to ship.
        scored: folder of a cross-validation, for a run that was trained on every fold; else the run's own, evaluated.
        out: folder to write; its name becomes the model's name.

    Returns:
        The card as written.

    Raises:
        ConfigError: the figures are not of this recipe on these data, or the card would be incomplete.
    """
    run = Run.open(scored, app.package)
    _check_same_recipe(predictor.card, run)
    held_out = predictor.card.recipe["split"]["test"] is not None
    if held_out:
        _check_own_figures(predictor.card, run)
    else:
        _check_all_folds(run)
    results = read_json(run.metrics)
    table = network_rows(read_table(run.predictions))
    if "seed" not in table:
        table = labelled(table, NETWORK, seed=predictor.card.recipe["fit"]["seed"])
    table = out_of_fold(app, table)
    with tempfile.TemporaryDirectory() as folder:
        beside = {OUT_OF_FOLD: Path(folder) / OUT_OF_FOLD, FIGURES: Path(folder) / FIGURES}
        write_table(beside[OUT_OF_FOLD], table)
        write_json(beside[FIGURES], results)
        beside |= further_results(app, scored)
        predictor.card = dataclasses.replace(
            predictor.card,
            name=out.name,
            status="published",
            protocol=(
                f"{results['protocol']}. Scored unit: {app.scored_unit}; intervals resample whole groups "
                f"({app.resampling_unit}). {_whose(predictor.card)}"
            ),
            metrics=card_metrics(app, table),
            oof={
                "file": OUT_OF_FOLD,
                "sha256": sha256_of(beside[OUT_OF_FOLD]),
                "manifest_hash": run.data_manifest_hash,
                "command": _command(app, out.name, held_out=held_out),
            },
            **_licence(predictor.card),
        )
        return predictor.save_pretrained(out, beside=beside)


def _command(app: App, name: str, *, held_out: bool) -> str:
    """What gives the figures again."""
    program = f"python -m {app.package}"
    if held_out:
        return f"{program} train --config {name} --data DATA --out RUN && {program} evaluate RUN"
    return f"{program} crossval --config {name} --data DATA --out GRID"


def _licence(card: Card) -> dict[str, Any]:
    """Fields of the card that follow from the licences of its data."""
    licences = [str(item["licence"]) for item in card.data]
    return {
        "licence_weights": f"as the data: {'; '.join(licences)}",
        "research_only": not all(licence in OPEN_LICENCES for licence in licences),
    }


def further_results(app: App, crossval: Path) -> dict[str, Path]:
    """What else of a cross-validation ships with a model: name -> file, of those the app names that are there."""
    files = {name: crossval / name for name in load(app.experiment).published_files}
    return {name: path for name, path in files.items() if path.is_file()}


def out_of_fold(app: App, table: Table) -> Table:
    """The scored rows and the columns an app may publish, with items as numbers.

    Rows are sorted by what they hold, and items numbered as they then come, so that neither leads back to a place in a
    recording.
    """
    experiment = load(app.experiment)
    table = experiment.scored(table)
    names = dict.fromkeys((*experiment.published_columns, app.resampling_unit, "seed"))
    require(table, *experiment.item_columns, *names)
    table = take(table, np.lexsort([_codes(table[name]) for name in names]))
    first_seen: dict[tuple[Any, ...], int] = {}
    keys = zip(*(table[column].tolist() for column in experiment.item_columns), strict=True)
    numbers = [first_seen.setdefault(key, len(first_seen)) for key in keys]
    return {ITEM: np.array(numbers, dtype=np.int32), **{name: table[name] for name in names}}


def _codes(column: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    """The rank of each value of a column of numbers or text among its distinct ones; missing text comes first."""
    comparable = column if column.dtype.kind != "O" else np.array(["" if v is None else str(v) for v in column])
    return np.unique(comparable, return_inverse=True)[1]


def card_metrics(app: App, table: Table, resamples: int = 1000) -> dict[str, Mapping[str, Any]]:
    """Every metric of the app with its interval, from published out-of-fold predictions: what a card states."""
    experiment = load(app.experiment)
    summary = summarise(
        labelled(table, NETWORK),
        experiment.metrics,
        group=app.resampling_unit,
        reference=NETWORK,
        key=(ITEM,),
        repeats="seed",
        primary=app.primary_metric,
        n=resamples,
    )
    return summary["models"][NETWORK]["metrics"]


def _whose(card: Card) -> str:
    """Whether the shipped weights are the scored ones, or what they were trained on."""
    split = card.recipe["split"]
    if split["test"] is not None:
        return "The shipped weights are the ones that were scored."
    validation = split["validation"]
    seen = "all folds" if validation is None else f"all folds but {validation}, which was validated on"
    return f"The shipped weights were trained once more on {seen} and have no figures of their own."


def _check_same_recipe(card: Card, scored: Run) -> None:
    """Raise ConfigError unless what was scored has the recipe and the data of this card."""
    recipe = dotted(card.recipe)
    settings = dotted(yaml.safe_load(scored.config.read_text(encoding="utf-8")))
    differing = [key for key, value in recipe.items() if key not in FREE_TO_DIFFER and value != settings.get(key)]
    if differing:
        told = "; ".join(f"{key} {recipe[key]!r} in the run, {settings.get(key)!r} there" for key in differing)
        raise ConfigError(f"The cross-validation is of another recipe: {told}. Repeat one of them like the other.")
    if card.recipe["split"]["name"].startswith(LEAKY):
        raise ConfigError("A card's figures come from a split that cuts no group.")
    hashes = [item["manifest_hash"] for item in card.data]
    if scored.data_manifest_hash not in hashes:
        raise ConfigError(
            f"The cross-validation was run on another prepared set ({scored.data_manifest_hash}) than the model was "
            f"trained on ({', '.join(hashes)})."
        )


def _check_all_folds(crossval: Run) -> None:
    """Raise ConfigError unless the cross-validation held out every fold in turn."""
    settings = yaml.safe_load(crossval.config.read_text(encoding="utf-8"))
    if settings.get("folds", ()) is not None:
        raise ConfigError("A card's figures come from a cross-validation over all folds.")


def _check_own_figures(card: Card, run: Run) -> None:
    """Raise ConfigError unless the run's figures are of the very rows that it held out."""
    split = card.recipe["split"]
    found = read_json(run.metrics).get(HELD_OUT) if run.metrics.is_file() else None
    if found != {"split": split["name"], "test": split["test"]}:
        raise ConfigError(
            f"{run.folder} has no figures of the rows that the model held out (split {split['name']!r}, "
            f"{split['test']!r}). Run `evaluate` on it without --data; or train on every fold (--split.test null) and "
            "give --crossval."
        )
