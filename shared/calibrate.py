"""Calibrators: from a network's logits to probabilities that mean what they say.

Fitted on rows the network was not trained on, small enough to lie in a model card as JSON. Binary logits are (n,),
those of C classes (n, C).
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from shared.errors import CheckpointError, InputError, did_you_mean
from shared.metrics.weighted import equal_mass_bins
from shared.table import Table, n_rows, require

__all__ = [
    "CALIBRATORS",
    "Calibrator",
    "Identity",
    "Isotonic",
    "Platt",
    "Temperature",
    "calibrator_from_dict",
    "reliability",
]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibrator(ABC):
    """A fitted map from logits to probabilities."""

    kind: ClassVar[str]
    """Its name in a configuration and in a card."""

    @classmethod
    @abstractmethod
    def fit(cls, logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Fit on held-out rows.

        Args:
            logits: (n,) for yes or no, (n, C) for classes; log odds, or log probabilities up to a constant.
            targets: (n,) 0 or 1, or class numbers.
            weights: (n,) how much each row counts; all alike by default.

        Raises:
            InputError: shapes disagree, a logit is not finite, or only one class occurs.
        """

    @abstractmethod
    def __call__(self, logits: npt.ArrayLike) -> FloatArray:
        """Probabilities, float64, in the shape of the logits."""

    def to_dict(self) -> dict[str, Any]:
        """As a card holds it: the kind and the fitted numbers."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


def _fitting_rows(
    logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray]:
    logits = np.asarray(logits, dtype=np.float64)
    targets = np.asarray(targets).astype(np.int64)
    weight = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(logits) == len(targets) == len(weight):
        raise InputError(f"Found {len(logits)} logits, {len(targets)} targets and {len(weight)} weights; need as many.")
    if not np.isfinite(logits).all():
        raise InputError("A calibrator needs finite logits; found NaN or infinity.")
    if len(np.unique(targets)) < 2:
        raise InputError("A calibrator needs rows of at least two classes, or it would learn that one is certain.")
    return logits, targets, weight


def _binary_rows(
    logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray, tuple[float, float]]:
    """The rows, and Platt's targets for 0 and 1: what one expects of the next row, never quite certain."""
    values, truth, weight = _fitting_rows(logits, targets, weights)
    if values.ndim != 1:
        raise InputError(f"This calibrator takes one logit per row, found shape {values.shape}; use temperature.")
    positives, total = float(weight @ truth), float(weight.sum())
    return values, truth, weight, (1 / (total - positives + 2), (positives + 1) / (positives + 2))


