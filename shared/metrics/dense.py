"""Metrics of dense answers (masks) from additive counts.

Columns `tp`, `fp`, `fn` count the cells of one item (a volume, an image, a region of it) that were marked rightly,
marked wrongly, and missed. Where a table holds several regions or thresholds, keep the rows of one, then measure.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.metrics import Metric, Weights
from shared.metrics.weighted import ratio
from shared.table import Table, require

__all__ = ["DICE", "MEAN_DICE", "PRECISION", "RECALL", "dice", "mean_dice", "precision", "recall"]

FloatArray = npt.NDArray[np.float64]


def _counts(table: Table) -> tuple[FloatArray, FloatArray, FloatArray]:
    require(table, "tp", "fp", "fn")
    tp, fp, fn = (np.asarray(table[name], dtype=np.float64) for name in ("tp", "fp", "fn"))
    return tp, fp, fn


def dice(table: Table, weights: Weights) -> float:
    """2 tp / (2 tp + fp + fn) of all items' cells together, so large items count more. NaN where nothing is marked."""
    tp, fp, fn = (float(weights @ count) for count in _counts(table))
    return ratio(2 * tp, 2 * tp + fp + fn)


def mean_dice(table: Table, weights: Weights) -> float:
    """The items' own Dice, averaged; items where neither truth nor answer marks a cell are left out."""
    tp, fp, fn = _counts(table)
    size = 2 * tp + fp + fn
    marked = size > 0
    return ratio(weights[marked] @ (2 * tp[marked] / size[marked]), weights[marked].sum())


def precision(table: Table, weights: Weights) -> float:
    """Share of the marked cells, of all items together, that are right. NaN where none is marked."""
    tp, fp, _ = (float(weights @ count) for count in _counts(table))
    return ratio(tp, tp + fp)


def recall(table: Table, weights: Weights) -> float:
    """Share of the true cells, of all items together, that were marked. NaN where there is none."""
    tp, _, fn = (float(weights @ count) for count in _counts(table))
    return ratio(tp, tp + fn)


DICE = Metric("Dice", dice, description="Overlap of marked and true cells, all items together.")
MEAN_DICE = Metric("mean Dice", mean_dice, description="Overlap of marked and true cells, averaged over the items.")
PRECISION = Metric("precision", precision, percent=True, description="Share of the marked cells that are right.")
RECALL = Metric("recall", recall, percent=True, description="Share of the true cells that were marked.")
