"""Classical models beside the network: one protocol, an adapter for scikit-learn, and files without pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import skops.io
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from shared.atomic import atomic_path
from shared.errors import CheckpointError, ConfigError

__all__ = ["TRUSTED", "Baseline", "EstimatorBaseline", "load_estimator", "save_estimator"]

FloatArray = npt.NDArray[np.float64]

TRUSTED = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.tree._tree.Tree",
)
"""Types beyond skops' own list that the suite's estimators consist of. None of them runs code when it is read."""


class Baseline(Protocol):
    """What `evaluate` and `crossval` ask of a classical model: the scikit-learn protocol with weights and groups."""

    def fit(
        self,
        features: npt.ArrayLike,
        targets: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn from training rows.

        Args:
            features: (n, F) numbers.
            targets: (n,) class numbers.
            weights: (n,) how much each row counts.
            groups: (n,) the group of each row, for models that split their training rows once more.
        """
        ...

    def predict_proba(self, features: npt.ArrayLike) -> FloatArray:
        """(n, C) probabilities of the classes in the order of their numbers, for features (n, F)."""
        ...


class EstimatorBaseline:
    """A scikit-learn classifier, a pipeline that ends in one, or an XGBoost classifier, as a `Baseline`.

    Args:
        estimator: with `fit(X, y, sample_weight=...)` and `predict_proba`; it is cloned, never changed. One whose `fit`
            takes no weights is refused (ConfigError) when weights are given; groups go to estimators that ask for them.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = clone(estimator)

    def fit(
        self,
        features: npt.ArrayLike,
        targets: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit the estimator; weights reach the last step of a pipeline."""
        given = {} if weights is None else {self._weight_parameter(): np.asarray(weights)}
        if groups is not None and has_fit_parameter(self.estimator, "groups"):
            given["groups"] = np.asarray(groups)
        self.estimator.fit(np.asarray(features), np.asarray(targets), **given)
        return self

    def predict_proba(self, features: npt.ArrayLike) -> FloatArray:
        """(n, C) probabilities, float64."""
        return np.asarray(self.estimator.predict_proba(np.asarray(features)), dtype=np.float64)

    def _weight_parameter(self) -> str:
        name, last = self.estimator.steps[-1] if isinstance(self.estimator, Pipeline) else ("", self.estimator)
        if not has_fit_parameter(last, "sample_weight"):
            raise ConfigError(f"{type(last).__name__} cannot weigh rows; fit it without weights or take another model.")
        return f"{name}__sample_weight" if name else "sample_weight"


def save_estimator(estimator: Any, path: Path) -> Path:
    """Write a fitted estimator atomically, without pickle.

    Args:
        estimator: scikit-learn's, a pipeline of such, or one of XGBoost's (alone: it has its own format).
        path: where, without the suffix.

    Returns:
        The file written: `path` with ".ubj" for XGBoost, with ".skops" for all others.
    """
    ours = _is_xgboost(estimator)
    target = path.with_name(f"{path.name}{'.ubj' if ours else '.skops'}")
    with atomic_path(target) as temporary:
        if ours:
            estimator.save_model(temporary)
        else:
            skops.io.dump(estimator, temporary)
    return target


def _is_xgboost(estimator: Any) -> bool:
    return type(estimator).__module__.partition(".")[0] == "xgboost"


def load_estimator(path: Path, trusted: Iterable[str] = ()) -> Any:
    """Read what `save_estimator` wrote.

    Args:
        path: a ".skops" or ".ubj" file.
        trusted: dotted types of an app's own estimators, allowed beside `TRUSTED`.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds a type that is not trusted.
    """
    readers = {".skops": _load_skops, ".ubj": _load_xgboost}
    if path.suffix not in readers:
        raise CheckpointError(f"{path} is no estimator: expected a file that ends in .skops or .ubj.")
    if not path.is_file():
        raise CheckpointError(f"There is no estimator {path}.")
    return readers[path.suffix](path, {*TRUSTED, *trusted})


def _load_skops(path: Path, trusted: set[str]) -> Any:
    try:
        types = set(skops.io.get_untrusted_types(file=path))
        unknown = sorted(types - trusted)
        if unknown:
            raise CheckpointError(f"{path} holds types that are not trusted, so it was not read: {', '.join(unknown)}.")
        return skops.io.load(path, trusted=sorted(types))
    except (zipfile.BadZipFile, AttributeError, EOFError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or of another version of scikit-learn: {error}") from error


def _load_xgboost(path: Path, trusted: set[str]) -> Any:
    """The format holds numbers only, so there is nothing to trust."""
    try:
        from xgboost import XGBClassifier
        from xgboost.core import XGBoostError
    except ImportError as error:
        raise ConfigError(f"{path} needs xgboost; install the extra of the app that uses it.") from error
    estimator = XGBClassifier()
    try:
        estimator.load_model(path)
    except (XGBoostError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or no XGBoost model: {str(error).splitlines()[0]}") from error
    return estimator
