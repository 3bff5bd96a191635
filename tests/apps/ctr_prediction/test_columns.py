from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.features.columns import read_items, read_numbers, read_texts
from shared.errors import InputError


def _texts(column: Any) -> list[str | None]:
    texts = read_texts(pa.table({"x": column}), "x")
    return [texts.values[code].as_py() for code in texts.codes]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([3, None, -1], pa.int8()), ["3", None, "-1"]),
        (
            pa.array([3.0, None, 14102100.0, 1e15, float("nan"), -0.0]),
            ["3", None, "14102100", "1" + 15 * "0", None, "0"],
        ),
        (pa.array([0.5, float("inf")]), ["0.5", None]),
        (pa.array([3.0], pa.float32()), ["3"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([True, None]), ["true", None]),
        (pa.nulls(2), [None, None]),
        (pa.array([datetime.date(2013, 6, 6)]), ["2013-06-06"]),
        (pa.array([], pa.string()), []),
        (pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]), ["a", "b"]),
        (pa.chunked_array([["a", "b"], ["b", "é"]]), ["a", "b", "b", "é"]),
    ],
)
def test_single_values_of_any_type_are_text(column: Any, text: list[str | None]) -> None:
    assert _texts(column) == text


def test_a_column_that_is_not_there_is_missing() -> None:
    assert _texts_of_missing() == [None, None]


def _texts_of_missing() -> list[str | None]:
    texts = read_texts(pa.table({"x": [1, 2]}), "y")
    return [texts.values[code].as_py() for code in texts.codes]


def test_structures_are_refused_by_name_and_type() -> None:
    with pytest.raises(InputError, match=r"'x' holds list<"):
        _texts(pa.array([["a"]]))
    with pytest.raises(InputError, match="cannot be read as text"):
        _texts(pa.array([b"\xff"]))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.5, None, 7, None, None, 100]),
        pa.array(["1.5", None, " 7 ", "seven", "", "1e2"]),
        pa.array([1.5, float("inf"), 7, float("nan"), None, 100], pa.float32()),
        pa.array(["+1.5", "1e999", "7.", "0x10", "nan", "100"]).dictionary_encode(),
    ],
)
def test_numbers_of_any_type_are_floats(column: Any) -> None:
    numbers = read_numbers(pa.table({"x": column}), "x")
    np.testing.assert_array_equal(numbers, [1.5, np.nan, 7, np.nan, np.nan, 100])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.text() | st.floats().map(str) | st.integers().map(str), max_size=20))
def test_no_text_makes_a_number_raise(values: list[str | None]) -> None:
    numbers = read_numbers(pa.table({"x": pa.array(values, pa.string())}), "x")
    assert len(numbers) == len(values)
    assert not np.isinf(numbers).any()
    for value, number in zip(values, numbers, strict=True):
        if value is not None and value.isascii() and value.isdecimal():
            assert np.isnan(number) if float(value) == float("inf") else number == float(value)


def test_items_come_from_lists_and_from_text() -> None:
    expected = [(0, "b"), (0, "a"), (0, "b"), (3, "7")]
    for column in (
        pa.array([["b", "a ", "b"], None, [], ["7"]]),
        pa.array([["b", "a", "b"], None, [], ["7"]], pa.large_list(pa.string())),
    ):
        rows, texts = read_items(pa.table({"x": column}).slice(0, 4), "x", ",")
        assert list(zip(rows.tolist(), (texts.values[c].as_py() for c in texts.codes), strict=True)) == expected
    rows, texts = read_items(pa.table({"x": ["b|a| b", None, "", "7"]}), "x", "|")
    found = [(row, texts.values[code].as_py()) for row, code in zip(rows.tolist(), texts.codes, strict=True)]
    assert found == [(0, "b"), (0, "a"), (0, "b"), (2, ""), (3, "7")]


def test_items_may_be_numbers_and_come_in_chunks() -> None:
    table = pa.table({"x": pa.chunked_array([[[1, 2]], [None, [2]]])})
    rows, texts = read_items(table.slice(1), "x", ",")
    assert rows.tolist() == [1]
    assert texts.values.take(pa.array(texts.codes)).to_pylist() == ["2"]
    assert len(read_items(pa.table({"x": pa.array([[], []])}), "x", ",")[0]) == 0
