"""A detector of the classical kind: one feature of the window, one threshold, both fixed on training data."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from apps.ecg_shock.classical.features import FEATURES
from shared.errors import ConfigError, InputError, did_you_mean

__all__ = ["ThresholdDetector"]

FloatArray = npt.NDArray[np.float64]


class ThresholdDetector(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Calls a window shockable when one feature lies beyond a threshold.

    Args:
        feature: name in `FEATURES`; the other columns are not looked at.

    Attributes:
        direction_: 1 where high values are shockable, -1 where low ones are.
        threshold_: in the feature's unit, midway between two training values; a window exactly there is shockable.
        spread_: median distance of the training values from the threshold, the unit of `decision_function`.
        classes_: (2,) 0 no shock, 1 shock.
    """

    def __init__(self, feature: str) -> None:
        self.feature = feature

    def fit(self, features: npt.ArrayLike, targets: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Take the direction and threshold of the highest weighted balanced accuracy.

        Args:
            features: (n, 32) in the order of `FEATURES`.
            targets: (n,) 1 shock, 0 no shock.
            sample_weight: (n,) how much each window counts within its class; the classes always count alike.

        Raises:
            ConfigError: there is no such feature.
            InputError: another number of features, or only one class.
        """
        values = self._column(features)
        shock = np.asarray(targets) == 1
        if shock.all() or not shock.any():
            raise InputError("A threshold needs training windows of both classes, 1 shock and 0 no shock.")
        weights = np.ones(len(values)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.classes_ = np.array([0, 1])
        self.direction_, self.threshold_ = _best_cut(values, shock, weights)
        self.spread_ = float(np.median(np.abs(values - self.threshold_))) or 1.0
        return self

    def decision_function(self, features: npt.ArrayLike) -> FloatArray:
        """(n,) how far on the shockable side each window lies, in units of `spread_`; 0 at the threshold."""
        distance: FloatArray = self.direction_ * (self._column(features) - self.threshold_) / self.spread_
        return distance

    def predict_proba(self, features: npt.ArrayLike) -> FloatArray:
        """(n, 2) "no shock", "shock": a logistic curve through 0.5 at the threshold. It ranks, it is not calibrated."""
        shock = expit(self.decision_function(features))
        return np.column_stack([1.0 - shock, shock])

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(n,) 1 shock, 0 no shock."""
        return (self.decision_function(features) >= 0).astype(np.int64)

    def _column(self, features: npt.ArrayLike) -> FloatArray:
        if self.feature not in FEATURES:
            raise ConfigError(f"There is no feature {self.feature!r}.{did_you_mean(self.feature, FEATURES)}")
        table: npt.NDArray[Any] = np.asarray(features, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(FEATURES):
            raise InputError(f"A table (n, {len(FEATURES)}) of features is needed, found the shape {table.shape}.")
        return table[:, list(FEATURES).index(self.feature)]


def _best_cut(values: FloatArray, shock: npt.NDArray[np.bool_], weights: FloatArray) -> tuple[int, float]:
    """Direction and threshold of the highest balanced accuracy; the value itself where all are equal."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    share = np.where(shock, weights, 0.0)[order] / weights[shock].sum()
    other = np.where(shock, 0.0, weights)[order] / weights[~shock].sum()
    gain = np.cumsum(other - share)[:-1]
    gain[ranked[1:] == ranked[:-1]] = 0.0
    cut = int(np.argmax(np.abs(gain)))
    return (1 if gain[cut] >= 0 else -1), float((ranked[cut] + ranked[cut + 1]) / 2)
