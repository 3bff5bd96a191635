"""Metrics of additive counts against torchmetrics on the masks they come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_f1_score, binary_precision, binary_recall

from shared.metrics import Metric, dense


def made_masks(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((6, 20, 20)) < 0.3
    return np.where(rng.random(truth.shape) < 0.2, ~truth, truth), truth


def counts(answer: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    axes = (1, 2)
    return {
        "tp": (answer & truth).sum(axis=axes),
        "fp": (answer & ~truth).sum(axis=axes),
        "fn": (~answer & truth).sum(axis=axes),
    }


@pytest.mark.parametrize(
    ("metric", "reference"),
    [(dense.DICE, binary_f1_score), (dense.PRECISION, binary_precision), (dense.RECALL, binary_recall)],
)
def test_pooled_metrics_equal_torchmetrics(metric: Metric, reference: object) -> None:
    answer, truth = made_masks()
    times = np.array([0, 1, 2, 1, 0, 3])
    expected = reference(torch.from_numpy(np.repeat(answer, times, 0)), torch.from_numpy(np.repeat(truth, times, 0)))  # type: ignore[operator]
    assert metric(counts(answer, truth), times.astype(float)) == pytest.approx(float(expected), abs=1e-6)


def test_mean_dice_is_the_mean_of_the_items_and_skips_empty_ones() -> None:
    answer, truth = made_masks()
    answer[0] = truth[0] = False
    table = counts(answer, truth)
    single = [dense.DICE({name: column[row : row + 1] for name, column in table.items()}) for row in range(1, 6)]
    assert dense.MEAN_DICE(table) == pytest.approx(np.mean(single))


def test_nothing_marked_is_nan() -> None:
    table = {name: np.zeros(3) for name in ("tp", "fp", "fn")}
    for metric in (dense.DICE, dense.MEAN_DICE, dense.PRECISION, dense.RECALL):
        assert np.isnan(metric(table)), metric.name