@dataclass(frozen=True)
class Identity(Calibrator):
    """The probabilities as the network gives them: sigmoid or softmax."""

    kind: ClassVar[str] = "identity"

    @classmethod
    def fit(cls, logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Nothing to fit."""
        return cls()

    def __call__(self, logits: npt.ArrayLike) -> FloatArray:
        """Sigmoid of (n,), softmax along the last axis of (n, C)."""
        values = np.asarray(logits, dtype=np.float64)
        return softmax(values, axis=-1) if values.ndim > 1 else expit(values)


@dataclass(frozen=True)
class Temperature(Calibrator):
    """Logits divided by one number (Guo et al., ICML 2017). Keeps the ranking and the decision at 0.5."""

    kind: ClassVar[str] = "temperature"
    temperature: float

    @classmethod
    def fit(cls, logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """The temperature between 1/20 and 20 of the highest likelihood."""
        values, truth, weight = _fitting_rows(logits, targets, weights)
        classes = values if values.ndim > 1 else np.stack([np.zeros_like(values), values], axis=1)

        def loss(log_temperature: float) -> float:
            likelihood = log_softmax(classes / np.exp(log_temperature), axis=1)
            return -float(weight @ likelihood[np.arange(len(truth)), truth])

        best = minimize_scalar(loss, bounds=(-np.log(20), np.log(20)), method="bounded", options={"xatol": 1e-6})
        return cls(float(np.exp(best.x)))

    def __call__(self, logits: npt.ArrayLike) -> FloatArray:
        """Sigmoid or softmax of the divided logits."""
        return Identity()(np.asarray(logits, dtype=np.float64) / self.temperature)


@dataclass(frozen=True)
class Platt(Calibrator):
    """Sigmoid of a straight line through the logits (Platt 1999), with his targets that are never quite certain."""

    kind: ClassVar[str] = "platt"
    slope: float
    intercept: float

    @classmethod
    def fit(cls, logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Logistic regression without penalty on soft targets: each row enters as both classes, weighted."""
        values, truth, weight, (never, always) = _binary_rows(logits, targets, weights)
        soft = np.where(truth == 1, always, never)
        spread = float(values.std()) or 1.0
        line = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(
            np.tile(values / spread, 2)[:, None],
            np.repeat([1, 0], len(truth)),
            sample_weight=np.concatenate([weight * soft, weight * (1 - soft)]),
        )
        return cls(float(line.coef_[0, 0]) / spread, float(line.intercept_[0]))

    def __call__(self, logits: npt.ArrayLike) -> FloatArray:
        """Sigmoid of slope * logit + intercept."""
        return expit(self.slope * np.asarray(logits, dtype=np.float64) + self.intercept)


@dataclass(frozen=True)
class Isotonic(Calibrator):
    """A rising staircase, straight between its corners (Zadrozny and Elkan 2002). Wants many hundred rows.

    Its ends stop at Platt's targets instead of 0 and 1, which no finite sample can prove.
    """

    kind: ClassVar[str] = "isotonic"
    logits: tuple[float, ...]
    """Corners, rising."""
    probabilities: tuple[float, ...]
    """Their probabilities, rising."""

    @classmethod
    def fit(cls, logits: npt.ArrayLike, targets: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Weighted isotonic regression."""
        values, truth, weight, (never, always) = _binary_rows(logits, targets, weights)
        stairs = IsotonicRegression(y_min=never, y_max=always).fit(values, truth, sample_weight=weight)
        return cls(tuple(stairs.X_thresholds_.tolist()), tuple(stairs.y_thresholds_.tolist()))

    def __call__(self, logits: npt.ArrayLike) -> FloatArray:
        """Interpolated between the corners, level beyond the last."""
        return np.interp(np.asarray(logits, dtype=np.float64), self.logits, self.probabilities)


CALIBRATORS: Mapping[str, type[Calibrator]] = {c.kind: c for c in (Identity, Temperature, Platt, Isotonic)}
"""By name: `CALIBRATORS["platt"].fit(logits, targets)`."""


def calibrator_from_dict(stored: Mapping[str, Any]) -> Calibrator:
    """The calibrator that `to_dict` stored. Raises CheckpointError where it is of no known kind or incomplete."""
    fields = dict(stored)
    kind = fields.pop("kind", None)
    if kind not in CALIBRATORS:
        raise CheckpointError(f"There is no calibration of kind {kind!r}.{did_you_mean(str(kind), CALIBRATORS)}")
    try:
        return CALIBRATORS[kind](**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
    except TypeError as error:
        raise CheckpointError(f"The stored {kind} calibration does not hold the numbers it needs: {error}") from error


def reliability(table: Table, weights: npt.ArrayLike | None = None, n_bins: int = 10) -> dict[str, FloatArray]:
    """What a reliability diagram shows: bins of about equal mass along the predicted probability.

    Args:
        table: columns `target` (0 or 1) and `probability`.
        weights: how often each row counts; once by default.
        n_bins: bins aimed at; fewer where probabilities repeat.

    Returns:
        Columns `predicted` (mean probability), `observed` (share of positives) and `mass` (weight) of each bin.
    """
    require(table, "target", "probability")
    weight = np.ones(n_rows(table)) if weights is None else np.asarray(weights, dtype=np.float64)
    predictions, outcomes = (table[name].astype(np.float64) for name in ("probability", "target"))
    bins = equal_mass_bins(predictions, outcomes, weight, n_bins)
    return {"predicted": bins.predicted, "observed": bins.observed, "mass": bins.mass}
