"""What holds for every metric: a weight is how often the row counts, and the order of the rows is nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.metrics import binary, dense, detection, multiclass
from shared.table import Table, take

BINARY = [
    binary.SENSITIVITY,
    binary.SPECIFICITY,
    binary.BALANCED_ACCURACY,
    binary.ACCURACY,
    binary.POSITIVE_RATE,
    binary.WITHHELD_RATE,
    binary.AUC,
    binary.AVERAGE_PRECISION,
    binary.LOG_LOSS,
    binary.BRIER,
    binary.ECE,
    binary.sensitivity_at_specificity(0.8),
]
MULTICLASS = [
    multiclass.ACCURACY,
    multiclass.MACRO_RECALL,
    multiclass.MACRO_F1,
    multiclass.LOG_LOSS,
    multiclass.ECE,
]
DETECTION = [
    detection.average_precision(),
    detection.recall(0.5),
    detection.precision(0.5),
    detection.false_alarms_per_image(0.5),
]
DENSE = [dense.DICE, dense.MEAN_DICE, dense.PRECISION, dense.RECALL]
ALL = [*BINARY, *MULTICLASS, *DETECTION, *DENSE]

small = st.integers(1, 30)
grid = st.integers(0, 8).map(lambda number: number / 8)


@st.composite
def weighted_tables(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A table that every metric can read, with many ties, and whole weights."""
    n = draw(small)
    column = lambda values: draw(arrays.arrays(np.float64, n, elements=values))  # noqa: E731
    zero_one = st.sampled_from([0.0, 1.0])
    p_0 = column(grid)
    is_image = column(zero_one) == 1
    table = {
        "target": column(zero_one),
        "probability": column(grid),
        "decision": column(st.sampled_from([-1.0, 0.0, 1.0])),
        "p_0": p_0,
        "p_1": 1 - p_0,
        "score": np.where(is_image, np.nan, column(grid)),
        "truth": np.where(is_image, 100 * column(zero_one), 0),
        "matched_50": np.where(is_image, np.nan, column(zero_one)),
        **{name: column(st.integers(0, 5).map(float)) for name in ("tp", "fp", "fn")},
    }
    return table, draw(arrays.arrays(np.int64, n, elements=st.integers(0, 3))).astype(np.float64)


@given(made=weighted_tables())
@settings(deadline=None, max_examples=40)
def test_a_weight_is_how_often_the_row_is_there(made: tuple[Table, np.ndarray]) -> None:
    table, weights = made
    repeated = take(table, np.repeat(np.arange(len(weights)), weights.astype(int)))
    for metric in ALL:
        np.testing.assert_allclose(metric(table, weights), metric(repeated), atol=1e-9, err_msg=metric.name)


@given(made=weighted_tables(), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_rows_is_nothing(made: tuple[Table, np.ndarray], seed: int) -> None:
    table, weights = made
    order = np.random.default_rng(seed).permutation(len(weights))
    shuffled = take(table, order)
    for metric in ALL:
        expected = metric(table, weights)
        np.testing.assert_allclose(metric(shuffled, weights[order]), expected, atol=1e-9, err_msg=metric.name)


@given(made=weighted_tables())
@settings(deadline=None, max_examples=40)
def test_shares_stay_shares_and_the_table_is_left_alone(made: tuple[Table, np.ndarray]) -> None:
    table, weights = made
    before = {name: column.copy() for name, column in table.items()}
    for metric in ALL:
        value = metric(table, weights)
        if metric.percent or metric.name in {"AUC", "average precision", "Brier score", "calibration error"}:
            assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12, metric.name
    for name, column in table.items():
        np.testing.assert_array_equal(column, before[name])
