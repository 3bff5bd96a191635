"""Logistic regression by FTRL-Proximal: the textbook's numbers, one id at a time, and what a stream needs."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from apps.ctr_prediction.classical.logistic import LrFtrl
from apps.ctr_prediction.classical.lr_ftrl import FtrlLogistic, FtrlRates
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.optimisers.ftrl import FTRL
from tests.apps.ctr_prediction.made_campaigns import SCHEMA, made_campaigns, stream

IDS, WIDTH = 12, 4
NONE = np.zeros((0, 0))


def made_ids(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ids of which some come twice in a row and some are padding, and clicks that depend on the first."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, IDS, (rows, WIDTH))
    return ids, (rng.random(rows) < np.where(ids[:, 0] < 4, 0.8, 0.2)).astype(np.float64)


def textbook(ids: np.ndarray, clicks: np.ndarray, rates: FtrlRates) -> list[float]:
    """Algorithm 1 of McMahan et al. with a dictionary, and the gradients of a batch summed; the bias is not shrunk."""
    z, n, bias = defaultdict(float), defaultdict(float), "bias"

    def weight(one: object) -> float:
        l1, l2 = (0.0, 0.0) if one is bias else (rates.l1, rates.l2)
        if abs(z[one]) <= l1:
            return 0.0
        return -(z[one] - math.copysign(l1, z[one])) / ((rates.beta + math.sqrt(n[one])) / rates.alpha + l2)

    for start in range(0, len(ids), rates.batch_rows):
        gradient: dict[object, float] = defaultdict(float)
        for row in range(start, min(start + rates.batch_rows, len(ids))):
            present = [*(one for one in ids[row].tolist() if one), bias]
            error = 1 / (1 + math.exp(-sum(map(weight, present)))) - clicks[row]
            for one in present:
                gradient[one] += error
        for one, g in gradient.items():
            s = (math.sqrt(n[one] + g * g) - math.sqrt(n[one])) / rates.alpha
            z[one] += g - s * weight(one)
            n[one] += g * g
    return [weight(one) if one else 0.0 for one in range(IDS)] + [weight(bias)]


@pytest.mark.parametrize("batch_rows", [1, 7, 64])
@pytest.mark.parametrize("l1", [0.0, 2.0])
def test_it_is_the_textbook(batch_rows: int, l1: float) -> None:
    ids, clicks = made_ids(150)
    rates = FtrlRates(l1=l1, batch_rows=batch_rows)
    model = FtrlLogistic(IDS, 0, rates)
    model.learn(ids, np.zeros((150, 0)), clicks)
    np.testing.assert_allclose([*model.ids.w, model.numbers.w[0]], textbook(ids, clicks, rates), rtol=1e-10, atol=1e-13)
    assert model.ids.w[0] == 0.0, "padding has no weight"
    assert (model.ids.w[1:] == 0.0).any() == (l1 > 0), "l1 gives exact zeros"


def test_it_agrees_with_the_optimiser_of_the_networks() -> None:
    ids, clicks = made_ids(640)
    model = FtrlLogistic(IDS, 0, FtrlRates(l1=0.3, l2=0.5))
    weights = torch.zeros(IDS, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    groups = [{"params": [weights], "l1": 0.3, "l2": 0.5}, {"params": [bias]}]
    optimizer = FTRL(groups, lr=0.1, beta=1.0)
    shown = torch.from_numpy(ids)
    for part in torch.arange(640).split(64):
        optimizer.zero_grad()
        logit = (weights[shown[part]] * (shown[part] > 0)).sum(dim=1) + bias
        truth = torch.from_numpy(clicks)[part]
        torch.nn.functional.binary_cross_entropy_with_logits(logit, truth, reduction="sum").backward()
        optimizer.step()
    model.learn(ids, np.zeros((640, 0)), clicks)
    np.testing.assert_allclose(model.ids.w[1:], weights.detach().numpy()[1:], atol=1e-9)
    np.testing.assert_allclose(model.numbers.w, bias.detach().numpy(), atol=1e-9)


def test_numbers_are_learnt_beside_the_ids() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(4000, 2))
    clicks = (rng.random(4000) < 1 / (1 + np.exp(1.0 - 2.0 * numbers[:, 0]))).astype(np.float64)
    model = FtrlLogistic(2, 2, FtrlRates())
    for _ in range(20):
        model.learn(np.zeros((4000, 1), np.int64), numbers, clicks)
    np.testing.assert_allclose(model.numbers.w, [2.0, 0.0, -1.0], atol=0.2)


def test_it_learns_on_from_where_it_was() -> None:
    ids, clicks = made_ids(300)
    numbers = np.random.default_rng(1).normal(size=(300, 1))
    whole, first, second = (FtrlLogistic(IDS, 1, FtrlRates(batch_rows=50)) for _ in range(3))
    whole.learn(ids, numbers, clicks)
    first.learn(ids[:150], numbers[:150], clicks[:150])
    second.restore(first.state())
    second.learn(ids[150:], numbers[150:], clicks[150:])
    np.testing.assert_array_equal(second.logit(ids, numbers), whole.logit(ids, numbers))


def test_how_the_stream_is_cut_does_not_matter() -> None:
    log = made_campaigns(1500)
    encoder = RowEncoder.fit(SCHEMA, [log], FeatureConfig())
    models = [LrFtrl(encoder, "click") for _ in range(3)]
    for model, rows in zip(models, (1, 333, 5000), strict=True):
        model.learn(stream(log, rows), seed=0)
    answers = [model.probability(log) for model in models]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
    assert np.std(answers[0]) > 0.05
