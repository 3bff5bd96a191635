"""One training set-up of an app: everything that the shared verbs must know and the app alone can say.

`train`, `evaluate` and `crossval` (`shared.verbs`, `shared.crossval`) are written once against this class. An app's
subclass opens its data, builds its network and its task, finishes a predictor, and scores rows into a prediction table;
it never writes a loop, a run folder, a bootstrap or a page.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from shared.contract import App
from shared.fit import Task
from shared.metrics import Metric
from shared.predictor import Predictor
from shared.prepared import PreparedSet
from shared.report import Section
from shared.table import Table
from shared.verb_config import BaseTrainConfig

__all__ = ["Experiment"]

Config = TypeVar("Config", bound=BaseTrainConfig)


class Experiment(ABC, Generic[Config]):
    """Base of every app's experiment.

    Roles are "train", "validation" and "test", as the configured split says; "all" means the whole set, whatever the
    split. What a role selects (rows of an index, a filter on a stream) only the subclass knows.
    """

    app: ClassVar[App]
    config_class: ClassVar[type]
    metrics: ClassVar[Sequence[Metric]]
    item_columns: ClassVar[tuple[str, ...]] = ("item",)
    """Columns that name a scored row, by which two models' rows are paired."""
    published_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of the out-of-fold predictions that may be shipped with a model; the metrics need no others."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.prepared = PreparedSet(config.data)

    @abstractmethod
    def network(self) -> nn.Module:
        """A fresh network as configured; its start depends on torch's seed only."""

    @abstractmethod
    def task(self, network: nn.Module) -> Task:
        """The training rows as batches, the loss, the optimisers and the validation."""

    @abstractmethod
    def predictor(self, network: nn.Module, calibration: Table | None) -> Predictor:
        """The trained network with preprocessing, calibration and thresholds, ready to save.

        Args:
            network: the trained network.
            calibration: out-of-fold predictions of the same recipe to calibrate on, where they were given; otherwise
                the validation rows serve, and where there are none the output stays as it is and the card says so.
        """

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

    @staticmethod
    def scored(table: Table) -> Table:
        """The rows of a prediction table that the metrics count; the others are only reported."""
        return table

    def data_entry(self) -> dict[str, Any]:
        """The prepared set as a model card names it, with the number of groups the split knows."""
        manifest = self.prepared.manifest
        index = self.prepared.index
        return {
            "name": manifest.name,
            "source": manifest.source,
            "licence": manifest.licence,
            "manifest_hash": self.prepared.manifest_hash,
            "synthetic": manifest.synthetic,
            "n_items": manifest.n_items,
            "groups": {group: len(set(index[group].tolist())) for group in manifest.groups if group in index},
        }

    def sections(self, table: Table, summary: Mapping[str, Any]) -> list[Section]:
        """What the field expects in the report beyond the common part; `table` holds the models in column "model"."""
        return []

    def with_config(self, **changes: Any) -> Experiment[Config]:
        """The same experiment with other settings."""
        return type(self)(dataclasses.replace(self.config, **changes))
