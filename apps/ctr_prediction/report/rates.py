"""Click rates before and after undoing the down-sampling of non-clicks, and the metrics that belong to them.

Logs are thinned by keeping every click and one non-click in r. Columns: `target` is 1 for a click; `probability` is at
the rate of the thinned log; `weight` is the inverse sampling rate of the row, 1 for clicks and r for non-clicks, so
that weighted sums are those of the whole log; `base_rate` is the share of clicks among the training rows, as thinned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.metrics import Metric, Weights
from shared.metrics.binary import log_loss
from shared.metrics.weighted import ratio
from shared.table import Table, require

__all__ = [
    "NORMALISED_ENTROPY",
    "PREDICTED_TO_OBSERVED",
    "as_constant",
    "inverse_sampling_rate",
    "normalised_entropy",
    "predicted_to_observed",
    "sampled_predicted_to_observed",
    "true_log_loss",
    "undo_sampling",
]

FloatArray = npt.NDArray[np.float64]


def undo_sampling(probability: npt.ArrayLike, rate: float) -> FloatArray:
    """Click probability in the whole log, q = p / (p + (1 - p) r) (He et al., ADKDD 2014, where r is 1 / w).

    Args:
        probability: (n,) p, in the thinned log.
        rate: r, non-clicks of the whole log for each one kept; 1 where nothing was thinned. NaN gives NaN.

    Raises:
        InputError: the rate is not a positive number.
    """
    if rate <= 0 or np.isinf(rate):
        raise InputError(f"An inverse sampling rate is a positive number such as 112.238, found {rate}.")
    p = np.asarray(probability, dtype=np.float64)
    return p / (p + (1 - p) * rate)


def inverse_sampling_rate(table: Table) -> float:
    """R of a table: the mean weight of its non-clicks over that of its clicks; NaN without either.

    Where the rows of a log were thinned unequally this is one rate for all, and single probabilities are off by it.
    """
    require(table, "weight", "target")
    weight, click = table["weight"].astype(np.float64), table["target"] == 1
    return ratio((weight @ ~click) * click.sum(), (weight @ click) * (~click).sum())


def as_constant(table: Table) -> Table:
    """The table as a model answers that knows nothing but the training rate."""
    require(table, "base_rate")
    return {**table, "probability": table["base_rate"]}


def normalised_entropy(table: Table, weights: Weights) -> float:
    """Log loss over that of the constant training rate (He et al., ADKDD 2014): 1 says nothing, 0 everything."""
    return ratio(log_loss(table, weights), log_loss(as_constant(table), weights))


def true_log_loss(table: Table, weights: Weights, rate: float) -> float:
    """Log loss in nats per impression of the whole log, which papers on unthinned logs print."""
    return log_loss(*_undone(table, weights, rate))


def sampled_predicted_to_observed(table: Table, weights: Weights) -> float:
    """Clicks predicted over clicks observed in the thinned log. NaN without clicks."""
    require(table, "target", "probability")
    return ratio(weights @ table["probability"].astype(np.float64), weights @ (table["target"] == 1))


def predicted_to_observed(table: Table, weights: Weights, rate: float | None = None) -> float:
    """Clicks predicted over clicks observed in the whole log: the sampling is undone. NaN without clicks.

    Args:
        table: columns target, probability and weight.
        weights: how often each row counts, beside its inverse sampling rate.
        rate: r of the log that the table is a part of; by default that of `inverse_sampling_rate`.
    """
    known = inverse_sampling_rate(table) if rate is None else rate
    return sampled_predicted_to_observed(*_undone(table, weights, known))


def _undone(table: Table, weights: Weights, rate: float) -> tuple[Table, Weights]:
    """The rows as they stand for the whole log."""
    require(table, "weight", "probability")
    probability = undo_sampling(table["probability"], rate)
    return {**table, "probability": probability}, weights * table["weight"].astype(np.float64)


NORMALISED_ENTROPY = Metric(
    "normalised entropy",
    normalised_entropy,
    higher_is_better=False,
    description="Log loss over that of the constant training rate.",
)
PREDICTED_TO_OBSERVED = Metric(
    "predicted / observed clicks",
    predicted_to_observed,
    description="Clicks predicted over clicks observed after undoing the sampling; 1 is right, more is too many.",
)
