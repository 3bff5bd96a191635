"""Click rates of values as numbers, for training rows taken from other blocks than the row's own.

A rate that a row's own click went into gives the click away: networks and trees learn it and fail on new rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from apps.ctr_prediction.features.columns import Texts
from apps.ctr_prediction.features.hashing import stable_hash

__all__ = ["fold_of_unit", "rate_inputs"]

IntArray = npt.NDArray[np.int64]

FOLD_SEED = 1_000
"""Apart from the seeds that hash values to rows."""


def fold_of_unit(units: Sequence[Texts], folds: int) -> IntArray:
    """(rows,) the fold of each row's unit, 0 to folds - 1: a hash of its names, so that it needs no table."""
    hashes = [stable_hash(unit.values, FOLD_SEED + place)[unit.codes] for place, unit in enumerate(units)]
    return (np.bitwise_xor.reduce(hashes) % np.uint64(folds)).astype(np.int64)


def rate_inputs(
    count: IntArray, clicks: IntArray, fold_rows: IntArray, fold_clicks: IntArray, smoothing: float
) -> npt.NDArray[np.float32]:
    """Rate and count of each slot, without each fold in turn and over all folds.

    With n rows and s clicks of a value outside the fold and p the click rate of all rows outside the fold, the rate is
    (s + smoothing * p) / (n + smoothing) and comes as logit(rate) - logit(p): 0 for a value of which nothing is known.
    The count comes as log1p(n N / M) / log1p(N), from 0 to 1, with M of the N rows outside the fold, so that a value
    has the same count in training as later, when no fold is left out.

    Args:
        count: (slots, folds) rows with the value.
        clicks: (slots, folds) clicks among them.
        fold_rows: (folds,) all rows.
        fold_clicks: (folds,) all clicks.
        smoothing: rows at the mean rate added to those of the value.

    Returns:
        (folds + 1, slots, 2): for each fold left out, then for none, the rate and the count.
    """
    n, s = _without_each(count), _without_each(clicks)
    outside, clicked = _without_each(fold_rows[None])[:, 0], _without_each(fold_clicks[None])[:, 0]
    p = np.clip(clicked / np.maximum(outside, 1), 0.5 / (outside + 1), 1 - 0.5 / (outside + 1))[:, None]
    rate = (s + smoothing * p) / (n + smoothing)
    level = n * (outside[-1] / np.maximum(outside, 1))[:, None]
    return np.stack([_logit(rate) - _logit(p), np.log1p(level) / np.log1p(outside[-1])], axis=-1).astype(np.float32)


def _without_each(per_fold: IntArray) -> npt.NDArray[np.float64]:
    """(n, folds) -> (folds + 1, n): the sum without each fold, then with all."""
    total = per_fold.sum(axis=1)
    return np.vstack([total - per_fold.T, total]).astype(np.float64)


def _logit(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.log(p) - np.log1p(-p)
