"""Groups: counts, areas and ratios by hand, and an AUC that does not reward knowing the group."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ctr_prediction.report.by_group import auc_bars, auc_within, group_table, most_clicked, with_codes
from shared.errors import InputError
from shared.metrics.binary import AUC
from shared.table import concatenate, take
from tests.apps.ctr_prediction.predicted import RATE, changed, clicks, drawn, joined, line


def two_groups() -> dict[str, np.ndarray]:
    """a: AUC 1 on two clicks; b: one click, AUC 1/2."""
    target = [1, 1, 0, 0, 1, 0, 0]
    probability = [0.9, 0.8, 0.7, 0.6, 0.2, 0.1, 0.3]
    return clicks(target, probability, advertiser=list("aaaabbb"), block=list("aaaabbb"))


def test_within_is_the_mean_weighted_by_clicks() -> None:
    table = two_groups()
    assert auc_within("advertiser")(table) == pytest.approx((2 * 1 + 1 * 0.5) / 3)
    assert auc_within("advertiser")(with_codes(table, "advertiser")) == pytest.approx(2.5 / 3)
    halves = np.array([1.0, 1, 1, 1, 2, 2, 2])  # b drawn twice
    assert auc_within("advertiser").function(table, halves) == pytest.approx((2 * 1 + 2 * 0.5) / 4)


def test_weights_are_copies_of_rows() -> None:
    table = drawn(60, advertiser=[f"a{number % 3}" for number in range(60)])
    weights = np.random.default_rng(0).integers(0, 3, 60)
    copied = take(table, np.repeat(np.arange(60), weights))
    metric = auc_within("advertiser")
    assert metric.function(table, weights.astype(float)) == pytest.approx(metric(copied))


def test_knowing_the_group_gains_nothing_within() -> None:
    table = drawn(2000, 5)
    rates = np.where(np.arange(2000) % 2, 0.4, 0.05)
    labels = np.random.default_rng(2).random(2000) < rates
    table = changed(table, target=labels, probability=rates, advertiser=np.where(np.arange(2000) % 2, "x", "y"))
    assert AUC(table) > 0.7
    assert auc_within("advertiser")(table) == pytest.approx(0.5)


def test_groups_of_one_label_are_left_out() -> None:
    table = take(two_groups(), np.array([0, 1, 4, 5, 6]))  # a has clicks only
    assert auc_within("advertiser")(table) == pytest.approx(0.5)
    assert np.isnan(auc_within("advertiser")(take(table, np.array([0, 1]))))


def test_the_table_by_hand() -> None:
    shown = group_table(two_groups(), "advertiser", n=50)
    assert [row[:3] for row in shown.rows] == [("a", "4", "2"), ("b", "3", "1")]
    first, second = line(shown, "a"), line(shown, "b")
    assert second["AUC"].startswith("0.500")
    assert first["remark"] == second["remark"] == "under 20 clicks"
    assert first["predicted / observed, as sampled"] == "1.500"
    assert second["predicted / observed, as sampled"] == "0.600"
    q = np.array([0.2, 0.1, 0.3]) / (np.array([0.2, 0.1, 0.3]) + np.array([0.8, 0.9, 0.7]) * RATE)
    assert second["sampling undone"] == f"{q[0] + RATE * (q[1] + q[2]):.3f}"
    assert "within advertiser, weighted by clicks, 0.833" in shown.note


def test_blocks_are_drawn_where_there_are_enough_of_them() -> None:
    days = drawn(400, advertiser="a", block=[f"a day {number % 10}" for number in range(400)])
    one_day = drawn(400, advertiser="b", block="b day 0")
    shown = group_table(concatenate([days, changed(one_day, item=np.arange(400, 800))]), "advertiser", n=100)
    assert line(shown, "a")["drawn"] == "10 blocks"
    assert line(shown, "b")["drawn"] == "impressions"
    assert line(shown, "a")["remark"] == ""
    low, high = (float(end) for end in line(shown, "b")["AUC"].split("[")[1].strip("]").split(","))
    assert low < AUC(one_day) < high


def test_trainings_share_their_impressions() -> None:
    first = changed(two_groups(), seed=0)
    shown = group_table(joined(first, changed(first, probability=1 - first["probability"], seed=1)), "advertiser", n=20)
    assert line(shown, "a")["impressions"] == "4"
    assert line(shown, "a")["AUC"].startswith("0.500")  # 1 and 0


def test_the_most_clicked_come_first_and_the_others_are_counted() -> None:
    names = [f"g{number:02d}" for number in range(45)]
    table = joined(*(clicks([1] * (1 + place % 2) + [0], 0.5, advertiser=name) for place, name in enumerate(names)))
    table = changed(table, item=np.arange(len(table["item"])))
    shown = group_table(table, "advertiser", n=2)
    assert len(shown.rows) == 40
    assert shown.rows[0][0] == "g01"
    assert "Left out: 5 " in shown.note
    assert len(most_clicked(table, "advertiser")) == 45


def test_bars_only_of_groups_with_clicks_enough() -> None:
    assert auc_bars(two_groups(), "advertiser") == []
    table = drawn(900, advertiser=[f"a{number % 3}" for number in range(900)])
    (figure,) = auc_bars(table, "advertiser")
    assert "the lowest is 0." in figure.alt


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="advertizer"):
        group_table(two_groups(), "advertizer")
