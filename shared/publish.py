"""From a run to a model that ships: its card gets the figures of a cross-validation of the same recipe.

The shipped weights are trained on more than any fold was, so their own figures cannot be measured; the card says so,
and everybody can recompute its figures from the out-of-fold predictions that lie beside it.
"""

from __future__ import annotations

import dataclasses
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
from shared.run import Run
from shared.table import Table, read_table, require, take, write_table

__all__ = ["CROSSVAL", "OUT_OF_FOLD", "card_metrics", "publish"]

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

_FREE_TO_DIFFER = ("out", "data", "split", "resume", "calibration")
"""Settings of a recipe that differ between the folds and the shipped training by nature."""


def publish(app: App, predictor: Predictor, crossval: Path, out: Path) -> Card:
    """Write a model folder whose card is complete.

    Args:
        app: whose model it is.
        predictor: loaded from the run to ship.
        crossval: folder of the cross-validation.
        out: folder to write; its name becomes the model's name.

    Returns:
        The card as written.

    Raises:
        ConfigError: the cross-validation is of another recipe, or the card would be incomplete.
    """
    run = Run.open(crossval, app.package)
    recipe = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    _check_same_recipe(predictor.card.recipe, recipe)
    table = out_of_fold(app, network_rows(read_table(run.predictions)))
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = out.with_name(f"{out.name}.{OUT_OF_FOLD}")
    write_table(staged, table)
    data = predictor.card.data
    predictor.card = dataclasses.replace(
        predictor.card,
        name=out.name,
        status="published",
        protocol=(
            f"{read_json(run.metrics)['protocol']}. Scored unit: {app.scored_unit}; intervals resample whole groups "
            f"({app.resampling_unit}). The shipped weights were trained once more on all rows and have no figures of "
            "their own."
        ),
        metrics=card_metrics(app, table),
        oof={
            "file": OUT_OF_FOLD,
            "sha256": sha256_of(staged),
            "command": f"python -m {app.package} crossval --config {out.name} --data DATA --out GRID",
        },
        licence_weights=f"as the data: {'; '.join(str(item['licence']) for item in data)}",
        research_only=not all(str(item["licence"]) in OPEN_LICENCES for item in data),
    )
    card = predictor.save_pretrained(out)
    staged.replace(out / OUT_OF_FOLD)
    write_json(out / CROSSVAL, read_json(run.metrics))
    return card


def out_of_fold(app: App, table: Table) -> Table:
    """The columns an app may publish, with items as numbers.

    Rows are sorted by what they hold, and items numbered as they then come, so that neither leads back to a place in a
    recording.
    """
    experiment = load(app.experiment)
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
        labelled(experiment.scored(table), NETWORK),
        experiment.metrics,
        group=app.resampling_unit,
        reference=NETWORK,
        key=(ITEM,),
        repeats="seed",
        primary=app.primary_metric,
        n=resamples,
    )
    return summary["models"][NETWORK]["metrics"]


def _check_same_recipe(shipped: Mapping[str, Any], scored: Mapping[str, Any]) -> None:
    for key, value in shipped.items():
        if key not in _FREE_TO_DIFFER and _without_run(value) != _without_run(scored.get(key)):
            raise ConfigError(
                f"The cross-validation is of another recipe: {key} is {scored.get(key)} there and {value} in the run. "
                "Repeat one of them with the settings of the other."
            )


def _without_run(value: Any) -> Any:
    """A setting without what says on which machine and from which seed it ran."""
    if isinstance(value, Mapping):
        return {name: inner for name, inner in value.items() if name not in ("seed", "progress", "accelerator")}
    return value
