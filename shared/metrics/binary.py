"""Metrics of yes-or-no answers.

Columns: `target` is 0 or 1; `probability` is the probability of 1, or for the ranking metrics any score that grows with
it; `decision` is 1, 0, or -1 where the answer was withheld. The deciding metrics leave withheld rows out, and
`withheld_rate` says how many those were.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.metrics import Metric, Weights
from shared.metrics.weighted import RankedCounts, equal_mass_bins, ranked_counts, ratio, share
from shared.table import Table, require

__all__ = [
    "ACCURACY",
    "AUC",
    "AVERAGE_PRECISION",
    "BALANCED_ACCURACY",
    "BRIER",
    "ECE",
    "LOG_LOSS",
    "POSITIVE_RATE",
    "SENSITIVITY",
    "SPECIFICITY",
    "WITHHELD_RATE",
    "accuracy",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "decide",
    "ece",
    "log_loss",
    "positive_rate",
    "sensitivity",
    "sensitivity_at_specificity",
    "specificity",
    "withheld_rate",
]

FloatArray = npt.NDArray[np.float64]


def decide(table: Table, threshold: float) -> dict[str, npt.NDArray[np.generic]]:
    """The table with a column `decision`: 1 where the probability reaches the threshold, else 0."""
    require(table, "probability")
    reached: npt.NDArray[np.bool_] = np.greater_equal(table["probability"], threshold)
    return {**table, "decision": reached.astype(np.int8)}


def _truth(table: Table) -> npt.NDArray[np.bool_]:
    require(table, "target")
    target = table["target"]
    positive = target == 1
    if not np.all(positive | (target == 0)):
        other = sorted(set(np.unique(target).tolist()) - {0, 1})[:5]
        raise InputError(f"A binary target is 0 or 1, found {other} too. Keep the scored rows only, then measure.")
    return positive


def _probabilities(table: Table) -> FloatArray | None:
    """The probabilities, or None where the column holds anything else."""
    require(table, "probability")
    probability = np.asarray(table["probability"], dtype=np.float64)
    return probability if np.all((probability >= 0) & (probability <= 1)) else None


def sensitivity(table: Table, weights: Weights) -> float:
    """Share of the positives that were answered 1. NaN without positives."""
    require(table, "decision")
    decision = table["decision"]
    return share(decision == 1, _truth(table) & (decision != -1), weights)


def specificity(table: Table, weights: Weights) -> float:
    """Share of the negatives that were answered 0. NaN without negatives."""
    require(table, "decision")
    decision = table["decision"]
    return share(decision == 0, ~_truth(table) & (decision != -1), weights)


def balanced_accuracy(table: Table, weights: Weights) -> float:
    """Mean of sensitivity and specificity. NaN where one of them is."""
    return (sensitivity(table, weights) + specificity(table, weights)) / 2


def accuracy(table: Table, weights: Weights) -> float:
    """Share of the answers that were right. NaN without answers."""
    require(table, "decision")
    decision = table["decision"]
    return share(decision == _truth(table), decision != -1, weights)


def positive_rate(table: Table, weights: Weights) -> float:
    """Share of all rows, withheld ones included, that were answered 1; needs no target."""
    require(table, "decision")
    return ratio(weights @ (table["decision"] == 1), weights.sum())


def withheld_rate(table: Table, weights: Weights) -> float:
    """Share of all rows whose answer was withheld; needs no target."""
    require(table, "decision")
    return ratio(weights @ (table["decision"] == -1), weights.sum())


def _ranking(table: Table, weights: Weights) -> RankedCounts | None:
    """Cumulative counts, or None where there is no row or a score is NaN."""
    require(table, "probability")
    scores = np.asarray(table["probability"], dtype=np.float64)
    positive = _truth(table)
    return None if len(scores) == 0 or np.isnan(scores).any() else ranked_counts(scores, positive, weights)


def auc(table: Table, weights: Weights) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counting half.

    Exact, by the trapezoids of the weighted curve; O(n log n), and O(n) where the table is sorted by probability.
    NaN without positives or without negatives.
    """
    counts = _ranking(table, weights)
    if counts is None:
        return float("nan")
    before = np.append(0.0, counts.positives[:-1])
    steps = np.diff(counts.negatives, prepend=0.0)
    return ratio(steps @ (counts.positives + before) / 2, counts.positives[-1] * counts.negatives[-1])


