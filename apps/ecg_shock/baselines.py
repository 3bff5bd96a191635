"""The classical models on the 32 features: the field's single detectors, and the usual classifiers on all of them.

Every model is fitted with weights under which no patient and no class drowns the others. The settings were chosen
among a few by cross-validation over the patients of the public recordings; all are strongly regularised, because the
windows are many and the patients few. Choosing them anew inside each training part, so that no scored patient has a
say, changes the balanced accuracy by less than a point. A fitted model serves the window length it was fitted on: some
features grow with it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from apps.ecg_shock.classical.detectors import ThresholdDetector
from apps.ecg_shock.classical.features import FEATURES
from shared.baselines import EstimatorBaseline
from shared.errors import InputError

__all__ = [
    "SINGLE_DETECTOR",
    "TRUSTED",
    "BalancedBaseline",
    "MarginSVC",
    "balanced_weights",
    "baselines",
    "patient_weights",
]

FloatArray = npt.NDArray[np.float64]

TRUSTED = ("apps.ecg_shock.baselines.MarginSVC", "apps.ecg_shock.classical.detectors.ThresholdDetector")
"""Estimators of this app that `shared.baselines.load_estimator` is to accept."""


def patient_weights(patients: npt.ArrayLike) -> FloatArray:
    """(n,) weight of each window: 1 / sqrt(windows of its patient), between "windows alike" and "patients alike"."""
    _, patient, count = np.unique(np.asarray(patients), return_inverse=True, return_counts=True)
    return 1.0 / np.sqrt(count[patient].astype(np.float64))


def balanced_weights(targets: npt.ArrayLike, weights: npt.ArrayLike) -> FloatArray:
    """Scale the weights of each class to the same sum, and all to a mean of 1.

    Args:
        targets: (n,) 1 shock, 0 no shock.
        weights: (n,) positive.

    Raises:
        InputError: there are not two classes.
    """
    _, number = np.unique(np.asarray(targets), return_inverse=True)
    given = np.asarray(weights, dtype=np.float64)
    sums = np.bincount(number, weights=given)
    if len(sums) != 2:
        raise InputError(f"Training needs windows of two classes, shock and no shock; found {len(sums)}.")
    return given * (len(given) / 2 / sums)[number]


SINGLE_DETECTOR = "threshold on"
"""How the names of the models on one feature begin."""


class BalancedBaseline(EstimatorBaseline):
    """A classifier fitted with patient weights and balanced classes, so that 0.5 is the threshold of its output."""

    def fit(
        self,
        features: npt.ArrayLike,
        targets: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit the estimator.

        Args:
            features: (n, 32) in the order of `FEATURES`.
            targets: (n,) 1 shock, 0 no shock.
            weights: (n,) how much a window counts within its class; by default `patient_weights(groups)`.
            groups: (n,) patient of each window; without weights and groups all windows count alike.
        """
        if weights is None:
            weights = np.ones(len(np.asarray(targets))) if groups is None else patient_weights(groups)
        return super().fit(features, targets, balanced_weights(targets, weights))


class MarginSVC(SVC):  # type: ignore[misc]  # scikit-learn has no types
    """A support vector machine whose probability is a fixed logistic curve of its margin, 0.5 at the boundary.

    The slope is about what a logistic regression on the margins of unseen patients gives (3.0 to 5.3 over the folds of
    the training data), at the cost of one fit; Platt's own way fits several times and moves the threshold.
    """

    SLOPE = 4.0

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """(n, 2) probabilities of the two classes."""
        second = expit(self.SLOPE * self.decision_function(X))
        return np.column_stack([1.0 - second, second])


def _evenly_spread(classifier: Any, seed: int) -> Pipeline:
    """The classifier behind a map of each feature to a normal distribution: units, skew and outliers vanish."""
    return make_pipeline(
        QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=seed), classifier
    )


def _classifiers(seed: int) -> dict[str, Any]:
    """The models on all features, unfitted, each on one thread."""
    return {
        "logistic regression": _evenly_spread(LogisticRegression(C=0.003, max_iter=1000), seed),
        "SVM (RBF)": _evenly_spread(MarginSVC(C=0.1, gamma="auto", cache_size=500), seed),
        "decision tree": DecisionTreeClassifier(max_depth=6, min_weight_fraction_leaf=0.05, random_state=seed),
        "random forest": RandomForestClassifier(300, min_weight_fraction_leaf=0.0025, n_jobs=1, random_state=seed),
        "XGBoost": XGBClassifier(
            n_estimators=200,
            max_depth=3,
            learning_rate=0.1,
            min_child_weight=10,
            subsample=0.8,
            colsample_bytree=0.5,
            n_jobs=1,
            random_state=seed,
        ),
    }


def baselines(seed: int) -> dict[str, Callable[[], BalancedBaseline]]:
    """Every classical model: name -> function that makes it, unfitted.

    "threshold on FEATURE" is the single detector of each of the 32 features; "logistic regression", "SVM (RBF)",
    "decision tree", "random forest" and "XGBoost" take all of them. The output of each is a probability of shock whose
    threshold is 0.5; of the single detectors and the SVM it ranks but is not calibrated.

    Args:
        seed: of all that is drawn at random; the same seed gives the same model.
    """
    detectors = {f"{SINGLE_DETECTOR} {feature}": ThresholdDetector(feature) for feature in FEATURES}
    estimators = detectors | _classifiers(seed)
    return {name: partial(BalancedBaseline, estimator) for name, estimator in estimators.items()}
