"""XGBoost on target rates: the strongest classical model of click logs, and the one to beat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xgboost as xgb

from apps.ctr_prediction.classical.boosting import (
    Inputs,
    choose_rounds,
    fit_trees,
    load_trees,
    probability,
    save_trees,
)
from apps.ctr_prediction.classical.training_rows import BlockFolds, Rows, sample
from apps.ctr_prediction.classical.tree_inputs import TreeInputs
from apps.ctr_prediction.features.feature_config import FeatureConfig
from shared.prepared import Column

__all__ = ["RateTrees"]

FILE = "trees.ubj"
MOST_ROWS = 500_000
ROUNDS_UNCHOSEN = 100


class RateTrees:
    """Trees on out-of-fold click rates (features/target_rates.py), counts, numbers and frequent tags.

    The rates are counted over all training rows, in a stream. The trees grow on at most 500,000 rows, drawn uniformly,
    which are held in memory as float32.

    Args:
        inputs: what the trees see of a row.
        trees: grown on it.
    """

    def __init__(self, inputs: TreeInputs, trees: xgb.Booster) -> None:
        self.inputs, self.trees = inputs, trees

    @classmethod
    def fit(cls, schema: Sequence[Column], training: Rows, features: FeatureConfig, seed: int) -> Self:
        """Choose the number of trees on blocks left out, the rates counted anew without them; then fit on all rows.

        Where all rows are of one block there is nothing to choose on, and 100 trees are grown.

        Args:
            schema: of the rows.
            training: the rows.
            features: which columns; rates and an exact vocabulary are taken whatever it says.
            seed: of the rows and columns that each tree is shown.
        """
        inputs = TreeInputs.fit(schema, training, features)
        shown = sample(training, MOST_ROWS, seed)
        folds = BlockFolds.of(shown, inputs.label)
        rounds = ROUNDS_UNCHOSEN
        if folds.n_folds:
            rounds = choose_rounds((_apart(schema, features, *parts) for parts in folds.parts(shown)), seed)
        return cls(inputs, fit_trees(inputs.inputs(shown, learnt=True), rounds, seed))

    def probability(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """(n,) probability of a click, at the click rate of the training rows."""
        return probability(self.trees, self.inputs.table(table))

    def save(self, folder: Path) -> None:
        """Write trees.ubj and the encoder's files into the folder."""
        save_trees(self.trees, folder / FILE)
        self.inputs.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError where it is missing or damaged."""
        return cls(TreeInputs.load(folder), load_trees(folder / FILE))


def _apart(schema: Sequence[Column], features: FeatureConfig, learnt: Rows, left_out: Rows) -> tuple[Inputs, Inputs]:
    """Both parts as trees see them, when only the first is known."""
    inputs = TreeInputs.fit(schema, learnt, features)
    return inputs.inputs(learnt, learnt=True), inputs.inputs(left_out, learnt=False)
