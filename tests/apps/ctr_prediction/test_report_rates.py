"""Undoing the sampling, the metrics of the level, and their table: numbers that can be worked out on paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.report.rate_table import rate_table
from apps.ctr_prediction.report.rates import (
    NORMALISED_ENTROPY,
    PREDICTED_TO_OBSERVED,
    inverse_sampling_rate,
    predicted_to_observed,
    sampled_predicted_to_observed,
    true_log_loss,
    undo_sampling,
)
from shared.errors import InputError
from shared.metrics.binary import LOG_LOSS
from shared.table import take
from tests.apps.ctr_prediction.predicted import RATE, changed, clicks, drawn, joined, line


def ones(n: int) -> np.ndarray:
    return np.ones(n)


def test_undoing_divides_the_odds() -> None:
    assert undo_sampling([0.5, 0.0, 1.0], 100) == pytest.approx([1 / 101, 0, 1])
    assert undo_sampling([0.2], 1) == pytest.approx([0.2])


@settings(deadline=None, max_examples=25)
@given(st.floats(0.001, 0.999), st.floats(0.5, 1e4))
def test_the_odds_are_those_of_the_whole_log(p: float, rate: float) -> None:
    q = float(undo_sampling([p], rate)[0])
    assert q / (1 - q) * rate == pytest.approx(p / (1 - p))


@pytest.mark.parametrize("rate", [0.0, -2.0, float("inf")])
def test_a_rate_is_a_positive_number(rate: float) -> None:
    with pytest.raises(InputError, match=r"112\.238"):
        undo_sampling([0.1], rate)


def test_the_rate_is_read_off_the_weights() -> None:
    table = clicks([1, 0, 0, 1], 0.5)
    assert inverse_sampling_rate(table) == RATE
    assert inverse_sampling_rate({**table, "weight": 3 * table["weight"]}) == pytest.approx(RATE)
    assert np.isnan(inverse_sampling_rate(take(table, table["target"] == 0)))


def test_the_constant_of_the_public_sample() -> None:
    """1269 of 15316 training and 321 of 4060 later rows are clicks; the constant's log loss is 0.2766."""
    target = np.arange(4060) < 321
    table = clicks(target, 1269 / 15316, base_rate=1269 / 15316)
    assert LOG_LOSS(table) == pytest.approx(0.2766, abs=5e-5)
    assert NORMALISED_ENTROPY(table) == pytest.approx(1)


def test_normalised_entropy_by_hand() -> None:
    table = clicks([1, 0], [0.8, 0.4], base_rate=0.5)
    expected = -(np.log(0.8) + np.log(0.6)) / 2 / np.log(2)
    assert NORMALISED_ENTROPY(table) == pytest.approx(expected)
    twice = NORMALISED_ENTROPY.function(table, np.array([2.0, 1.0]))
    assert twice == pytest.approx(-(2 * np.log(0.8) + np.log(0.6)) / 3 / np.log(2))
    assert twice == pytest.approx(NORMALISED_ENTROPY(joined(table, take(table, np.array([0])))))


def test_predicted_over_observed_by_hand() -> None:
    table = clicks([1, 0, 0], [0.5, 0.5, 0.0 + 1e-12])
    assert sampled_predicted_to_observed(table, ones(3)) == pytest.approx(1.0)
    undone = 1 / (1 + RATE)  # the click stands for one row, the first non-click for a hundred
    assert PREDICTED_TO_OBSERVED(table) == pytest.approx(undone + RATE * undone)
    drawn_twice = PREDICTED_TO_OBSERVED.function(table, np.array([2.0, 1.0, 1.0]))
    assert drawn_twice == pytest.approx((2 * undone + RATE * undone) / 2)
    assert PREDICTED_TO_OBSERVED.function(table, np.array([1.0, 3.0, 0.0])) == pytest.approx(undone + 3 * RATE * undone)


def test_a_part_of_the_log_takes_the_rate_of_the_whole() -> None:
    table = clicks([1, 0], [0.5, 0.5])
    only_click = take(table, np.array([0]))
    assert np.isnan(PREDICTED_TO_OBSERVED(only_click))
    assert predicted_to_observed(only_click, ones(1), RATE) == pytest.approx(1 / 101)


def test_thinning_changes_neither_true_level_nor_true_loss() -> None:
    """A whole log with known probabilities, and the same log thinned: the figures agree."""
    rng = np.random.default_rng(1)
    true = rng.uniform(0.0005, 0.02, 400_000)
    target = rng.random(len(true)) < true
    kept = target | (rng.random(len(true)) < 1 / 10)
    thinned_p = true / (true + (1 - true) / 10)
    table = changed(clicks(target, thinned_p), weight=np.where(target, 1.0, 10.0))
    thinned = take(table, kept)
    assert PREDICTED_TO_OBSERVED(thinned) == pytest.approx(true.sum() / target.sum(), rel=0.02)
    whole_loss = LOG_LOSS(changed(table, probability=true))
    assert true_log_loss(thinned, ones(int(kept.sum())), 10.0) == pytest.approx(whole_loss, rel=0.02)


def test_true_log_loss_by_hand() -> None:
    found = true_log_loss(clicks([1, 0], [0.5, 0.5]), ones(2), RATE)
    assert found == pytest.approx(-(np.log(1 / 101) + 100 * np.log(100 / 101)) / 101)


def test_the_table_names_the_constant_and_means_over_trainings() -> None:
    first = clicks([1, 0], [0.8, 0.4], seed=0)
    both = joined(first, changed(first, probability=[0.6, 0.2], seed=1))
    shown = rate_table(joined(both, changed(first, model="other")))
    assert [row[0] for row in shown.rows] == ["network", "other", "constant training rate"]
    network = line(shown, "network")
    losses = [-(np.log(0.8) + np.log(0.6)) / 2, -(np.log(0.6) + np.log(0.8)) / 2]
    assert network["log loss"] == f"{np.mean(losses):.4f}"
    assert network["predicted / observed, as sampled"] == "1.000"  # 1.2 and 0.8
    constant = line(shown, "constant training rate")
    assert constant["normalised entropy"] == constant["normalised entropy there"] == "1.000"
    assert constant["log loss"] == "0.6931"
    assert "each one kept: 100." in shown.note


def test_without_clicks_there_are_dashes() -> None:
    shown = rate_table(clicks([0, 0], [0.1, 0.2]))
    assert line(shown, "network")["sampling undone"] == "-"
    assert line(shown, "network")["log loss at the true rate"] == "-"


def test_honest_probabilities_are_counted_right() -> None:
    assert PREDICTED_TO_OBSERVED(drawn(20_000)) == pytest.approx(1, abs=0.06)
