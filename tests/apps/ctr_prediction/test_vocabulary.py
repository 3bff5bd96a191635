from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.features import counting, vocabulary
from apps.ctr_prediction.features.counting import ValueCounts
from apps.ctr_prediction.features.vocabulary import Vocabulary

TEXT = st.none() | st.text(max_size=20)


WAYS: dict[str, dict[str, Any]] = {
    "dictionary": {"FEW": 1000},
    "table": {"FEW": -1, "MANY": 1000},
    "hashes": {"FEW": -1, "MANY": 0},
}
"""The three ways to look values up, whatever their number."""


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None, max_examples=40)
@given(st.lists(TEXT, unique=True, max_size=30), st.lists(TEXT, max_size=30))
def test_values_are_found_as_they_should_be(way: str, values: list[str | None], asked: list[str | None]) -> None:
    known = Vocabulary(pa.array(values, pa.large_string()))
    slot = {value: number + 1 for number, value in enumerate(values)}
    with mock.patch.multiple(vocabulary, **WAYS[way]):
        slots, rows = known.locate(pa.array([*asked, *values], pa.large_string()))
    assert slots.tolist() == rows[:, 0].tolist() == [slot.get(value, 0) for value in [*asked, *values]]
    assert known.size == known.n_slots == len(values) + 1


@pytest.mark.parametrize("way", WAYS)
def test_text_that_is_no_utf8_is_found_too(way: str) -> None:
    def texts(*values: bytes) -> pa.LargeStringArray:
        held = pa.array(values, pa.large_binary())
        return pa.LargeStringArray.from_buffers(len(held), held.buffers()[1], held.buffers()[2])

    with mock.patch.multiple(vocabulary, **WAYS[way]):
        slots, _ = Vocabulary(texts(b"a", b"\xff\xfe")).locate(texts(b"\xff", b"\xff\xfe", b"a"))
    assert slots.tolist() == [0, 2, 1]


def test_values_with_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def rough(values: pa.LargeStringArray, seed: int = 0) -> np.ndarray:
        hashes = [len(value or "") if seed == 0 else ord((value or "?")[-1]) for value in values.to_pylist()]
        return np.array(hashes, dtype=np.uint64)

    monkeypatch.setattr(vocabulary, "stable_hash", rough)
    for name, value in WAYS["hashes"].items():
        monkeypatch.setattr(vocabulary, name, value)
    known = Vocabulary(pa.array(["aa", "ab", None], pa.large_string()))
    slots, _ = known.locate(pa.array(["ab", "aa", "zb", None, "?"], pa.large_string()))
    assert slots.tolist() == [2, 1, 0, 3, 0], "equal hashes of different values do not count as found"


def test_a_value_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(pa.array(["a", "a"], pa.large_string()))


def _counted(parts: list[list[tuple[str | None, int, int]]], folds: int) -> pa.Table:
    counts = ValueCounts(folds)
    for part in parts:
        texts = pa.array([value for value, _, _ in part], pa.large_string()).dictionary_encode(null_encoding="encode")
        fold, clicks = (np.array([row[place] for row in part], dtype=np.int64) for place in (1, 2))
        counts.add(texts.dictionary, np.asarray(texts.indices).astype(np.int64), fold, clicks)
    return counts.table()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.tuples(TEXT, st.integers(0, 2), st.integers(0, 1)), max_size=20), min_size=1, max_size=4))
def test_counts_of_a_stream_are_those_of_its_rows(parts: list[list[tuple[str | None, int, int]]]) -> None:
    table = _counted(parts, folds=3)
    rows = [row for part in parts for row in part]
    expected = {
        (value, fold): (
            sum(row[:2] == (value, fold) for row in rows),
            sum(row[2] for row in rows if row[:2] == (value, fold)),
        )
        for value, fold, _ in rows
    }
    found = {(row["value"], row["fold"]): (row["count"], row["clicks"]) for row in table.to_pylist()}
    assert found == expected
    assert len(table) == len(expected)


def test_the_most_frequent_values_come_first_and_rare_ones_not_at_all() -> None:
    rows = [(value, place % 2, 0) for place, value in enumerate(["b", "b", "a", "a", None, None, None, "rare"])]
    known = Vocabulary.of_counts(_counted([rows], folds=2), min_count=2)
    assert known.values.to_pylist() == [None, "a", "b"]


def test_counting_holds_the_distinct_values_and_not_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PENDING", 100)
    counts, most = ValueCounts(2), 0
    values, codes = pa.array([*map(str, range(50))], pa.large_string()), np.arange(50)
    for _ in range(200):
        counts.add(values, codes, codes % 2, codes % 2)
        most = max(most, sum(len(part) for part in counts._parts))
    assert most <= 150
    assert counts.table()["count"].to_pylist() == [200] * 50
