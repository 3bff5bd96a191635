"""GBDT + LR (He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from apps.ctr_prediction.classical.boosting import NODES, leaves
from apps.ctr_prediction.classical.rate_trees import RateTrees
from apps.ctr_prediction.classical.stored import read_columns, write_columns
from apps.ctr_prediction.classical.training_rows import BlockFolds, Rows, clicks_of, label_of, sample
from apps.ctr_prediction.features.feature_config import FeatureConfig
from shared.prepared import Column

__all__ = ["LeafRegression"]

FloatArray = npt.NDArray[np.float64]

MOST_ROWS = 100_000
FILE = "leaf_weights.parquet"
WEIGHTS = pa.schema([("weight", pa.float64())])
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)
STRENGTH_UNCHOSEN = 0.01


class LeafRegression:
    """Logistic regression on the leaves that a row falls into, one in each tree.

    The trees and the regression learn from different blocks: the leaves of rows that grew them promise more than they
    keep. A regression that is not held back (C 1) is far worse than the trees alone, so C is chosen on blocks left out.

    Args:
        trees: fitted.
        weights: of every leaf of every tree, and last the bias.
    """

    def __init__(self, trees: RateTrees, weights: FloatArray) -> None:
        self.trees, self.weights = trees, weights

    @classmethod
    def fit(cls, schema: Sequence[Column], training: Rows, features: FeatureConfig, seed: int) -> Self:
        """Trees on every other block, the regression on at most 100,000 rows of the rest.

        Where all rows are of one block, both learn from all of them.

        Args:
            schema: of the rows.
            training: the rows.
            features: as of `RateTrees`.
            seed: of the trees and the draw of rows.
        """
        label = label_of(schema)
        first, second = next(BlockFolds.of(training, label, 2).parts(training), (training, training))
        trees = RateTrees.fit(schema, first, features, seed)
        shown = sample(second, MOST_ROWS, seed)
        folds = BlockFolds.of(shown, label)
        table = _LeafTable.of(trees, shown, label, folds)
        return cls(trees, table.regression(table.best_strength(folds.n_folds)))

    def probability(self, table: pa.Table) -> FloatArray:
        """(n,) probability of a click, at the click rate of the training rows."""
        return np.asarray(expit(_one_hot(self.trees, table) @ self.weights[:-1] + self.weights[-1]))

    def save(self, folder: Path) -> None:
        """Write the files of the trees, and leaf_weights.parquet, into the folder."""
        write_columns(folder / FILE, pa.table([self.weights], schema=WEIGHTS))
        self.trees.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError where it is missing or damaged."""
        return cls(RateTrees.load(folder), read_columns(folder / FILE, WEIGHTS)["weight"].to_numpy())


@dataclass(frozen=True)
class _LeafTable:
    """What the regression learns from."""

    leaf: sparse.csr_array
    clicks: FloatArray
    fold: npt.NDArray[np.int64]

    @classmethod
    def of(cls, trees: RateTrees, rows: Rows, label: str, folds: BlockFolds) -> Self:
        parts = [(_one_hot(trees, table), clicks_of(table, label), folds.fold(table)) for table in rows()]
        leaf, clicks, fold = zip(*parts, strict=True)
        return cls(sparse.csr_array(sparse.vstack(leaf)), np.concatenate(clicks), np.concatenate(fold))

    def best_strength(self, n_folds: int) -> float:
        """C of the lowest log loss on blocks left out; where there is one block, the one that serves most logs."""
        if not n_folds:
            return STRENGTH_UNCHOSEN
        losses = [sum(self._loss(strength, fold) for fold in range(n_folds)) for strength in STRENGTHS]
        return STRENGTHS[int(np.argmin(losses))]

    def _loss(self, strength: float, fold: int) -> float:
        """Log loss, summed over the rows of the fold, of the regression on the other rows."""
        held = self.fold == fold
        learnt = _LeafTable(self.leaf[~held], self.clicks[~held], self.fold[~held])
        weights = learnt.regression(strength)
        logit = self.leaf[held] @ weights[:-1] + weights[-1]
        return float(np.sum(np.logaddexp(0.0, logit) - self.clicks[held] * logit))

    def regression(self, strength: float) -> FloatArray:
        """Weights and bias; only a bias where all rows are clicks, or none is."""
        rate = self.clicks.mean()
        if rate in (0.0, 1.0):
            return np.append(np.zeros(self.leaf.shape[1]), 10.0 if rate else -10.0)
        model = LogisticRegression(C=strength, solver="newton-cg").fit(self.leaf, self.clicks)
        return np.append(model.coef_[0], model.intercept_)


def _one_hot(trees: RateTrees, table: pa.Table) -> sparse.csr_array:
    """(n, trees * nodes) 1 at the leaf of each tree."""
    node = leaves(trees.trees, trees.inputs.table(table))
    rows, n_trees = node.shape
    place = node + NODES * np.arange(n_trees)
    ends = np.arange(0, rows * n_trees + 1, n_trees)
    return sparse.csr_array((np.ones(rows * n_trees), place.ravel(), ends), shape=(rows, NODES * n_trees))
