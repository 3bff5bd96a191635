"""Windows in the order of time: which rows they hold, and their figures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from apps.ctr_prediction.report.progressive import equal_windows, progressive_figures, progressive_table, windows_by
from shared.metrics.binary import AUC, ECE, LOG_LOSS
from shared.table import n_rows, take
from tests.apps.ctr_prediction.predicted import changed, drawn, joined, line


def test_windows_are_equal_and_in_order() -> None:
    order = np.random.default_rng(0).permutation(400)
    windows = list(equal_windows(drawn(400, time_order=order)).values())
    clicks = int(drawn(400)["target"].sum())
    assert len(windows) == clicks // 20
    assert {n_rows(part) for part in windows} <= {400 // len(windows), 400 // len(windows) + 1}
    ends = [(part["time_order"].min(), part["time_order"].max()) for part in windows]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_rows_of_one_moment_stay_together() -> None:
    windows = equal_windows(drawn(1000, time_order=np.arange(1000) // 300))
    assert len(windows) == 4
    assert sorted(n_rows(part) for part in windows.values()) == [100, 300, 300, 300]


def test_few_clicks_give_few_windows() -> None:
    table = drawn(3000, time_order=np.arange(3000))
    assert len(equal_windows(table)) == 10
    one_click = changed(table, target=np.arange(3000) == 5)
    assert len(equal_windows(one_click)) == 1
    assert progressive_figures(one_click) == []


def test_every_line_is_the_metric_of_its_rows() -> None:
    days = np.where(np.arange(800) < 300, "2013-06-11", "2013-06-12")
    table = drawn(800, day=days, time_order=np.arange(800))
    shown = progressive_table(table, "day")
    assert [row[0] for row in shown.rows] == ["2013-06-11", "2013-06-12"]
    first = take(table, np.arange(300))
    found = line(shown, "2013-06-11")
    assert found["impressions"] == "300"
    assert found["AUC"] == f"{AUC(first):.3f}"
    assert found["log loss"] == f"{LOG_LOSS(first):.3f}"
    assert found["calibration error"] == f"{ECE(first):.3f}"
    ratio = first["probability"].sum() / first["target"].sum()
    assert found["predicted / observed, as sampled"] == f"{ratio:.3f}"


def test_windows_name_their_days_and_trainings_do_not_shift_them() -> None:
    days = [f"2013-06-{6 + number // 200:02d}" for number in range(800)]
    first = drawn(800, day=days, time_order=np.arange(800), seed=0)
    both = joined(first, changed(first, seed=1, probability=first["probability"] / 2))
    assert progressive_table(first).rows[0][0].endswith("(2013-06-06)")
    alone, together = progressive_table(first), progressive_table(both)
    assert [row[:4] for row in alone.rows] == [row[:4] for row in together.rows]
    assert float(together.rows[0][7]) == pytest.approx(0.75 * float(alone.rows[0][7]), abs=2e-3)


def test_hours_are_windows_too() -> None:
    table = drawn(48, hour_of_day=[f"{number % 24:02d}" for number in range(48)])
    assert list(windows_by(table, "hour_of_day")) == [f"{hour:02d}" for hour in range(24)]


def test_a_model_that_ages_shows_it() -> None:
    table = drawn(4000, time_order=np.arange(4000))
    aged = np.where(np.arange(4000) < 2000, table["probability"], np.random.default_rng(9).random(4000))
    ranking, counted = progressive_figures(changed(table, probability=aged))
    (drawn_line,) = ranking.figure.axes[0].lines
    areas = drawn_line.get_ydata()
    assert areas[:5].mean() > 0.65
    assert areas[5:].mean() < 0.57
    assert counted.alt.startswith("Curve of predicted over observed clicks")
