"""From a run to a model that ships: its card gets the figures of a cross-validation of the same recipe.

The shipped weights are trained on more than any fold was, so their own figures cannot be measured; the card says so,
and everybody can recompute its figures from the out-of-fold predictions that lie beside it.
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

__all__ = ["CROSSVAL", "OUT_OF_FOLD", "card_metrics", "further_results", "publish"]

OUT_OF_FOLD = "oof.parquet"
"""Out-of-fold predictions beside the card: the columns an app may publish, and no others."""

CROSSVAL = "crossval.json"
"""Figures of the network and of all classical models on the same held-out rows."""

ITEM = "item"
"""Column of those predictions that numbers what was scored."""

OPEN_LICENCES = frozenset(
    {"Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "MIT", "ODC-By-1.0", "PDDL-1.0", "ODbL-1.0"}
)
"""SPDX names of licences that allow any use. Weights from data under anything else, or nothing, are research-only."""

FREE_TO_DIFFER = frozenset({"split.test", "split.validation", "fit.seed", "fit.progress", "fit.accelerator"})
"""Settings of a recipe that differ between a fold's training and the shipped one by nature."""


def publish(app: App, predictor: Predictor, crossval: Path, out: Path) -> Card:
    """Write a model folder whose card is complete.

    Args:
        app: whose model it is.
        predictor: loaded from the run to ship, which was trained on every fold.
        crossval: folder of the cross-validation.
        out: folder to write; its name becomes the model's name.

    Returns:
        The card as written.

    Raises:
        ConfigError: the cross-validation is not one of this recipe on these data, or the card would be incomplete.
    """
    run = Run.open(crossval, app.package)
    _check_same_recipe(predictor.card, run)
    results = read_json(run.metrics)
    table = out_of_fold(app, network_rows(read_table(run.predictions)))
    data = predictor.card.data
    with tempfile.TemporaryDirectory() as folder:
        beside = {OUT_OF_FOLD: Path(folder) / OUT_OF_FOLD, CROSSVAL: Path(folder) / CROSSVAL}
        write_table(beside[OUT_OF_FOLD], table)
        write_json(beside[CROSSVAL], results)
        beside |= further_results(app, crossval)
        predictor.card = dataclasses.replace(
            predictor.card,
            name=out.name,
            status="published",
            protocol=(
                f"{results['protocol']}. Scored unit: {app.scored_unit}; intervals resample whole groups "
                f"({app.resampling_unit}). The shipped weights were trained once more on {_seen(predictor.card)} and "
                "have no figures of their own."
            ),
            metrics=card_metrics(app, table),
            oof={
                "file": OUT_OF_FOLD,
                "sha256": sha256_of(beside[OUT_OF_FOLD]),
                "manifest_hash": run.data_manifest_hash,
                "command": f"python -m {app.package} crossval --config {out.name} --data DATA --out GRID",
            },
            licence_weights=f"as the data: {'; '.join(str(item['licence']) for item in data)}",
            research_only=not all(str(item["licence"]) in OPEN_LICENCES for item in data),
        )
        return predictor.save_pretrained(out, beside=beside)


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


def _seen(card: Card) -> str:
    """Which folds the shipped weights were trained on."""
    validation = card.recipe["split"]["validation"]
    return "all folds" if validation is None else f"all folds but {validation}, which was validated on"


def _check_same_recipe(card: Card, crossval: Run) -> None:
    """Raise ConfigError unless the cross-validation tells how good a model of this card is."""
    settings = yaml.safe_load(crossval.config.read_text(encoding="utf-8"))
    recipe = dotted(card.recipe)
    scored = dotted(settings)
    differing = [key for key, value in recipe.items() if key not in FREE_TO_DIFFER and value != scored.get(key)]
    if differing:
        told = "; ".join(f"{key} {recipe[key]!r} in the run, {scored.get(key)!r} there" for key in differing)
        raise ConfigError(f"The cross-validation is of another recipe: {told}. Repeat one of them like the other.")
    if card.recipe["split"]["test"] is not None:
        raise ConfigError("The run held rows out. A model to ship is trained on every fold: --split.test null.")
    if card.recipe["split"]["name"].startswith(LEAKY) or settings["folds"] is not None:
        raise ConfigError("A card's figures come from all folds of a split that cuts no group.")
    hashes = [item["manifest_hash"] for item in card.data]
    if crossval.data_manifest_hash not in hashes:
        raise ConfigError(
            f"The cross-validation was run on another prepared set ({crossval.data_manifest_hash}) than the model was "
            f"trained on ({', '.join(hashes)})."
        )
