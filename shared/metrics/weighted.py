"""Weighted counting that several metrics share. Rows with equal scores are never told apart by their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import numpy.typing as npt

__all__ = ["Bins", "RankedCounts", "equal_mass_bins", "ranked_counts", "ratio", "share"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def ratio(numerator: SupportsFloat, denominator: SupportsFloat) -> float:
    """The quotient, NaN where the denominator is 0."""
    below = float(denominator)
    return float(numerator) / below if below > 0 else float("nan")


def share(hits: BoolArray, among: BoolArray, weights: FloatArray) -> float:
    """The weight of the rows of `among` that are `hits` too, as a share of the weight of `among`."""
    return ratio(weights @ (hits & among), weights @ among)


@dataclass(frozen=True)
class RankedCounts:
    """What lies at or above each distinct score, from the highest score down; ties are one step."""

    scores: FloatArray
    """(k,) distinct scores, descending."""
    positives: FloatArray
    """(k,) weight of the positives at or above each score."""
    negatives: FloatArray
    """(k,) weight of the negatives at or above each score."""

    @property
    def precision(self) -> FloatArray:
        """(k,) share of the positives at or above each score; 0 where nothing has weight yet."""
        drawn = self.positives + self.negatives
        return np.divide(self.positives, drawn, out=np.zeros_like(drawn), where=drawn > 0)


def ranked_counts(scores: FloatArray, positive: BoolArray, weights: FloatArray) -> RankedCounts:
    """Cumulative weights along the ranking: one sort, then everything is a sum (ROC, precision-recall, AP).

    Args:
        scores: (n,) any numbers that grow with the probability of being positive; no NaN.
        positive: (n,) what each row truly is.
        weights: (n,) how often each row counts.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    ranked = scores[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    weight = weights[order]
    hits = np.cumsum(weight * positive[order])[last_of_tie]
    misses = np.cumsum(weight * ~positive[order])[last_of_tie]
    return RankedCounts(ranked[last_of_tie], hits, misses)


@dataclass(frozen=True)
class Bins:
    """Groups of rows with similar predictions, about equally heavy; empty ones are left out."""

    mass: FloatArray
    """(k,) weight in each bin."""
    predicted: FloatArray
    """(k,) weighted mean prediction."""
    observed: FloatArray
    """(k,) weighted mean outcome."""

    @property
    def error(self) -> float:
        """Mean absolute difference of prediction and outcome over the bins; NaN without any."""
        return ratio(self.mass @ np.abs(self.predicted - self.observed), self.mass.sum())


def equal_mass_bins(predictions: FloatArray, outcomes: FloatArray, weights: FloatArray, n_bins: int) -> Bins:
    """Cut the ranking of predictions into bins of equal weight.

    Equal predictions stay together (in the bin of their middle), so the bins do not depend on the order of the rows,
    and a weight of 2 is the same as the row twice.

    Args:
        predictions: (n,) numbers without NaN.
        outcomes: (n,) what happened, 0 or 1 or a share.
        weights: (n,) how often each row counts.
        n_bins: number of bins aimed at; fewer where predictions repeat.
    """
    order = np.argsort(predictions, kind="stable")
    ranked, weight = predictions[order], weights[order]
    tie = np.cumsum(np.append(False, ranked[1:] != ranked[:-1])[: len(ranked)])
    tie_mass = np.bincount(tie, weight)
    middle = np.cumsum(tie_mass) - tie_mass / 2
    place = np.minimum(middle * n_bins / max(weight.sum(), np.finfo(float).tiny), n_bins - 1).astype(np.int64)[tie]
    mass: FloatArray = np.bincount(place, weight, minlength=n_bins).astype(np.float64)
    filled = mass > 0
    predicted = np.bincount(place, weight * ranked, minlength=n_bins)[filled] / mass[filled]
    observed = np.bincount(place, weight * outcomes[order], minlength=n_bins)[filled] / mass[filled]
    return Bins(mass[filled], predicted, observed)
