"""The classical models of a click, by name: fitted on a stream of training rows, kept in files without pickle.

They often tie with the network, and the report says so. All give the probability of a click at the click rate of the
training rows as these were sampled; a column of weights is not looked at. What has to be chosen (how many trees or
passes, how strong a penalty) is chosen on blocks of the training rows, never on random ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.ctr_prediction.classical.constant_rate import ConstantRate
from apps.ctr_prediction.classical.leaf_regression import LeafRegression
from apps.ctr_prediction.classical.logistic import LrFtrl, LrFtrlCrossed
from apps.ctr_prediction.classical.rate_trees import RateTrees
from apps.ctr_prediction.classical.stored import read_settings
from apps.ctr_prediction.classical.training_rows import Rows
from apps.ctr_prediction.features.feature_config import FeatureConfig
from shared.atomic import write_json
from shared.errors import CheckpointError, ConfigError, did_you_mean
from shared.prepared import Column

__all__ = ["BASELINES", "FittedBaseline", "fit_baseline"]

FILE = "baseline.json"


class ClickModel(Protocol):
    """What the classical models have in common."""

    @classmethod
    def fit(cls, schema: Sequence[Column], training: Rows, features: FeatureConfig, seed: int) -> Self:
        """Learn from training rows."""
        ...

    def probability(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """(n,) probability of a click of each row."""
        ...

    def save(self, folder: Path) -> None:
        """Write files into the folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        ...


_MODELS: dict[str, type[ClickModel]] = {
    "XGBoost on target rates": RateTrees,
    "GBDT + LR": LeafRegression,
    "LR-FTRL": LrFtrl,
    "LR-FTRL with crosses": LrFtrlCrossed,
    "constant rate by group": ConstantRate,
}

BASELINES = tuple(_MODELS)
"""Names that `fit_baseline` knows."""


@dataclass(frozen=True)
class FittedBaseline:
    """A classical model that has learnt."""

    name: str
    model: ClickModel

    def probability(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """(n,) probability of a click of each row, float64; values that were never seen and missing columns are fine.

        Raises:
            InputError: the table has none of the features.
        """
        return self.model.probability(table)

    def save(self, folder: Path) -> None:
        """Write the model into a folder of its own: JSON, parquet and, for trees, UBJSON."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save(folder)
        write_json(folder / FILE, {"name": self.name})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError where files are missing, damaged or of no known model."""
        name = read_settings(folder / FILE, "name")["name"]
        if name not in _MODELS:
            raise CheckpointError(f"{folder / FILE} names the model {name!r}.{did_you_mean(str(name), _MODELS)}")
        return cls(name, _MODELS[name].load(folder))


def fit_baseline(
    name: str, schema: Sequence[Column], training: Rows, seed: int, features: FeatureConfig | None = None
) -> FittedBaseline:
    """Fit one of the classical models.

    Args:
        name: one of `BASELINES`.
        schema: of the rows, with a label; blocks are in the column "block".
        training: gives the training rows anew, in the same order, at each call; it is called at most ten times. What
            is to be chosen is chosen on up to 500,000 rows, drawn uniformly and held in memory; trees grow on those.
        seed: of all that is drawn at random; the same seed gives the same model.
        features: which columns are learnt from, and how often a value must occur; None for the defaults.

    Raises:
        ConfigError: there is no model of that name, or the features cannot be had.
        InputError: a column is missing, or the rows hold no click, or nothing else.
    """
    if name not in _MODELS:
        raise ConfigError(f"There is no classical model {name!r}.{did_you_mean(name, _MODELS)}")
    return FittedBaseline(name, _MODELS[name].fit(schema, training, features or FeatureConfig(), seed))
