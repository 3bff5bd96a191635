"""Sparsity: settings in order, what they lose, and the sparsest that loses next to nothing."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ctr_prediction.report.sparsity import sparsity_figures, sparsity_table
from shared.metrics.binary import AUC
from shared.stats import paired_difference
from shared.table import Table
from tests.apps.ctr_prediction.predicted import changed, drawn, joined, line


def grid() -> tuple[Table, Table, Table]:
    """The middle setting ranks as the dense one, the sparse one worse; they stand in no order."""
    dense = drawn(600, model="l1 0", nonzero=1.0, block=[f"b{number % 10}" for number in range(600)])
    middle = changed(dense, model="l1 1", nonzero=0.46)
    coarse = changed(dense, model="l1 10", nonzero=0.11, probability=np.round(dense["probability"] * 6) / 6)
    return middle, coarse, dense


def test_settings_stand_from_dense_to_sparse() -> None:
    middle, coarse, dense = grid()
    shown = sparsity_table(joined(middle, coarse, dense), n=100)
    assert [row[:2] for row in shown.rows] == [("l1 0", "100.0"), ("l1 1", "46.0"), ("l1 10", "11.0")]
    assert shown.rows[0][3] == "-"
    assert shown.rows[1][3] == "+0.0000 [+0.0000, +0.0000]"
    lost = paired_difference(AUC, coarse, dense, "block", n=100)
    assert shown.rows[2][3] == f"{lost.estimate:+.4f} [{lost.low:+.4f}, {lost.high:+.4f}]"
    assert lost.estimate < -0.002
    assert "is l1 1, with 46.0% of its weights" in shown.note


def test_models_without_a_share_are_left_out_and_trainings_averaged() -> None:
    _, coarse, dense = (changed(part, seed=0) for part in grid())
    second = changed(dense, seed=1, nonzero=0.9, probability=coarse["probability"])
    trees = changed(dense, model="trees", nonzero=np.nan)
    shown = sparsity_table(joined(dense, second, trees), n=20)
    (only,) = shown.rows
    assert only[:2] == ("l1 0", "95.0")
    assert float(line(shown, "l1 0")["AUC"]) == pytest.approx((AUC(dense) + AUC(coarse)) / 2, abs=1e-4)
    assert shown.note.startswith("One setting only")


def test_the_figure_needs_two_settings() -> None:
    middle, coarse, dense = grid()
    assert sparsity_figures(dense) == []
    (figure,) = sparsity_figures(joined(middle, coarse, dense))
    assert figure.figure.axes[0].lines[0].get_xdata() == pytest.approx([100, 46, 11])
