"""Windows of other lengths: what is joined was recorded in one piece, and nothing is used twice."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ecg_shock.data import ShockWindows
from apps.ecg_shock.robustness.durations import excerpts
from shared.prepared import FieldSpec, PreparedSet, PreparedWriter

RATE = 100.0


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> ShockWindows:
    """Windows of 5 s, out of order; the samples of each record count on, so that a seam would be seen."""
    folder = tmp_path_factory.mktemp("set") / "set"
    places = [
        ("a", 10.0, "N"), ("a", 0.0, "N"), ("a", 5.0, "N"),  # three in a row: one pair, and one left over
        ("b", 0.0, "N"), ("b", 5.0, "S"),  # the class changes
        ("c", 0.0, "N"), ("c", 6.0, "N"),  # a gap
        ("d", 0.0, "S"), ("d", 5.0, "S"), ("d", 10.0, "S"), ("d", 15.0, "S"),
    ]  # fmt: skip
    with PreparedWriter(folder, name="n", title="t", source="s", licence="CC0-1.0", groups=("patient",)) as to:
        to.declare(FieldSpec("ecg", "ragged", "float32", (None, None), "mV"))
        for number, (record, start, kind) in enumerate(places):
            ecg = (start * RATE + np.arange(500, dtype=np.float32))[:, None]
            row = {"record": record, "patient": record, "db": "x", "cls": kind, "target": int(kind == "S")}
            to.add({"ecg": ecg}, item=f"i{number}", start_s=start, sampling_rate=RATE, **row)
    return ShockWindows(PreparedSet(folder))


@pytest.mark.parametrize("seconds", [2.0, 3.0, 5.0])
def test_short_ones_are_the_first_seconds(windows: ShockWindows, seconds: float) -> None:
    found = excerpts(windows, seconds)
    assert found.rows.tolist() == list(range(11))
    assert found.following is None
    for row, window in enumerate(found.read()):
        np.testing.assert_array_equal(window.ecg, windows.raw(row)[: round(seconds * RATE)])


def test_long_ones_are_pairs_that_follow_one_another(windows: ShockWindows) -> None:
    found = excerpts(windows, 10.0)
    assert found.following is not None
    assert list(zip(found.rows.tolist(), found.following.tolist(), strict=True)) == [(1, 2), (7, 8), (9, 10)]


@pytest.mark.parametrize("seconds", [8.0, 10.0])
def test_what_is_joined_has_no_seam(windows: ShockWindows, seconds: float) -> None:
    for window in excerpts(windows, seconds).read():
        assert window.duration_s == pytest.approx(seconds)
        assert (np.diff(window.ecg) == 1).all()


def test_a_pair_lies_in_rows_only_with_both_its_parts(windows: ShockWindows) -> None:
    found = excerpts(windows, 10.0)
    assert found.inside(np.array([1, 2, 7])).rows.tolist() == [1]
    assert found.lie_in(np.array([1, 2, 7])).tolist() == [True, False, False]


def test_what_no_pair_can_give_is_not_there(windows: ShockWindows) -> None:
    assert len(excerpts(windows, 10.1)) == 0
    assert list(excerpts(windows, 10.1).read()) == []
