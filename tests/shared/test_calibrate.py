"""Calibrators find what was done to the logits, survive a card, and never make up certainty."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.calibration import calibration_curve

from shared.calibrate import (
    CALIBRATORS,
    Identity,
    Isotonic,
    Platt,
    Temperature,
    calibrator_from_dict,
    reliability,
)
from shared.errors import CheckpointError, InputError
from shared.metrics import binary


def binary_rows(n: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Honest logits and what came of them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 2, n)
    return logits, (rng.random(n) < expit(logits)).astype(int)


def test_temperature_finds_the_factor() -> None:
    logits, targets = binary_rows()
    assert Temperature.fit(3 * logits, targets).temperature == pytest.approx(3, rel=0.05)


def test_temperature_of_classes_finds_the_factor_and_keeps_the_ranking() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    targets = (rng.random((20_000, 1)) > np.cumsum(softmax(logits, axis=1), axis=1)).sum(axis=1)
    fitted = Temperature.fit(0.5 * logits, targets)
    assert fitted.temperature == pytest.approx(0.5, rel=0.05)
    probabilities = fitted(0.5 * logits)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), logits.argmax(axis=1))


def test_platt_finds_slope_and_intercept() -> None:
    logits, targets = binary_rows()
    fitted = Platt.fit(10 * (logits + 1), targets)
    assert fitted.slope == pytest.approx(0.1, rel=0.05)
    assert fitted.intercept == pytest.approx(-1, abs=0.1)


def test_platt_agrees_with_his_conditions_of_the_optimum() -> None:
    logits, targets = binary_rows(n=60)
    fitted = Platt.fit(logits, targets)
    positives = targets.sum()
    soft = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (60 - positives + 2))
    residual = fitted(logits) - soft
    assert abs(residual.sum()) < 1e-3
    assert abs((residual * logits).sum()) < 1e-3


def test_isotonic_mends_any_rising_distortion() -> None:
    logits, targets = binary_rows()
    distorted = np.sign(logits) * np.abs(logits) ** 3
    table = {"target": targets, "probability": Isotonic.fit(distorted, targets)(distorted)}
    assert binary.ECE({"target": targets, "probability": expit(distorted)}) > 0.05
    assert binary.ECE(table) < 0.01


@pytest.mark.parametrize("kind", CALIBRATORS)
def test_a_card_gives_the_same_calibrator_back(kind: str) -> None:
    logits, targets = binary_rows(n=500)
    fitted = CALIBRATORS[kind].fit(logits, targets)
    stored = json.loads(json.dumps(fitted.to_dict()))
    assert stored["kind"] == kind
    again = calibrator_from_dict(stored)
    assert again == fitted
    np.testing.assert_array_equal(again(logits), fitted(logits))
    assert again(np.float32(logits)).dtype == np.float64


@pytest.mark.parametrize("kind", CALIBRATORS)
def test_weights_are_rows_repeated(kind: str) -> None:
    logits, targets = binary_rows(n=200)
    weights = np.random.default_rng(1).integers(1, 4, 200)
    weighted = CALIBRATORS[kind].fit(logits, targets, weights)
    repeated = CALIBRATORS[kind].fit(np.repeat(logits, weights), np.repeat(targets, weights))
    np.testing.assert_allclose(weighted(logits), repeated(logits), atol=1e-4)


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
def test_separable_rows_do_not_make_certainty(kind: str) -> None:
    logits = np.array([-3.0, -2, -1, 1, 2, 3])
    fitted = CALIBRATORS[kind].fit(logits, (logits > 0).astype(int))
    probabilities = fitted(logits)
    assert np.all(np.diff(probabilities) >= 0)
    if kind == "temperature":
        assert fitted.to_dict()["temperature"] == pytest.approx(1 / 20, rel=1e-3)
    else:
        assert 4 / 5 <= probabilities.max() < 0.9
        assert probabilities.min() == pytest.approx(1 - probabilities.max(), abs=1e-3)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=30), st.sampled_from(sorted(CALIBRATORS)))
@settings(deadline=None, max_examples=60)
def test_answers_are_probabilities_that_never_fall(values: list[float], kind: str) -> None:
    logits, targets = binary_rows(n=300)
    probabilities = CALIBRATORS[kind].fit(logits, targets)(np.sort(values))
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert np.all(np.diff(probabilities) >= 0)


def test_identity_is_sigmoid_and_softmax() -> None:
    np.testing.assert_allclose(Identity()([0.0, 2.0]), expit([0.0, 2.0]))
    np.testing.assert_allclose(Identity()([[0.0, 1.0, 2.0]]), softmax([[0.0, 1.0, 2.0]], axis=1))


def test_rows_that_cannot_calibrate_are_refused() -> None:
    with pytest.raises(InputError, match="at least two classes"):
        Platt.fit([0.1, 0.2], [1, 1])
    with pytest.raises(InputError, match="finite logits"):
        Temperature.fit([0.1, np.nan], [0, 1])
    with pytest.raises(InputError, match="3 logits, 2 targets and 2 weights"):
        Isotonic.fit([0.1, 0.2, 0.3], [0, 1])
    with pytest.raises(InputError, match=r"shape \(2, 2\); use temperature"):
        Platt.fit([[0.1, 0.2], [0.3, 0.1]], [0, 1])


def test_a_damaged_card_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"'tempreature'\. Did you mean 'temperature'"):
        calibrator_from_dict({"kind": "tempreature"})
    with pytest.raises(CheckpointError, match="platt calibration does not hold the numbers"):
        calibrator_from_dict({"kind": "platt", "slope": 1.0})


def test_reliability_equals_scikit_learn_without_ties() -> None:
    logits, targets = binary_rows(n=1000)
    table = {"target": targets, "probability": expit(logits)}
    bins = reliability(table)
    observed, predicted = calibration_curve(targets, expit(logits), n_bins=10, strategy="quantile")
    np.testing.assert_allclose(bins["observed"], observed)
    np.testing.assert_allclose(bins["predicted"], predicted)
    np.testing.assert_allclose(bins["mass"], 100)
    np.testing.assert_allclose(reliability(table, np.full(1000, 2.0))["mass"], 200)
