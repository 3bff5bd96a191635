"""Classical models: each finds the vessels of an unseen scan, the same with the same seed and after a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from apps.pulmonary_vessel import baselines
from apps.pulmonary_vessel.baselines import BASELINES, FittedBaseline, LabelledScan, fit_baseline, load_baseline
from apps.pulmonary_vessel.vesselness.filters import Sato, vesselness
from apps.pulmonary_vessel.vesselness.lung_field import LungField
from shared.errors import CheckpointError, ConfigError, InputError
from tests.apps.pulmonary_vessel.made_tubes import made_scan

TRAINING = [made_scan(seed) for seed in (0, 1)]
UNSEEN = made_scan(2)
CLASSIFIERS = ("logistic_regression", "random_forest", "xgboost")


@pytest.fixture(scope="module", autouse=True)
def few_voxels() -> Iterator[None]:
    """A third of the training voxels, which is enough for tubes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "VOXELS_PER_SCAN", 7000)
        yield


@pytest.fixture(scope="module")
def fitted() -> dict[str, FittedBaseline]:
    return {name: fit_baseline(name, TRAINING, seed=0) for name in BASELINES}


def probability(model: FittedBaseline, scan: LabelledScan = UNSEEN) -> np.ndarray:
    return model.probability(scan.hu, scan.spacing, scan.lung)


def best_dice(model: FittedBaseline) -> float:
    answer, truth = probability(model), UNSEEN.labels == 2
    marks = [answer >= threshold for threshold in np.arange(0.05, 1, 0.05)]
    return max(2 * (mark & truth).sum() / (mark.sum() + truth.sum()) for mark in marks)


@pytest.mark.parametrize("name", BASELINES)
def test_a_model_finds_the_vessels_of_a_scan_it_has_not_seen(name: str, fitted: dict[str, FittedBaseline]) -> None:
    answer = probability(fitted[name])
    assert answer.dtype == np.float32
    assert answer.shape == UNSEEN.hu.shape
    assert (answer[UNSEEN.lung == 0] == 0).all()
    assert answer.min() >= 0
    assert answer.max() <= 1
    assert best_dice(fitted[name]) > (0.93 if name in CLASSIFIERS else 0.7)


def test_classifiers_leave_airway_walls_where_line_filters_take_them(fitted: dict[str, FittedBaseline]) -> None:
    wall = UNSEEN.labels == 4
    share = {name: (probability(fitted[name])[wall] >= 0.45).mean() for name in BASELINES}
    assert min(share["threshold"], share["frangi"], share["sato"], share["jerman"]) > 0.1
    assert max(share[name] for name in CLASSIFIERS) < 0.06


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_are_those_of_a_voxel_drawn_at_random(name: str, fitted: dict[str, FittedBaseline]) -> None:
    """However many of each kind were drawn, their mean is the share of vessel in the lung."""
    answer = probability(fitted[name], TRAINING[0])[TRAINING[0].lung > 0]
    assert answer.mean() == pytest.approx((TRAINING[0].labels == 2).sum() / TRAINING[0].lung.sum(), rel=0.1)


@pytest.mark.parametrize("name", BASELINES)
def test_a_model_is_the_same_after_a_file(name: str, fitted: dict[str, FittedBaseline], tmp_path: Path) -> None:
    fitted[name].save(tmp_path)
    np.testing.assert_array_equal(probability(load_baseline(tmp_path, name)), probability(fitted[name]))
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".pkl", ".joblib")]


@pytest.mark.parametrize("name", ["random_forest", "xgboost"])
def test_the_same_seed_is_the_same_model(name: str, fitted: dict[str, FittedBaseline]) -> None:
    again, other = (fit_baseline(name, iter(TRAINING), seed) for seed in (0, 1))
    np.testing.assert_array_equal(probability(again), probability(fitted[name]))
    assert not np.array_equal(probability(other), probability(fitted[name]))


def test_the_order_of_a_line_filter_is_kept(fitted: dict[str, FittedBaseline]) -> None:
    field = LungField.cut(UNSEEN.hu, UNSEEN.spacing, UNSEEN.lung)
    response = vesselness(field, Sato())
    by_response = probability(fitted["sato"])[field.lung][np.argsort(response)]
    assert (np.diff(by_response) >= -1e-6).all()


def test_many_voxels_are_scored_in_pieces(fitted: dict[str, FittedBaseline], monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = probability(fitted["xgboost"])
    monkeypatch.setattr(baselines, "ROWS_AT_ONCE", 1000)
    np.testing.assert_array_equal(probability(fitted["xgboost"]), at_once)


def test_what_cannot_be_learnt_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'xgboost'"):
        fit_baseline("xgbost", TRAINING, seed=0)
    bare = dataclasses.replace(UNSEEN, labels=np.where(UNSEEN.labels == 2, 1, UNSEEN.labels).astype(np.uint8))
    with pytest.raises(InputError, match="labelled vessels"):
        fit_baseline("threshold", [bare], seed=0)
    with pytest.raises(CheckpointError, match="fit the model again"):
        load_baseline(tmp_path, "sato")


def test_a_model_of_other_features_is_not_read(fitted: dict[str, FittedBaseline], tmp_path: Path) -> None:
    fitted["logistic_regression"].save(tmp_path)
    path = tmp_path / "logistic_regression.json"
    path.write_text(path.read_text(encoding="utf-8").replace("lambda 1", "curvature 1"))
    with pytest.raises(CheckpointError, match="other features"):
        load_baseline(tmp_path, "logistic_regression")
