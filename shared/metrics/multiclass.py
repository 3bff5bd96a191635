"""Metrics of one class out of several.

Columns: `target` is the class number from 0; `p_0`, `p_1`, ... are the probabilities of the classes; `decision` is the
class that was answered, or -1 where the answer was withheld. The deciding metrics leave withheld rows out
(`shared.metrics.binary.withheld_rate` counts them).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.metrics import Metric, Weights
from shared.metrics.weighted import equal_mass_bins, ratio
from shared.table import Table, n_rows, require

__all__ = [
    "ACCURACY",
    "ECE",
    "LOG_LOSS",
    "MACRO_F1",
    "MACRO_RECALL",
    "accuracy",
    "confusion_matrix",
    "decide",
    "ece",
    "log_loss",
    "macro_f1",
    "macro_recall",
    "probabilities",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def probabilities(table: Table) -> FloatArray:
    """The columns p_0, p_1, ... as one (n, C) array."""
    require(table, "p_0", "p_1")
    names = itertools.takewhile(table.__contains__, (f"p_{number}" for number in itertools.count()))
    return np.stack([np.asarray(table[name], dtype=np.float64) for name in names], axis=1)


def decide(table: Table) -> dict[str, npt.NDArray[np.generic]]:
    """The table with a column `decision`: the most probable class, the first of equals."""
    return {**table, "decision": probabilities(table).argmax(axis=1)}


def _targets(table: Table) -> IntArray:
    require(table, "target")
    target = np.asarray(table["target"]).astype(np.int64)
    if target.min(initial=0) < 0:
        raise InputError(f"A class number starts at 0, found {target.min()}. Keep the scored rows only, then measure.")
    return target


def _require_below(n_classes: int, *numbers: IntArray) -> None:
    highest = max(column.max(initial=0) for column in numbers)
    if highest >= n_classes:
        raise InputError(
            f"The table holds class {highest}, but with {n_classes} classes the highest is {n_classes - 1}."
        )


def confusion_matrix(table: Table, weights: Weights | None = None, *, n_classes: int | None = None) -> FloatArray:
    """Weight of each (true class, answered class).

    Args:
        table: with `target` and `decision`; withheld rows are left out.
        weights: how often each row counts; once by default.
        n_classes: number of classes C; by default the highest number seen, plus one.

    Returns:
        (C, C): rows are the truth, columns the answer.

    Raises:
        InputError: a class number is negative or not below `n_classes`.
    """
    require(table, "decision")
    target, decision = _targets(table), np.asarray(table["decision"]).astype(np.int64)
    weights = np.ones(n_rows(table)) if weights is None else weights
    size = 1 + max(target.max(initial=0), decision.max(initial=0)) if n_classes is None else n_classes
    _require_below(size, target, decision)
    answered = decision >= 0
    cells = np.bincount((target * size + decision)[answered], weights[answered], minlength=size * size)
    return cells.reshape(size, size).astype(np.float64)


def accuracy(table: Table, weights: Weights) -> float:
    """Share of the answers that were right. NaN without answers."""
    counts = confusion_matrix(table, weights)
    return ratio(np.trace(counts), counts.sum())


def macro_recall(table: Table, weights: Weights) -> float:
    """Mean of the recalls of the classes that occur (unweighted average recall, UAR). NaN without rows."""
    counts = confusion_matrix(table, weights)
    truth = counts.sum(axis=1)
    occurs = truth > 0
    return ratio((np.diag(counts)[occurs] / truth[occurs]).sum(), occurs.sum())


def macro_f1(table: Table, weights: Weights) -> float:
    """Mean F1 of the classes that occur as truth or as answer. NaN without rows."""
    counts = confusion_matrix(table, weights)
    mentions = counts.sum(axis=0) + counts.sum(axis=1)
    occurs = mentions > 0
    return ratio((2 * np.diag(counts)[occurs] / mentions[occurs]).sum(), occurs.sum())


def log_loss(table: Table, weights: Weights) -> float:
    """Mean negative log likelihood in nats; a probability of exactly 0 counts as 2e-16. NaN for NaN probabilities."""
    matrix, target = probabilities(table), _targets(table)
    _require_below(matrix.shape[1], target)
    of_truth = np.take_along_axis(matrix, target[:, None], axis=1)[:, 0]
    return ratio(-(weights @ np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1.0))), weights.sum())


def ece(table: Table, weights: Weights, n_bins: int = 15) -> float:
    """Expected calibration error of the most probable class, over bins of equal mass. NaN for NaN probabilities."""
    matrix = probabilities(table)
    if weights.sum() <= 0 or np.isnan(matrix).any():
        return float("nan")
    right = (matrix.argmax(axis=1) == _targets(table)).astype(np.float64)
    return equal_mass_bins(matrix.max(axis=1), right, weights, n_bins).error


ACCURACY = Metric("accuracy", accuracy, percent=True, description="Share of the answers that were right.")
MACRO_RECALL = Metric(
    "UAR", macro_recall, percent=True, description="Unweighted average recall: mean of the classes' recalls."
)
MACRO_F1 = Metric("macro F1", macro_f1, percent=True, description="Mean of the classes' F1.")
LOG_LOSS = Metric("log loss", log_loss, higher_is_better=False, description="Mean negative log likelihood in nats.")
ECE = Metric(
    "calibration error",
    ece,
    higher_is_better=False,
    description="Mean gap between confidence and accuracy of the most probable class over 15 bins of equal mass.",
)
