"""Calibration is fitted on other folds, at even odds, and not on what the amplitude rule decided."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ecg_shock.report.calibration import calibration_figures, calibration_tables, cross_fitted, even_odds
from shared.table import Table, take


def overconfident(n: int = 3000, folds: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    """Logits twice as large as they should be, at even odds."""
    rng = np.random.default_rng(seed)
    true_logit = rng.normal(0, 2, n)
    target = (rng.random(n) < 1 / (1 + np.exp(-true_logit))).astype(int)
    return {
        "logit": 2 * true_logit,
        "probability": 1 / (1 + np.exp(-2 * true_logit)),
        "target": target,
        "fold": np.arange(n) % folds,
        "seed": np.zeros(n, dtype=int),
        "amplitude_mv": np.full(n, 1.0),
    }


def errors(table: Table) -> list[tuple[float, ...]]:
    (shown,) = calibration_tables(cross_fitted(table))
    return [tuple(float(cell) for cell in row[1:4]) for row in shown.rows]


def test_even_odds_make_both_labels_alike_heavy() -> None:
    label = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(even_odds(label), [2 / 3, 2 / 3, 2 / 3, 2])
    assert len(even_odds(label[:0])) == 0


def test_overconfidence_is_found_and_taken_back() -> None:
    fitted = cross_fitted(overconfident())
    assert len(set(fitted["slope"].tolist())) == 3
    assert fitted["slope"].tolist() == pytest.approx([0.5] * 3000, rel=0.15)
    assert fitted["intercept"].tolist() == pytest.approx([0] * 3000, abs=0.25)
    given, calibrated = errors(overconfident())
    assert given[0] > 0.08
    assert calibrated[0] < 0.04
    assert calibrated[2] < given[2]
    assert len(calibration_figures(fitted)) == 1


def test_a_fold_is_calibrated_by_the_others_only() -> None:
    table = overconfident()
    held_out = table["fold"] == 0
    changed = {**table, "target": np.where(held_out, 1 - table["target"], table["target"])}
    first, second = cross_fitted(table), cross_fitted(changed)
    np.testing.assert_array_equal(first["calibrated"][held_out], second["calibrated"][held_out])
    assert (first["calibrated"][~held_out] != second["calibrated"][~held_out]).all()


def test_unscored_windows_are_calibrated_and_teach_nothing() -> None:
    table = overconfident()
    unscored = np.arange(3000) % 7 == 0
    table["target"] = np.where(unscored, -1, table["target"])
    both = cross_fitted(table)
    np.testing.assert_array_equal(cross_fitted(take(table, ~unscored))["calibrated"], both["calibrated"][~unscored])
    assert (both["calibrated"][unscored] != table["probability"][unscored]).all()


def test_windows_of_the_amplitude_rule_stay_as_they_are() -> None:
    table = overconfident()
    small = np.arange(3000) % 5 == 0
    table["amplitude_mv"][small] = 0.1
    table["target"][small] = 0
    fitted = cross_fitted(table)
    np.testing.assert_array_equal(fitted["calibrated"][small], table["probability"][small])
    assert np.isnan(fitted["slope"][small]).all()
    np.testing.assert_array_equal(cross_fitted(take(table, ~small))["calibrated"], fitted["calibrated"][~small])


def test_one_fold_has_no_others() -> None:
    alone = cross_fitted(overconfident(folds=1))
    np.testing.assert_array_equal(alone["calibrated"], alone["probability"])
    assert calibration_tables(alone) == []
    assert calibration_figures(alone) == []
