"""Binary metrics against scikit-learn, and the meaning of weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from shared.errors import InputError
from shared.metrics import binary
from shared.table import Table


def made_table(n: int = 500, seed: int = 0, decimals: int = 2) -> dict[str, np.ndarray]:
    """Scores that overlap and, rounded, repeat."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, n)
    probability = np.round(1 / (1 + np.exp(-(target + rng.normal(0, 1.5, n)))), decimals)
    patient = np.array([f"p{number}" for number in rng.integers(0, 12, n)], dtype=object)
    return binary.decide({"target": target, "probability": probability, "patient": patient}, 0.6)


WEIGHTS = np.random.default_rng(1).integers(0, 4, 500).astype(float)


@pytest.mark.parametrize("decimals", [1, 2, 15])
def test_ranking_metrics_equal_scikit_learn_with_ties_and_weights(decimals: int) -> None:
    table = made_table(decimals=decimals)
    truth = (table["target"], table["probability"])
    assert binary.auc(table, WEIGHTS) == pytest.approx(
        reference.roc_auc_score(*truth, sample_weight=WEIGHTS), abs=1e-12
    )
    expected = reference.average_precision_score(*truth, sample_weight=WEIGHTS)
    assert binary.average_precision(table, WEIGHTS) == pytest.approx(expected, abs=1e-12)


def test_fractional_weights_equal_scikit_learn() -> None:
    table, weights = made_table(), np.random.default_rng(2).random(500)
    expected = reference.roc_auc_score(table["target"], table["probability"], sample_weight=weights)
    assert binary.auc(table, weights) == pytest.approx(expected, abs=1e-12)


def test_deciding_metrics_equal_scikit_learn() -> None:
    table = made_table()
    truth = (table["target"], table["decision"])
    kwargs = {"sample_weight": WEIGHTS}
    assert binary.sensitivity(table, WEIGHTS) == pytest.approx(reference.recall_score(*truth, **kwargs))
    assert binary.specificity(table, WEIGHTS) == pytest.approx(reference.recall_score(*truth, pos_label=0, **kwargs))
    assert binary.balanced_accuracy(table, WEIGHTS) == pytest.approx(
        reference.balanced_accuracy_score(*truth, **kwargs)
    )
    assert binary.accuracy(table, WEIGHTS) == pytest.approx(reference.accuracy_score(*truth, **kwargs))


def test_probability_metrics_equal_scikit_learn() -> None:
    table = made_table()
    table["probability"][:3] = [0.0, 1.0, 0.5]
    truth = (table["target"], table["probability"])
    assert binary.log_loss(table, WEIGHTS) == pytest.approx(reference.log_loss(*truth, sample_weight=WEIGHTS))
    assert binary.brier(table, WEIGHTS) == pytest.approx(reference.brier_score_loss(*truth, sample_weight=WEIGHTS))


def test_calibration_error_equals_scikit_learns_quantile_bins_without_ties() -> None:
    table = made_table(n=600, decimals=15)
    observed, predicted = calibration_curve(table["target"], table["probability"], n_bins=15, strategy="quantile")
    assert binary.ece(table, np.ones(600)) == pytest.approx(np.abs(observed - predicted).mean())


def test_calibration_error_of_known_bins() -> None:
    table = {"target": np.array([0, 1, 1, 1]), "probability": np.array([0.2, 0.2, 0.9, 0.9])}
    assert binary.ece(table, np.ones(4), n_bins=2) == pytest.approx((0.3 + 0.1) / 2)


def test_best_sensitivity_at_a_specificity_is_the_best_of_all_thresholds() -> None:
    table = made_table()
    target, probability = table["target"], table["probability"]
    best = 0.0
    for threshold in np.append(np.unique(probability), 2.0):
        decided = binary.decide(table, threshold)
        if binary.specificity(decided, WEIGHTS) >= 0.9:
            best = max(best, binary.sensitivity(decided, WEIGHTS))
    metric = binary.sensitivity_at_specificity(0.9)
    assert metric(table, WEIGHTS) == pytest.approx(best)
    assert metric({"target": target, "probability": (target == 1) * 1.0}) == 1.0
    assert metric({"target": target, "probability": (target == 0) * 1.0}) == 0.0


def test_a_threshold_is_reached_at_equality() -> None:
    decided = binary.decide({"probability": np.array([0.49, 0.5])}, 0.5)
    assert decided["decision"].tolist() == [0, 1]


def test_withheld_rows_are_left_out_of_decisions_and_counted() -> None:
    table = {"target": np.array([1, 1, 0, 0, 1]), "decision": np.array([1, -1, 0, -1, 0])}
    weights = np.array([1.0, 1, 1, 2, 1])
    assert binary.sensitivity(table, weights) == 0.5
    assert binary.specificity(table, weights) == 1.0
    assert binary.accuracy(table, weights) == pytest.approx(2 / 3)
    assert binary.withheld_rate(table, weights) == pytest.approx(3 / 6)
    assert binary.positive_rate(table, weights) == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    "metric", [binary.SENSITIVITY, binary.BALANCED_ACCURACY, binary.AUC, binary.sensitivity_at_specificity(0.9)]
)
def test_without_positives_the_metric_is_nan(metric: binary.Metric) -> None:
    assert np.isnan(metric(binary.decide({"target": np.zeros(3), "probability": np.array([0.1, 0.5, 0.9])}, 0.5)))


@pytest.mark.parametrize("weights", [np.zeros(500), np.zeros(0)])
def test_without_weight_every_metric_is_nan(weights: np.ndarray) -> None:
    table = {name: column[: len(weights)] for name, column in made_table().items()}
    for metric in (binary.SENSITIVITY, binary.SPECIFICITY, binary.ACCURACY, binary.AUC, binary.AVERAGE_PRECISION):
        assert np.isnan(metric(table, weights)), metric.name
    for metric in (binary.LOG_LOSS, binary.BRIER, binary.ECE, binary.WITHHELD_RATE, binary.POSITIVE_RATE):
        assert np.isnan(metric(table, weights)), metric.name


def test_scores_that_are_no_probabilities_rank_but_have_no_likelihood() -> None:
    table = {"target": np.array([0, 1, 1]), "probability": np.array([-3.0, 2.0, 7.0])}
    assert binary.AUC(table) == 1.0
    assert all(np.isnan(metric(table)) for metric in (binary.LOG_LOSS, binary.BRIER, binary.ECE))
    missing: Table = {**table, "probability": np.array([0.1, np.nan, 0.9])}
    assert all(np.isnan(metric(missing)) for metric in (binary.AUC, binary.AVERAGE_PRECISION, binary.LOG_LOSS))


def test_a_target_that_is_not_scored_is_refused() -> None:
    table = {"target": np.array([0, 1, -1]), "probability": np.array([0.1, 0.9, 0.5])}
    with pytest.raises(InputError, match=r"found \[-1\] too. Keep the scored rows"):
        binary.AUC(table)


def test_a_missing_column_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no column 'probability'\. Did you mean 'probabilty'"):
        binary.AUC({"target": np.array([0, 1]), "probabilty": np.array([0.1, 0.9])})


def test_a_metric_knows_its_direction_its_rows_and_its_format() -> None:
    table = made_table()
    assert binary.AUC.direction == "max"
    assert binary.LOG_LOSS.direction == "min"
    assert set(binary.SENSITIVITY.rows(table)["target"]) == {1}
    assert binary.AUC.rows(table) is table
    assert binary.SENSITIVITY.format(0.9712) == "97.1"
    assert binary.AUC.format(0.9912) == "0.991"
    assert binary.AUC.format(None) == binary.AUC.format(float("nan")) == "-"
