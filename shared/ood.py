"""How far an input lies from everything trained on, measured in the network's own features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf

from shared.errors import CheckpointError, InputError

__all__ = ["FeatureDistance"]

FloatArray = npt.NDArray[np.float64]

FLOOR = 1e-6
"""Share of the mean variance added to every direction: a feature that never moved in training has none of its own."""


@dataclass(frozen=True)
class FeatureDistance:
    """Mahalanobis distance from the training features, with Ledoit-Wolf shrinkage of their covariance.

    One Gaussian for all classes (as Lee et al., NeurIPS 2018, without their classes): what counts is whether the input
    looks like anything seen, not like which.
    """

    mean: FloatArray
    """(D,)"""
    whitening: FloatArray
    """(D, D); the distance is the length of (features - mean) @ whitening."""
    limit: float
    """Distances above it are unlike the training rows."""

    @classmethod
    def fit(cls, features: npt.ArrayLike, quantile: float = 0.995) -> Self:
        """Fit on the training rows' features.

        Args:
            features: (N, D) numbers, N well above D.
            quantile: share of these rows that lie within `limit`.

        Raises:
            InputError: not (N, D) with N of 2 or more, a value is not finite, or all rows are alike.
        """
        rows = np.asarray(features, dtype=np.float64)
        if rows.ndim != 2 or len(rows) < 2:
            raise InputError(f"A feature distance is fitted on (rows, features) of 2 rows or more, found {rows.shape}.")
        if not np.isfinite(rows).all():
            raise InputError("A feature distance needs finite features; found NaN or infinity.")
        if np.ptp(rows, axis=0).max() == 0:
            raise InputError("A feature distance cannot be fitted: all rows have the same features.")
        covariance = LedoitWolf().fit(rows).covariance_
        covariance[np.diag_indices_from(covariance)] += FLOOR * np.trace(covariance) / len(covariance)
        distance = cls(rows.mean(axis=0), np.linalg.cholesky(np.linalg.inv(covariance)), np.inf)
        return cls(distance.mean, distance.whitening, float(np.quantile(distance.score(rows), quantile)))

    def score(self, features: npt.ArrayLike) -> FloatArray:
        """Distances (N,) of features (N, D). A row with NaN or infinity is infinitely far away.

        Raises:
            InputError: the rows have another number of features.
        """
        rows = np.asarray(features, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise InputError(f"Expected features of shape (rows, {len(self.mean)}), found {rows.shape}.")
        usable: npt.NDArray[np.bool_] = np.all(np.isfinite(rows), axis=1)
        distance = np.linalg.norm((np.where(usable[:, None], rows, 0) - self.mean) @ self.whitening, axis=1)
        return np.where(usable, distance, np.inf)

    def state(self) -> dict[str, FloatArray]:
        """The arrays a weights file holds: mean (D,), whitening (D, D), limit (1,)."""
        return {"mean": self.mean, "whitening": self.whitening, "limit": np.array([self.limit])}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.ArrayLike]) -> Self:
        """The distance that `state` described. Raises CheckpointError where arrays are missing or do not fit."""
        missing = {"mean", "whitening", "limit"} - set(state)
        if missing:
            raise CheckpointError(f"The stored feature distance lacks {', '.join(sorted(missing))}.")
        mean, whitening, limit = (np.asarray(state[n], dtype=np.float64) for n in ("mean", "whitening", "limit"))
        if mean.ndim != 1 or whitening.shape != (len(mean), len(mean)) or limit.size != 1:
            raise CheckpointError(
                f"The stored feature distance does not fit together: mean {mean.shape}, whitening {whitening.shape}."
            )
        return cls(mean, whitening, float(limit.ravel()[0]))
