"""One training set-up of an app: everything that the shared verbs must know and the app alone can say.

`train`, `evaluate` and `crossval` (`shared.verbs`, `shared.crossval`) are written once against this class. An app's
subclass opens its data, builds its network and its task, finishes a predictor, and scores rows into a prediction table;
it never writes a loop, a run folder, a bootstrap or a page.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from torch import nn

from shared.card import Card
from shared.contract import App, as_plain, load
from shared.fit import Task
from shared.metrics import Metric
from shared.predictor import Predictor
from shared.prepared import PreparedSet
from shared.report import ReportTable, Section
from shared.splits import role_values, roles
from shared.table import Table
from shared.verb_config import BaseTrainConfig

__all__ = ["Experiment"]

Config = TypeVar("Config", bound=BaseTrainConfig)


class Experiment(ABC, Generic[Config]):
    """Base of every app's experiment.

    Roles are "train", "validation" and "test", as the configured split says; "all" means the whole set, whatever the
    split. A role selects rows of the index (`rows`) or of a streamed table (`where`), as the app's data are.
    """

    app: ClassVar[App]
    config_class: ClassVar[type]
    metrics: ClassVar[Sequence[Metric]]
    item_columns: ClassVar[tuple[str, ...]] = ("item",)
    """Columns that name what was scored, by one row (a window) or by several (an image's detections)."""
    published_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of the out-of-fold predictions that are shipped with a model: those the metrics need, and what else may
    be seen. A number for each item, the resampling unit and the seed are always among them."""
    published_files: ClassVar[tuple[str, ...]] = ()
    """Files in the folder of a cross-validation that ship beside the weights too, where they are there: results of
    further studies of the same recipe."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.prepared = PreparedSet(config.data)

    def rows(self, role: str) -> npt.NDArray[np.integer[Any]]:
        """Row numbers of a role, where the split deals the items of the index; "all" needs no split."""
        return np.arange(len(self.prepared)) if role == "all" else self._rows[role]

    @cached_property
    def _rows(self) -> Mapping[str, npt.NDArray[np.integer[Any]]]:
        return roles(self.prepared.split(self.config.split.name), self.prepared.index, self.config.split)

    def where(self, role: str) -> tuple[str, tuple[str, ...]] | None:
        """The rows of a role as `TableField.batches(where=...)` takes them, where the split deals a streamed table."""
        if role == "all":
            return None
        split = self.prepared.split(self.config.split.name)
        return split.column, role_values(split, self.config.split)[role]

    @abstractmethod
    def described(self) -> Mapping[str, Any]:
        """Fields of `Card` that the app knows before training: "network", "input", "output", "classes", "limits" ..."""

    def network(self) -> nn.Module:
        """A fresh network as configured; its start depends on torch's seed only."""
        return self._predictor_class.build(self.card())

    @property
    def _predictor_class(self) -> type[Predictor]:
        return load(self.app.predictor)

    @abstractmethod
    def task(self, network: nn.Module) -> Task:
        """The training rows as batches, the loss, the optimisers and the validation."""

    def predictor(self, network: nn.Module, calibration: Table | None) -> Predictor:
        """The trained network with preprocessing, calibration and thresholds, ready to save.

        An app that measures something on its rows for this (a calibration, what is familiar) overrides it.

        Args:
            network: the trained network.
            calibration: out-of-fold predictions of the same recipe to calibrate on, where they were given; otherwise
                the validation rows serve, and where there are none the output stays as it is and the card says so.
        """
        return self._predictor_class(self.card(), network)

    @abstractmethod
    def predictions(self, predictor: Predictor, role: str, outputs: Path) -> Table:
        """Score the rows of a role: one row per scored unit with truth, decision and groups.

        Args:
            predictor: of this app.
            role: "train", "validation", "test" or "all".
            outputs: folder for dense arrays that no table can hold.
        """

    def fit_baseline(self, name: str) -> Any:
        """Fit the classical model `name`, one of the app's `baselines`, on the training rows."""
        raise TypeError(f"{type(self).__name__} declares no classical model {name!r}.")

    def baseline_predictions(self, fitted: Any, role: str) -> Table:
        """Score the rows of a role with what `fit_baseline` returned; the columns are those of `predictions`."""
        raise TypeError(f"{type(self).__name__} declares no classical models.")

    @classmethod
    def primary_metric(cls) -> Metric:
        """The metric that the app ranks models by."""
        return next(metric for metric in cls.metrics if metric.name == cls.app.primary_metric)

    @staticmethod
    def scored(table: Table) -> Table:
        """The rows of a prediction table that the metrics count; the others are only reported."""
        return table

    def recipe(self) -> dict[str, Any]:
        """The settings as a model card keeps them: without what is true of one machine only."""
        places = ("data", "out", "calibration", "resume")
        return {key: value for key, value in as_plain(self.config).items() if key not in places}

    def data_entry(self) -> dict[str, Any]:
        """The prepared set as a model card names it: its items, or the rows of its tables where it has none."""
        manifest = self.prepared.manifest
        index = self.prepared.index
        tables = [self.prepared.table(spec.name) for spec in manifest.of_kind("table")]
        return {
            "name": manifest.name,
            "source": manifest.source,
            "licence": manifest.licence,
            "manifest_hash": self.prepared.manifest_hash,
            "synthetic": manifest.synthetic,
            "n_items": manifest.n_items or sum(table.count() for table in tables),
            "groups": {group: len(set(index[group].tolist())) for group in manifest.groups if group in index},
        }

    def card(self, **measured: Any) -> Card:
        """The card of a fresh training: what every run states, what the app describes, and what it has measured.

        Args:
            measured: fields of `Card` that only the trained network gives: "calibration", "threshold", "abstention" ...
        """
        split = self.config.split
        stated = {
            "app": self.app.package,
            "name": "run",
            "title": self.app.title,
            "created": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "recipe": self.recipe(),
            "data": (self.data_entry(),),
            "protocol": f"trained on split {split.name!r}, held out: {split.test}; not yet scored",
        }
        return Card(**{**stated, **self.described(), **measured})

    def details(self, table: Table) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Shares that the field asks for beside the metrics: title -> row -> column -> share, kept in metrics.json."""
        return {}

    def tables(self, table: Table) -> Sequence[ReportTable]:
        """What the field tabulates beside the metrics; `table` holds the models in column "model".

        They are kept under "tables" in metrics.json, from where a README takes them, and are shown in the report where
        `sections` puts them.
        """
        return ()

    def sections(self, table: Table, summary: Mapping[str, Any]) -> list[Section]:
        """What the field expects in the report beyond the common part.

        Args:
            table: predictions of all models, named in the column "model".
            summary: what metrics.json holds, the app's own "tables" among it (`shared.report.captioned`).
        """
        return []
