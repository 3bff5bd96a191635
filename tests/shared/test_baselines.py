"""Classical models: weights reach them, their files are whole or refused, nothing unknown is read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from shared.baselines import Baseline, EstimatorBaseline, load_estimator, save_estimator
from shared.errors import CheckpointError, ConfigError

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(200, 4))
TARGETS = (FEATURES[:, 0] + RNG.normal(0, 0.5, 200) > 0).astype(int)
WEIGHTS = RNG.integers(1, 4, 200)

ESTIMATORS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "SVM": make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False)),
    "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
    "forest": RandomForestClassifier(5, random_state=0),
    "XGBoost": XGBClassifier(n_estimators=5, n_jobs=1),
}


class CustomClassifier(DecisionTreeClassifier):
    """An app's own estimator."""


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_predicts_the_same_after_the_file(name: str, tmp_path: Path) -> None:
    fitted: Baseline = EstimatorBaseline(ESTIMATORS[name]).fit(FEATURES, TARGETS, weights=WEIGHTS)
    assert isinstance(fitted, EstimatorBaseline)
    path = save_estimator(fitted.estimator, tmp_path / "model v1.0")
    assert path.name == ("model v1.0.ubj" if name == "XGBoost" else "model v1.0.skops")
    again = load_estimator(path)
    np.testing.assert_array_equal(again.predict_proba(FEATURES), fitted.estimator.predict_proba(FEATURES))
    np.testing.assert_array_equal(again.classes_, [0, 1])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("estimator", [LogisticRegression(), ESTIMATORS["logistic regression"]])
def test_weights_are_the_rows_repeated(estimator: Any) -> None:
    weighted = EstimatorBaseline(estimator).fit(FEATURES, TARGETS, weights=WEIGHTS).estimator
    rows = np.repeat(np.arange(200), WEIGHTS)
    if hasattr(estimator, "steps"):  # the scaler sees unweighted rows: compare with that
        scaled = StandardScaler().fit(FEATURES).transform(FEATURES)
        expected = LogisticRegression().fit(scaled[rows], TARGETS[rows]).predict_proba(scaled)
    else:
        expected = LogisticRegression().fit(FEATURES[rows], TARGETS[rows]).predict_proba(FEATURES)
    np.testing.assert_allclose(weighted.predict_proba(FEATURES), expected, atol=1e-3)


def test_the_given_estimator_is_left_unfitted() -> None:
    estimator = LogisticRegression()
    probabilities = EstimatorBaseline(estimator).fit(FEATURES, TARGETS).predict_proba(FEATURES)
    assert not hasattr(estimator, "coef_")
    assert probabilities.shape == (200, 2)
    assert probabilities.dtype == np.float64


def test_groups_go_only_to_estimators_that_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    class Grouped(LogisticRegression):
        def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Any:
            seen["groups"] = groups
            return super().fit(X, y, sample_weight)

    EstimatorBaseline(LogisticRegression()).fit(FEATURES, TARGETS, groups=WEIGHTS)
    EstimatorBaseline(Grouped()).fit(FEATURES, TARGETS, groups=WEIGHTS)
    np.testing.assert_array_equal(seen["groups"], WEIGHTS)


def test_an_estimator_without_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="KNeighborsClassifier cannot weigh rows"):
        EstimatorBaseline(KNeighborsClassifier()).fit(FEATURES, TARGETS, weights=WEIGHTS)


def test_an_unknown_type_is_refused_unless_the_app_trusts_it(tmp_path: Path) -> None:
    path = save_estimator(CustomClassifier(max_depth=2).fit(FEATURES, TARGETS), tmp_path / "own")
    name = f"{__name__}.CustomClassifier"
    with pytest.raises(CheckpointError, match=f"not trusted, so it was not read: {name}"):
        load_estimator(path)
    assert isinstance(load_estimator(path, trusted=[name]), CustomClassifier)


def test_a_type_that_runs_code_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "evil.skops"
    skops.io.dump({"callable": warnings.warn}, path)
    with pytest.raises(CheckpointError, match="not trusted"):
        load_estimator(path)


@pytest.mark.parametrize("name", ["tree", "XGBoost"])
def test_a_truncated_file_is_refused(name: str, tmp_path: Path) -> None:
    fitted = EstimatorBaseline(ESTIMATORS[name]).fit(FEATURES, TARGETS)
    path = save_estimator(fitted.estimator, tmp_path / "model")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CheckpointError, match="damaged"):
        load_estimator(path)


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = save_estimator(ESTIMATORS["tree"].fit(FEATURES, TARGETS), tmp_path / "model")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="damaged"):
        load_estimator(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"ends in \.skops or \.ubj"):
        load_estimator(tmp_path / "model.pkl")
    with pytest.raises(CheckpointError, match="There is no estimator"):
        load_estimator(tmp_path / "model.skops")
