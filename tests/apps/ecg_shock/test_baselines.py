"""Classical models: thresholds where they belong, every patient and class heard, the same seed the same model."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from apps.ecg_shock.baselines import TRUSTED, MarginSVC, balanced_weights, baselines, patient_weights
from apps.ecg_shock.classical.detectors import ThresholdDetector
from apps.ecg_shock.classical.features import FEATURES, features_of
from apps.ecg_shock.data import preprocess
from shared.baselines import load_estimator, save_estimator
from shared.errors import CheckpointError, ConfigError, InputError

CLASSIFIERS = ("logistic regression", "SVM (RBF)", "decision tree", "random forest", "XGBoost")
SOME = (*CLASSIFIERS, "threshold on tcsc")

Table = npt.NDArray[np.float64]


def made_windows(n: int = 300, seed: int = 0) -> tuple[Table, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Features, targets and patients: shock moves half of the features by two standard deviations, up or down."""
    rng = np.random.default_rng(seed)
    targets = (rng.uniform(size=n) < 0.3).astype(np.int64)
    shift = np.where(np.arange(32) % 2, 2.0, 0.0) * np.where(np.arange(32) % 4 == 1, 1.0, -1.0)
    return rng.normal(size=(n, 32)) + targets[:, None] * shift, targets, rng.integers(0, 10, n)


def column_of(name: str, values: npt.ArrayLike) -> Table:
    """A feature table that is zero but for one column."""
    table = np.zeros((len(np.asarray(values)), 32))
    table[:, list(FEATURES).index(name)] = values
    return table


def test_every_feature_and_every_classifier_is_offered() -> None:
    assert set(baselines(0)) == {*CLASSIFIERS, *(f"threshold on {feature}" for feature in FEATURES)}


