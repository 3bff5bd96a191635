"""Boosted trees on a table of numbers; how many is chosen on rows that were left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from shared.atomic import atomic_path
from shared.errors import CheckpointError

__all__ = [
    "NODES",
    "Inputs",
    "Matrix",
    "choose_rounds",
    "fit_trees",
    "leaves",
    "load_trees",
    "probability",
    "save_trees",
]

DEPTH = 6
NODES = 2 ** (DEPTH + 1)
"""Nodes of a tree are numbered below it."""

SETTINGS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "eta": 0.05,
    "max_depth": DEPTH,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "nthread": 1,
}
MOST_ROUNDS, PATIENCE = 1000, 50
RATES = (1e-6, 1 - 1e-6)
"""Click rates that trees can start from."""

FloatArray = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]
Inputs = tuple[Matrix, FloatArray]
"""A table (n, F) of finite numbers, and the clicks (n,), 0 or 1."""


def fit_trees(inputs: Inputs, rounds: int, seed: int) -> xgb.Booster:
    """Grow one tree a round.

    Args:
        inputs: to learn from.
        rounds: number of trees.
        seed: of the rows and columns that each tree is shown.
    """
    growing = _Growing(inputs, seed)
    for _ in range(rounds):
        growing.grow()
    return growing.trees


def choose_rounds(folds: Iterable[tuple[Inputs, Inputs]], seed: int) -> int:
    """The number of trees with the lowest log loss on the rows left out, all folds taken together.

    The models of the folds grow side by side, one tree a round, until 50 rounds brought no progress.

    Args:
        folds: of each the inputs to learn from and those left out; at least one fold. Of each only its binned form is
            kept, a byte a number.
        seed: of the rows and columns that each tree is shown.
    """
    models = [_Growing(learnt, seed, left_out) for learnt, left_out in folds]
    losses: list[float] = []
    while len(losses) < MOST_ROUNDS and len(losses) <= _best(losses) + PATIENCE:
        losses.append(sum(model.grow() for model in models))
    return _best(losses)


def _best(losses: Sequence[float]) -> int:
    """The round, from 1, with the lowest loss; 0 before the first."""
    return int(np.argmin(losses)) + 1 if losses else 0


class _Growing:
    """Trees that grow on one table and are watched on another."""

    def __init__(self, learnt: Inputs, seed: int, left_out: Inputs | None = None) -> None:
        self._data = xgb.QuantileDMatrix(_lowered(learnt[0]), learnt[1], nthread=1)
        self._left_out = left_out and (xgb.QuantileDMatrix(left_out[0], ref=self._data, nthread=1), left_out[1])
        cache = [self._data, self._left_out[0]] if self._left_out else [self._data]
        self.trees = xgb.Booster(
            {**SETTINGS, "base_score": float(np.clip(learnt[1].mean(), *RATES)), "seed": seed}, cache=cache
        )

    def grow(self) -> float:
        """One more tree; the log loss then, summed over the rows left out (0 without any)."""
        self.trees.update(self._data, self.trees.num_boosted_rounds())
        if self._left_out is None:
            return 0.0
        data, clicks = self._left_out
        score = self.trees.predict(data, output_margin=True).astype(np.float64)
        return float(np.sum(np.logaddexp(0.0, score) - clicks * score))


def _lowered(table: Matrix) -> Matrix:
    """Every value at the middle between itself and the next lower one of its column.

    XGBoost cuts a histogram at a value it has seen, so that a new value just below it goes the other way. The rate of a
    campaign is such a value: one for each fold left out, a slightly different one later. Learnt from middles, trees cut
    halfway between two values, as exact ones do.
    """
    lowered = np.empty_like(table)
    for column in range(table.shape[1]):
        values, place = np.unique(table[:, column], return_inverse=True)
        lowered[:, column] = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])[place]
    return lowered


def probability(trees: xgb.Booster, table: Matrix) -> FloatArray:
    """(n,) probability of a click for a table (n, F)."""
    return np.asarray(trees.inplace_predict(table), dtype=np.float64)


def leaves(trees: xgb.Booster, table: Matrix) -> npt.NDArray[np.int64]:
    """(n, trees) the node, below `NODES`, that each row of a table (n, F) ends in."""
    node = trees.predict(xgb.DMatrix(table, nthread=1), pred_leaf=True)
    return np.asarray(node, dtype=np.int64).reshape(len(table), trees.num_boosted_rounds())


def save_trees(trees: xgb.Booster, path: Path) -> None:
    """Write the trees to a ".ubj" file (UBJSON), atomically."""
    with atomic_path(path) as temporary:
        trees.save_model(temporary)


def load_trees(path: Path) -> xgb.Booster:
    """Read what `save_trees` wrote. Raises CheckpointError where the file is missing, damaged or something else."""
    trees = xgb.Booster({"nthread": 1})
    try:
        trees.load_model(path)
    except (xgb.core.XGBoostError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is missing, damaged, or holds no trees: {str(error).splitlines()[0]}") from error
    return trees
