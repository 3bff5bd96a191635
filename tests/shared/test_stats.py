"""Intervals: clusters count, draws are paired, few groups give a range, exact limits are those of the textbooks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from shared import stats
from shared.errors import InputError
from shared.metrics import binary
from shared.table import Table, take


def mean_of_value(table: Table, weights: np.ndarray) -> float:
    return float(weights @ table["value"] / weights.sum()) if weights.sum() else float("nan")


def clustered(n_groups: int = 40, size: int = 20, spread: float = 1.0, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows whose group decides most of their value."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), size)
    value = rng.normal(0, spread, n_groups)[group] + rng.normal(0, 1, len(group))
    names = np.array([f"p{number:02d}" for number in group], dtype=object)
    return {"item": np.arange(len(group)), "patient": names, "value": value}


def scored(n: int = 600, n_groups: int = 20, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = (rng.random(n) < 0.3).astype(int)
    probability = 1 / (1 + np.exp(-(2 * target - 1 + rng.normal(0, 1.5, n))))
    group = rng.integers(0, n_groups, n)
    return binary.decide({"item": np.arange(n), "patient": group, "target": target, "probability": probability}, 0.5)


def test_a_group_counts_as_one_sample() -> None:
    table = clustered()
    by_patient = stats.group_bootstrap(mean_of_value, table, "patient")
    by_row = stats.group_bootstrap(mean_of_value, table, "item")
    assert by_patient.method == "group bootstrap"
    assert by_patient.n_groups == 40
    assert by_patient.low < by_patient.estimate < by_patient.high
    assert by_patient.high - by_patient.low > 3 * (by_row.high - by_row.low)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    table = clustered(n_groups=200, size=1)
    interval = stats.group_bootstrap(mean_of_value, table, "patient", n=3000, level=0.9)
    error = table["value"].std() / np.sqrt(200)
    assert interval.low == pytest.approx(interval.estimate - 1.645 * error, abs=0.12 * error)
    assert interval.high == pytest.approx(interval.estimate + 1.645 * error, abs=0.12 * error)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    hits = 0
    for seed in range(100):
        interval = stats.group_bootstrap(mean_of_value, clustered(30, 5, seed=seed), "patient", n=200, level=0.9)
        hits += interval.low <= 0 <= interval.high
    assert 80 <= hits <= 97


def test_the_same_seed_gives_the_same_interval_in_any_order_of_rows() -> None:
    table = scored()
    shuffled = take(table, np.random.default_rng(1).permutation(600))
    first, again, other = (
        stats.group_bootstrap(binary.AUC, rows, "patient", n=50, seed=seed)
        for rows, seed in ((table, 0), (shuffled, 0), (table, 1))
    )
    assert (first.low, first.high) == pytest.approx((again.low, again.high), abs=1e-12)
    assert first.low != other.low


@given(st.integers(8, 20), st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_an_interval_contains_its_estimate_and_grows_with_the_level(n_groups: int, seed: int) -> None:
    drawn = stats.resample(mean_of_value, clustered(n_groups, 3, seed=seed), "patient", n=100, seed=seed)
    narrow, wide = drawn.interval(0.8), drawn.interval(0.99)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    assert wide.low <= wide.estimate <= wide.high


def test_resampling_is_repeating_the_groups_rows() -> None:
    table = clustered(10, 4)
    drawn = stats.resample(mean_of_value, table, "patient", n=5, seed=3)
    names = np.array(drawn.groups)
    for value, counts in zip(drawn.values, stats._draw_groups(10, 5, 3), strict=True):
        rows = [np.flatnonzero(table["patient"] == name) for name in np.repeat(names, counts)]
        assert value == pytest.approx(table["value"][np.concatenate(rows)].mean())


def test_under_eight_groups_there_is_a_range_and_no_interval() -> None:
    table = clustered(7)
    interval = stats.group_bootstrap(mean_of_value, table, "patient")
    values = stats.per_group(mean_of_value, table, "patient")
    assert interval.method == "range over groups"
    assert (interval.low, interval.high) == (min(values.values()), max(values.values()))
    assert list(values) == [f"p{number:02d}" for number in range(7)]
    assert values["p03"] == pytest.approx(table["value"][table["patient"] == "p03"].mean())
    assert stats.group_bootstrap(mean_of_value, clustered(8), "patient").method == "group bootstrap"


def test_only_groups_with_a_row_that_counts_are_drawn() -> None:
    table = scored()
    table["target"] = np.where(table["patient"] < 5, table["target"], 0)
    interval = stats.group_bootstrap(binary.SENSITIVITY, table, "patient")
    assert interval.n_groups == 5
    assert interval.method == "range over groups"
    assert set(stats.per_group(binary.SENSITIVITY, table, "patient")) == {"0", "1", "2", "3", "4"}


def test_undefined_resamples_are_counted_and_left_out() -> None:
    table = scored(n_groups=10)
    table["target"] = ((table["patient"] == 0) & (table["item"] % 2 == 0)).astype(int)
    interval = stats.group_bootstrap(binary.AUC, table, "patient", n=400)
    assert interval.undefined == pytest.approx((1 - 1 / 10) ** 10, abs=0.08)
    assert 0 <= interval.low <= interval.high <= 1
    table["target"][:] = 0
    nothing = stats.group_bootstrap(binary.AUC, table, "patient", n=20)
    assert nothing.undefined == 1.0
    assert nothing.to_dict()["low"] is None
    assert nothing.to_dict()["n_groups"] == 10


def test_an_empty_table_has_no_groups_and_no_interval() -> None:
    empty = take(scored(), np.arange(0))
    interval = stats.group_bootstrap(binary.AUC, empty, "patient")
    assert interval.n_groups == 0
    assert np.isnan([interval.estimate, interval.low, interval.high]).all()


def test_base_weights_multiply_the_draws() -> None:
    table = clustered()
    table["weight"] = np.where(np.arange(800) % 2, 3.0, 1.0)
    weighted = stats.group_bootstrap(mean_of_value, table, "patient", n=50, weight="weight")
    repeated = take(table, np.repeat(np.arange(800), table["weight"].astype(int)))
    expected = stats.group_bootstrap(mean_of_value, repeated, "patient", n=50)
    assert (weighted.estimate, weighted.low, weighted.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )


def test_a_paired_difference_is_sharper_than_two_intervals() -> None:
    table = clustered()
    better = {**table, "value": table["value"] + 0.2 + np.random.default_rng(5).normal(0, 0.1, 800)}
    order = np.random.default_rng(6).permutation(800)
    gain = stats.paired_difference(mean_of_value, take(better, order), table, "patient")
    assert gain.estimate == pytest.approx(0.2, abs=0.02)
    assert 0.15 < gain.low < gain.high < 0.25
    assert gain.share_at_most_zero == 0.0
    loss = stats.paired_difference(mean_of_value, table, better, "patient")
    assert loss.share_at_most_zero == 1.0
    assert loss.to_dict()["estimate"] == pytest.approx(-gain.estimate)


def test_a_model_does_not_differ_from_itself() -> None:
    same = stats.paired_difference(binary.AUC, scored(), scored(), "patient", n=30)
    assert (same.estimate, same.low, same.high, same.share_at_most_zero) == (0.0, 0.0, 0.0, 1.0)


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 2), st.booleans()), max_size=12))
def test_row_codes_agree_where_the_columns_do(rows: list[tuple[str | None, int, bool]]) -> None:
    table = {
        "text": np.array([row[0] for row in rows], dtype=object),
        "number": np.array([row[1] for row in rows], dtype=np.int64),
        "flag": np.array([row[2] for row in rows], dtype=bool),
    }
    codes = stats.row_codes(table, tuple(table)).tolist()
    assert len(codes) == len(rows)
    assert [[one == other for other in codes] for one in codes] == [[a == b for b in rows] for a in rows]
    assert all(0 <= code <= len(rows) for code in codes)


def test_a_column_of_several_kinds_names_nothing() -> None:
    with pytest.raises(InputError, match="values of one kind"):
        stats.row_codes({"item": np.array(["a", 1], dtype=object)}, ("item",))


def test_models_on_different_rows_are_not_compared() -> None:
    table = scored()
    with pytest.raises(InputError, match=r"1 rows are only in the first and 0 only in the second.*'item': 599"):
        stats.paired_difference(binary.AUC, table, take(table, np.arange(599)), "patient")
    with pytest.raises(InputError, match="the same groups can be compared; found 20 and 5 groups, 5 in common"):
        stats.difference(
            stats.resample(binary.AUC, table, "patient", n=2),
            stats.resample(binary.AUC, take(table, table["patient"] < 5), "patient", n=2),
        )


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_row_without_a_group_is_refused(missing: object) -> None:
    table = clustered()
    table["patient"][3] = missing
    with pytest.raises(InputError, match="'patient' names no group in some rows"):
        stats.group_bootstrap(mean_of_value, table, "patient")


def test_clopper_pearson_inverts_the_binomial_tail() -> None:
    interval = stats.clopper_pearson(45, 50)
    assert interval.low == pytest.approx(beta.ppf(0.025, 45, 6))
    assert interval.high == pytest.approx(beta.ppf(0.975, 46, 5))
    assert interval.method == "exact binomial"
    assert interval.n_groups == 50


def test_one_sided_exact_limits() -> None:
    lower = stats.clopper_pearson(200, 200, level=0.9, side="lower")
    assert lower.low == pytest.approx(0.1 ** (1 / 200))
    assert lower.high == 1.0
    upper = stats.clopper_pearson(0, 30, level=0.95, side="upper")
    assert (upper.low, upper.high) == pytest.approx((0.0, 1 - 0.05 ** (1 / 30)))


def test_exact_limits_without_trials_and_out_of_range() -> None:
    nothing = stats.clopper_pearson(0, 0)
    assert np.isnan(nothing.estimate)
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    with pytest.raises(InputError, match="found 5 of 4"):
        stats.clopper_pearson(5, 4)


def test_a_thousand_resamples_of_twenty_thousand_rows_take_seconds() -> None:
    table = scored(n=20_000, n_groups=70)
    start = time.process_time()
    stats.group_bootstrap(binary.AUC, table, "patient", n=1000)
    assert time.process_time() - start < 15