@pytest.mark.parametrize(("sign", "direction"), [(1, 1), (-1, -1)])
def test_a_detector_finds_direction_and_threshold(sign: int, direction: int) -> None:
    table = column_of("psr", sign * np.array([0.1, 0.2, 0.3, 0.5, 0.6]))
    detector = ThresholdDetector("psr").fit(table, [0, 0, 0, 1, 1])
    assert detector.direction_ == direction
    assert detector.threshold_ == pytest.approx(sign * 0.4)
    np.testing.assert_array_equal(detector.predict(table), [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(detector.predict(column_of("psr", [sign * 0.4])), [1])


def test_a_detector_cuts_where_the_weighted_balanced_accuracy_is_highest() -> None:
    table, targets, _ = made_windows()
    values = np.round(table[:, list(FEATURES).index("tcsc")], 1)
    table = column_of("tcsc", values)
    weights = np.random.default_rng(1).uniform(0.1, 3.0, len(targets))
    detector = ThresholdDetector("tcsc").fit(table, targets, weights)
    steps = np.unique(values)
    best = max(
        balanced_accuracy_score(targets, (direction * (values - cut) > 0).astype(int), sample_weight=weights)
        for cut in (steps[1:] + steps[:-1]) / 2
        for direction in (-1, 1)
    )
    assert balanced_accuracy_score(targets, detector.predict(table), sample_weight=weights) == pytest.approx(best)


def test_a_detector_ranks_by_its_feature_and_decides_at_one_half() -> None:
    table, targets, _ = made_windows()
    detector = ThresholdDetector("kurtosis").fit(table, targets)
    probability = detector.predict_proba(table)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(probability[:, 1] >= 0.5, detector.predict(table) == 1)
    order = np.argsort(detector.direction_ * table[:, list(FEATURES).index("kurtosis")])
    assert (np.diff(probability[order, 1]) >= 0).all()


def test_a_feature_that_never_changes_still_answers() -> None:
    detector = ThresholdDetector("tci").fit(column_of("tci", np.full(6, 1000.0)), [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(detector.predict_proba(column_of("tci", [1000.0])), [[0.5, 0.5]])


def test_a_detector_says_what_it_cannot_use() -> None:
    table, targets, _ = made_windows(20)
    with pytest.raises(ConfigError, match="Did you mean 'kurtosis'"):
        ThresholdDetector("curtosis").fit(table, targets)
    with pytest.raises(InputError, match="32"):
        ThresholdDetector("kurtosis").fit(table[:, :5], targets)
    with pytest.raises(InputError, match="both classes"):
        ThresholdDetector("kurtosis").fit(table, np.zeros(20))
    assert clone(ThresholdDetector("tci")).get_params() == {"feature": "tci"}


def test_a_patient_with_many_windows_counts_more_but_not_as_much() -> None:
    weights = patient_weights(["a"] * 4 + ["b"])
    np.testing.assert_allclose(weights, [0.5] * 4 + [1.0])
    assert weights[:4].sum() == 2 * weights[4]


def test_balanced_weights_give_both_classes_one_sum() -> None:
    targets, given = np.array([0, 0, 0, 1]), np.array([1.0, 2.0, 1.0, 0.5])
    weights = balanced_weights(targets, given)
    assert weights[targets == 0].sum() == pytest.approx(weights[targets == 1].sum())
    assert weights.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weights[:3] / weights[0], [1.0, 2.0, 1.0])
    with pytest.raises(InputError, match="two classes"):
        balanced_weights([1, 1], [1.0, 1.0])


def test_weights_are_those_of_the_patients_unless_given() -> None:
    table, targets, patients = made_windows()
    build = baselines(0)["decision tree"]
    by_groups = build().fit(table, targets, groups=patients).predict_proba(table)
    by_weights = build().fit(table, targets, weights=patient_weights(patients)).predict_proba(table)
    alike = build().fit(table, targets).predict_proba(table)
    np.testing.assert_array_equal(by_groups, by_weights)
    assert not np.array_equal(by_groups, alike)


@pytest.mark.parametrize("name", SOME)
def test_a_model_learns_and_decides_at_one_half(name: str) -> None:
    table, targets, patients = made_windows()
    unseen, truth, _ = made_windows(seed=1)
    probability = baselines(0)[name]().fit(table, targets, groups=patients).predict_proba(unseen)
    assert probability.shape == (300, 2)
    assert probability.dtype == np.float64
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-6)
    floor = 0.7 if name in ("decision tree", "threshold on tcsc") else 0.95
    assert balanced_accuracy_score(truth, probability[:, 1] >= 0.5) > floor


@pytest.mark.parametrize("name", SOME)
def test_the_same_seed_is_the_same_model_before_and_after_a_file(name: str, tmp_path: Path) -> None:
    table, targets, patients = made_windows(120)
    first, second = (baselines(3)[name]().fit(table, targets, groups=patients) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(table), second.predict_proba(table))
    again = load_estimator(save_estimator(first.estimator, tmp_path / "model"), trusted=TRUSTED)
    np.testing.assert_array_equal(again.predict_proba(table), first.predict_proba(table))


def test_an_own_estimator_is_not_read_without_being_trusted(tmp_path: Path) -> None:
    table, targets, _ = made_windows(50)
    path = save_estimator(ThresholdDetector("tci").fit(table, targets), tmp_path / "model")
    with pytest.raises(CheckpointError, match="ThresholdDetector"):
        load_estimator(path)


def test_the_support_vector_machine_decides_as_its_margin() -> None:
    table, targets, _ = made_windows()
    ours, theirs = MarginSVC().fit(table, targets), SVC().fit(table, targets)
    np.testing.assert_array_equal(ours.predict_proba(table)[:, 1] > 0.5, theirs.predict(table) == 1)
    assert ours.predict_proba(table)[:, 1].max() < 1.0


@pytest.mark.parametrize("name", SOME)
def test_wild_features_are_scored_all_the_same(name: str) -> None:
    """What a clipped or paced recording can do to a feature must not upset the models."""
    table, targets, patients = made_windows()
    wild = np.random.default_rng(0).choice([-1e6, 0.0, 1e6], size=(50, 32))
    probability = baselines(0)[name]().fit(table, targets, groups=patients).predict_proba(wild)
    assert np.isfinite(probability).all()


def real_windows(folder: Path, every: int) -> dict[str, npt.NDArray[np.generic]]:
    """Features of the first lead of every n-th window that a model may learn from, with class, patient and fold."""
    wfdb = pytest.importorskip("wfdb")
    with (folder / "windows_5s.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["cls"].startswith(("N_", "S_"))][::every]
    cut, signals = [], {}
    for row in rows:
        path = folder / row["db"] / row["record"]
        if path not in signals:
            record = wfdb.rdrecord(str(path))
            signals[path] = record.p_signal[:, 0], record.fs
        signal, rate = signals[path]
        first = round(float(row["start_s"]) * rate)
        cut.append(preprocess(signal[first : first + 5 * rate], rate))
    columns = {name: np.array([row[name] for row in rows]) for name in ("cls", "patient", "fold")}
    return {**columns, "features": features_of(cut)}


@pytest.mark.slow
def test_on_real_recordings_of_unseen_patients(real_ecg: Path) -> None:
    """A tenth of the windows, patients of one fold after the other held out: near the figures of the full set."""
    table = real_windows(real_ecg, every=10)
    shock = np.char.startswith(table["cls"].astype(str), "S_")
    floors = {"XGBoost": 0.92, "SVM (RBF)": 0.92, "logistic regression": 0.92, "threshold on slope_ratio": 0.87}
    for name, floor in floors.items():
        scores = []
        for fold in "01234":
            held = table["fold"] == fold
            scored = held & (table["cls"] != "S_VTVF")
            model = baselines(0)[name]().fit(table["features"][~held], shock[~held], groups=table["patient"][~held])
            decision = model.predict_proba(table["features"][scored])[:, 1] >= 0.5
            scores.append(balanced_accuracy_score(shock[scored], decision))
        assert np.mean(scores) > floor, (name, scores)
