"""The classical rivals of the networks: a threshold, three line filters, three classifiers of voxels.

Each ends in a probability of vessel per lung voxel, fitted on labelled scans: the classifiers on 22 features, the
others on their one value, whose order the logistic curve keeps. Voxels are drawn by what they are, so that walls and
fissures are learnt too, and weighted back to how common they are, so that the probabilities are those of a voxel drawn
at random; the threshold is for the evaluation to choose, on scans of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from apps.pulmonary_vessel.vesselness.filters import Frangi, Jerman, LineFilter, Sato, vesselness
from apps.pulmonary_vessel.vesselness.hessian import smoothed
from apps.pulmonary_vessel.vesselness.lung_field import LungField, Spacing
from apps.pulmonary_vessel.voxel_features import FEATURES, voxel_features
from shared.atomic import read_json, write_json
from shared.baselines import EstimatorBaseline, load_estimator, save_estimator
from shared.errors import CheckpointError, ConfigError, InputError, did_you_mean

__all__ = ["BASELINES", "FittedBaseline", "LabelledScan", "fit_baseline", "load_baseline"]

FloatArray = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint8]

THRESHOLD_SCALE_MM = 0.7
"""Smoothing before the plain threshold, mm."""
VOXELS_PER_SCAN = 20_000
"""Training voxels drawn from a scan; six scans are enough."""
SHARES = {"vessel": 0.35, "look-alike": 0.2, "parenchyma": 0.45}
"""What they are."""
PARENCHYMA, VESSEL = 1, 2
"""Codes of a label volume; the other codes above 0 look like vessels or lie beside them."""
ROWS_AT_ONCE = 500_000


@dataclass(frozen=True, eq=False)
class LabelledScan:
    """A scan whose voxels are known."""

    hu: npt.NDArray[Any]
    """(z, y, x) HU."""
    labels: Labels
    """The same grid: 0 outside, 1 lung, 2 vessel, 3 airway lumen, 4 airway wall, 5 nodule, 6 fissure, 7 opacity."""
    lung: npt.NDArray[Any]
    """The same grid, non-zero in the lung."""
    spacing: Spacing
    """mm along z, y, x."""


Values = Callable[[LungField, Positions], FloatArray]
"""(field, flat positions in it) -> (n, F) what a model sees of these lung voxels."""


def _smoothed_hu(field: LungField, where: Positions) -> FloatArray:
    return smoothed(field.hu, field.spacing, THRESHOLD_SCALE_MM).reshape(-1)[where, None]


def _filtered(line_filter: LineFilter, small: float) -> Values:
    """The logarithm of the response, because its odds grow with a power of it; below `small` all are alike."""

    def values(field: LungField, where: Positions) -> FloatArray:
        response = vesselness(field, line_filter)[np.searchsorted(field.inside, where), None]
        return np.log(response + np.float32(small))

    return values


def _logistic(seed: int) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))


def _forest(seed: int) -> Any:
    return RandomForestClassifier(80, min_samples_leaf=3, max_features=8, max_samples=0.6, n_jobs=1, random_state=seed)


def _boosted(seed: int) -> Any:
    return XGBClassifier(
        n_estimators=300,
        max_depth=7,
        learning_rate=0.1,
        min_child_weight=20,
        subsample=0.8,
        colsample_bytree=0.6,
        n_jobs=1,
        random_state=seed,
    )


_MODELS: dict[str, tuple[Values, Callable[[int], Any]]] = {
    "threshold": (_smoothed_hu, _logistic),
    "frangi": (_filtered(Frangi(), 1e-3), _logistic),
    "sato": (_filtered(Sato(), 1.0), _logistic),
    "jerman": (_filtered(Jerman(), 1e-3), _logistic),
    "logistic_regression": (voxel_features, _logistic),
    "random_forest": (voxel_features, _forest),
    "xgboost": (voxel_features, _boosted),
}
BASELINES = tuple(_MODELS)
"""Names of the classical models."""


@dataclass(frozen=True)
class FittedBaseline:
    """A classical model after training."""

    name: str
    """One of `BASELINES`."""
    estimator: Any
    """Classifier of the model's values, with `predict_proba`."""

    def probability(self, hu: npt.NDArray[Any], spacing: Spacing, lung: npt.NDArray[Any]) -> FloatArray:
        """Probability of vessel.

        Args:
            hu: (z, y, x) HU.
            spacing: mm along z, y, x.
            lung: the same grid, non-zero in the lung.

        Returns:
            float32 on the same grid, 0 outside the lung.
        """
        field = LungField.cut(hu, spacing, lung)
        table = _MODELS[self.name][0](field, field.inside)
        parts = [
            self.estimator.predict_proba(table[first : first + ROWS_AT_ONCE])[:, 1].astype(np.float32)
            for first in range(0, len(table), ROWS_AT_ONCE)
        ]
        return field.on_scan(np.concatenate(parts))

    def save(self, folder: Path) -> None:
        """Write the model into a folder: its name and columns as JSON, the estimator without pickle."""
        written = save_estimator(self.estimator, folder / self.name)
        write_json(folder / f"{self.name}.json", {"name": self.name, "features": FEATURES, "file": written.name})


