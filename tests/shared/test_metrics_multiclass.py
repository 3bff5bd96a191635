"""Multi-class metrics against scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_recall

from shared.errors import InputError
from shared.metrics import multiclass

WEIGHTS = np.random.default_rng(1).integers(0, 4, 400).astype(float)


def made_table(n: int = 400, classes: int = 5, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)) + 1.2 * np.eye(classes)[target]
    matrix = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return multiclass.decide({"target": target, **{f"p_{number}": matrix[:, number] for number in range(classes)}})


def test_metrics_equal_scikit_learn() -> None:
    table, kwargs = made_table(), {"sample_weight": WEIGHTS}
    truth = (table["target"], table["decision"])
    assert multiclass.accuracy(table, WEIGHTS) == pytest.approx(reference.accuracy_score(*truth, **kwargs))
    assert multiclass.macro_recall(table, WEIGHTS) == pytest.approx(reference.balanced_accuracy_score(*truth, **kwargs))
    assert multiclass.macro_f1(table, WEIGHTS) == pytest.approx(reference.f1_score(*truth, average="macro", **kwargs))
    expected = reference.log_loss(table["target"], multiclass.probabilities(table), **kwargs)
    assert multiclass.log_loss(table, WEIGHTS) == pytest.approx(expected)


def test_recall_equals_torchmetrics() -> None:
    table = made_table()
    decision, target = torch.from_numpy(table["decision"]), torch.from_numpy(table["target"])
    expected = multiclass_recall(decision, target, num_classes=5, average="macro")
    assert multiclass.MACRO_RECALL(table) == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_of_one_bin_equals_torchmetrics() -> None:
    table = made_table()
    probabilities, target = torch.from_numpy(multiclass.probabilities(table)), torch.from_numpy(table["target"])
    expected = multiclass_calibration_error(probabilities, target, num_classes=5, n_bins=1)
    assert multiclass.ece(table, np.ones(400), n_bins=1) == pytest.approx(float(expected), abs=1e-6)


def test_the_confusion_matrix_equals_scikit_learn_and_keeps_absent_classes() -> None:
    table = made_table()
    counts = multiclass.confusion_matrix(table, WEIGHTS, n_classes=7)
    expected = reference.confusion_matrix(table["target"], table["decision"], labels=range(7), sample_weight=WEIGHTS)
    assert counts.shape == (7, 7)
    np.testing.assert_allclose(counts, expected)


def test_absent_classes_do_not_enter_the_means() -> None:
    table = {"target": np.array([0, 0, 3]), "decision": np.array([0, 0, 3])}
    assert multiclass.MACRO_RECALL(table) == 1.0
    assert multiclass.MACRO_F1(table) == 1.0


def test_withheld_rows_are_left_out() -> None:
    table = {"target": np.array([0, 1, 1]), "decision": np.array([0, 1, -1])}
    assert multiclass.ACCURACY(table) == multiclass.MACRO_RECALL(table) == 1.0
    assert multiclass.confusion_matrix(table).sum() == 2


def test_undefined_is_nan() -> None:
    table = made_table()
    for metric in (multiclass.ACCURACY, multiclass.MACRO_RECALL, multiclass.MACRO_F1, multiclass.ECE):
        assert np.isnan(metric(table, np.zeros(400))), metric.name
    assert np.isnan(multiclass.LOG_LOSS(table, np.zeros(400)))
    table["p_0"][0] = np.nan
    assert np.isnan(multiclass.ECE(table))


def test_class_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="starts at 0, found -1"):
        multiclass.ACCURACY({"target": np.array([-1]), "decision": np.array([0])})
    with pytest.raises(InputError, match="with 2 classes the highest is 1"):
        multiclass.confusion_matrix({"target": np.array([2]), "decision": np.array([0])}, n_classes=2)
    with pytest.raises(InputError, match="no column 'p_1'"):
        multiclass.probabilities({"p_0": np.array([1.0])})
    with pytest.raises(InputError, match="class 5, but with 2 classes"):
        multiclass.LOG_LOSS({"target": np.array([5]), "p_0": np.array([0.5]), "p_1": np.array([0.5])})