def average_precision(table: Table, weights: Weights) -> float:
    """Precision averaged over the recall it is reached at, without interpolation. NaN without positives."""
    counts = _ranking(table, weights)
    if counts is None:
        return float("nan")
    return ratio(np.diff(counts.positives, prepend=0.0) @ counts.precision, counts.positives[-1])


def log_loss(table: Table, weights: Weights) -> float:
    """Mean negative log likelihood in nats; a probability of exactly 0 or 1 counts as 2e-16 from it.

    NaN where the column `probability` holds no probabilities (NaN, or outside 0 to 1).
    """
    probability = _probabilities(table)
    if probability is None:
        return float("nan")
    tiny = np.finfo(np.float64).eps
    of_truth = np.where(_truth(table), probability, 1 - probability)
    return ratio(-(weights @ np.log(np.clip(of_truth, tiny, 1 - tiny))), weights.sum())


def brier(table: Table, weights: Weights) -> float:
    """Mean squared difference between probability and target. NaN where `log_loss` is."""
    probability = _probabilities(table)
    if probability is None:
        return float("nan")
    return ratio(weights @ (probability - _truth(table)) ** 2, weights.sum())


def ece(table: Table, weights: Weights, n_bins: int = 15) -> float:
    """Expected calibration error: |mean probability - share of positives| over bins of equal mass.

    NaN where `log_loss` is. Sampling noise pushes it up: a perfect model has one above 0 that falls with more rows,
    and a resample's lies above the table's, so its interval leans upwards too.
    """
    probability = _probabilities(table)
    if probability is None or weights.sum() <= 0:
        return float("nan")
    return equal_mass_bins(probability, _truth(table).astype(np.float64), weights, n_bins).error


def sensitivity_at_specificity(level: float) -> Metric:
    """The highest sensitivity of any threshold whose specificity, on the same rows, is at least `level`.

    The threshold is read off the scored rows, so this describes the ranking; it is no operating point one could have
    chosen beforehand. NaN without positives or without negatives.
    """

    def best(table: Table, weights: Weights) -> float:
        counts = _ranking(table, weights)
        if counts is None or counts.negatives[-1] <= 0:
            return float("nan")
        rounding = 1e-12
        allowed = counts.negatives <= (1 - level + rounding) * counts.negatives[-1]
        return ratio(np.max(counts.positives, where=allowed, initial=0.0), counts.positives[-1])

    return Metric(
        f"sensitivity at specificity {100 * level:g} %",
        best,
        percent=True,
        description=f"Highest sensitivity of any threshold with specificity {100 * level:g} % or more on these rows.",
        sort_by="probability",
    )


SENSITIVITY = Metric(
    "sensitivity",
    sensitivity,
    percent=True,
    description="Share of the positives that were answered so.",
    where=("target", 1),
)
SPECIFICITY = Metric(
    "specificity",
    specificity,
    percent=True,
    description="Share of the negatives that were answered so.",
    where=("target", 0),
)
BALANCED_ACCURACY = Metric(
    "balanced accuracy", balanced_accuracy, percent=True, description="Mean of sensitivity and specificity."
)
ACCURACY = Metric("accuracy", accuracy, percent=True, description="Share of the answers that were right.")
POSITIVE_RATE = Metric(
    "positive rate",
    positive_rate,
    higher_is_better=False,
    percent=True,
    description="Share of all rows that were answered positive, whatever they are.",
)
WITHHELD_RATE = Metric(
    "withheld rate",
    withheld_rate,
    higher_is_better=False,
    percent=True,
    description="Share of all rows whose answer was withheld.",
)
AUC = Metric("AUC", auc, description="How often a positive scores above a negative.", sort_by="probability")
AVERAGE_PRECISION = Metric(
    "average precision",
    average_precision,
    description="Precision averaged over recall; depends on how common the positives are.",
    sort_by="probability",
)
LOG_LOSS = Metric("log loss", log_loss, higher_is_better=False, description="Mean negative log likelihood in nats.")
BRIER = Metric(
    "Brier score", brier, higher_is_better=False, description="Mean squared difference of probability and truth."
)
ECE = Metric(
    "calibration error",
    ece,
    higher_is_better=False,
    description="Mean gap between probability and observed share over 15 bins of equal mass.",
    sort_by="probability",
)