def load_baseline(folder: Path, name: str) -> FittedBaseline:
    """Read what `FittedBaseline.save` wrote.

    Raises:
        ConfigError: there is no classical model of that name.
        CheckpointError: the files are missing, damaged, or of a version with other features.
    """
    _check_name(name)
    path = folder / f"{name}.json"
    try:
        stored = read_json(path)
        features, file = tuple(stored["features"]), folder / Path(stored["file"]).name
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is missing or damaged ({error!r}): fit the model again.") from error
    if features != FEATURES:
        raise CheckpointError(f"{path} was fitted on other features than this version computes: fit the model again.")
    return FittedBaseline(name, load_estimator(file))


def fit_baseline(name: str, scans: Iterable[LabelledScan], seed: int) -> FittedBaseline:
    """Fit a classical model.

    Args:
        name: one of `BASELINES`.
        scans: labelled scans, read one at a time.
        seed: of the drawn voxels and of the model; the same seed gives the same model.

    Raises:
        ConfigError: there is no such model.
        InputError: no scan holds both vessel and other lung voxels.
    """
    _check_name(name)
    values, estimator = _MODELS[name]
    rng = np.random.default_rng(seed)
    drawn = [_training_rows(scan, values, rng) for scan in scans]
    if not any(0 < target.mean() < 1 for _, target, _ in drawn if len(target)):
        raise InputError("Training needs scans with labelled vessels inside the lung; none of these has any.")
    table, target, weight = (np.concatenate(part) for part in zip(*drawn, strict=True))
    fitted = EstimatorBaseline(estimator(seed)).fit(table, target, weights=weight)
    return FittedBaseline(name, fitted.estimator)


def _check_name(name: str) -> None:
    if name not in _MODELS:
        raise ConfigError(f"There is no classical model {name!r}.{did_you_mean(name, _MODELS)}")


def _training_rows(
    scan: LabelledScan, values: Values, rng: np.random.Generator
) -> tuple[FloatArray, Labels, npt.NDArray[np.float64]]:
    """(n, F) values, (n,) 1 vessel or 0, and (n,) weights of the voxels drawn from a scan."""
    field = LungField.cut(scan.hu, scan.spacing, scan.lung)
    labels = scan.labels[field.lung]
    chosen, weight = _draw(labels, rng)
    target = (labels[chosen] == VESSEL).astype(np.uint8)
    return values(field, field.inside[chosen]), target, weight


def _draw(labels: Labels, rng: np.random.Generator) -> tuple[Positions, npt.NDArray[np.float64]]:
    """Which of the lung voxels (n,) to learn from, ascending, and how many of the lung's voxels each stands for.

    Their sum is the same for every scan, so that large lungs do not drown small ones.
    """
    members = {
        "vessel": np.flatnonzero(labels == VESSEL),
        "look-alike": np.flatnonzero(labels > VESSEL),
        "parenchyma": np.flatnonzero(labels <= PARENCHYMA),
    }
    places, weights = [], []
    for kind, voxels in members.items():
        count = min(round(SHARES[kind] * VOXELS_PER_SCAN), len(voxels))
        places.append(rng.choice(voxels, count, replace=False))
        weights.append(np.full(count, len(voxels) / max(count, 1)))
    chosen, weight = np.concatenate(places), np.concatenate(weights)
    order = np.argsort(chosen)
    return chosen[order], weight[order] * (VOXELS_PER_SCAN / weight.sum())
