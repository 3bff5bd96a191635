"""The floor of the calibration error: brute force, and models that are honest or are not."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ctr_prediction.report.ece_floor import (
    EceFloor,
    calibration_figure,
    calibration_table,
    mean_floor,
    simulated_ece,
)
from shared.figures import to_svg
from shared.metrics.binary import ECE
from tests.apps.ctr_prediction.predicted import changed, clicks, drawn, joined, line


@pytest.mark.parametrize("ties", [False, True])
def test_simulations_are_the_metric_on_drawn_labels(ties: bool) -> None:
    rng = np.random.default_rng(3)
    p = np.sort(rng.choice([0.1, 0.2, 0.7], 200) if ties else rng.random(200))
    labels = np.random.default_rng(0)
    brute = [ECE({"probability": p, "target": (labels.random(200) < p).astype(int)}) for _ in range(30)]
    assert simulated_ece(rng.permutation(p), 30) == pytest.approx(brute)


def test_one_bin_by_hand() -> None:
    """Equal probabilities fall into one bin: the error is |clicks / n - p|, of a binomial count."""
    found = simulated_ece(np.full(100, 0.3), 4000)
    assert found.mean() == pytest.approx(np.sqrt(2 / np.pi * 0.3 * 0.7 / 100), rel=0.05)
    assert np.quantile(found, 0.95) == pytest.approx(1.96 * np.sqrt(0.3 * 0.7 / 100), abs=0.011)


def test_the_mean_is_that_of_independent_bins() -> None:
    """Each bin's count is nearly normal: its mean distance is sqrt(2 / pi) standard deviations."""
    p = np.sort(np.random.default_rng(0).beta(0.5, 5.7, 4050))
    deviations = [np.sqrt((part * (1 - part)).sum()) for part in np.split(p, 15)]
    expected = np.sqrt(2 / np.pi) * np.sum(deviations) / len(p)
    assert simulated_ece(p).mean() == pytest.approx(expected, rel=0.03)


def test_a_surer_model_has_a_lower_floor() -> None:
    """Both of 8 % clicks on 4060 rows: what chance leaves is no constant of the number of rows."""
    rng = np.random.default_rng(0)
    vague, sure = (np.quantile(simulated_ece(rng.beta(a, 11.5 * a, 4060)), 0.95) for a in (1.0, 0.2))
    assert 0.010 < sure < 0.013 < vague < 0.018


def test_an_honest_model_lies_below_the_floor_and_a_dishonest_one_above() -> None:
    inside = [EceFloor.of(drawn(1000, seed)).excess <= 0 for seed in range(40)]
    assert np.mean(inside) > 0.8
    table = drawn(5000)
    assert EceFloor.of(changed(table, probability=table["probability"] / 2)).excess > 0.05


def test_trainings_are_averaged() -> None:
    first = drawn(500, 0, seed=0)
    second = changed(first, probability=first["probability"] / 2, seed=1)
    found, singles = mean_floor(joined(first, second)), [EceFloor.of(part) for part in (first, second)]
    assert found.ece == pytest.approx(np.mean([one.ece for one in singles]))
    assert found.floor == pytest.approx(np.mean([one.floor for one in singles]))


def test_the_table_and_its_verdict() -> None:
    table = drawn(2000)
    shown = calibration_table(joined(table, changed(table, model="halved", probability=table["probability"] / 2)))
    honest, halved = line(shown, "network"), line(shown, "halved")
    assert float(honest["calibration error"]) == pytest.approx(ECE(table), abs=1e-4)
    assert float(honest["excess over the floor"]) < 0 < float(halved["excess over the floor"])


def test_the_figure_draws_a_band() -> None:
    figure = calibration_figure(drawn(400))
    assert "<svg" in to_svg(figure.figure, "a", figure.alt)
    (axes,) = figure.figure.axes
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() >= 0
    assert figure.alt.endswith(f"{ECE(drawn(400)):.4f}.")


def test_no_rows_have_no_floor() -> None:
    empty = clicks([], [])
    assert np.isnan(EceFloor.of(empty).excess)
    assert line(calibration_table(clicks([0], [0.2])), "network")["calibration error"] == "0.2000"
