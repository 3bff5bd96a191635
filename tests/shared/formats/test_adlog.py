"""Raw values of click logs as columns of a prepared table: every kind, from text and from parquet types."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.formats.adlog import raw_values, read_column, times_where_known
from shared.prepared import Column


def read(values: Any, kind: str, role: str = "context", **more: Any) -> list[Any]:
    given_values = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    column = Column("x", kind, role, **more)  # type: ignore[arg-type]
    return read_column(pa.table({"x": given_values}), column, first_row=100).to_pylist()


@pytest.mark.parametrize(
    "values", [["1", "0", " TRUE", "false"], [1, 0, 1, 0], [True, False, True, False], [1.0, 0.0, 1.0, 0.0]]
)
def test_labels(values: Any) -> None:
    assert read(values, "integer", "label") == [1, 0, 1, 0]


@pytest.mark.parametrize(("values", "found"), [([0, 1, 2], "2"), (["0", "yes"], "'yes'"), ([1, None], "None")])
def test_other_labels_are_refused_with_value_and_row(values: Any, found: str) -> None:
    row = 100 + len(values) - 1
    with pytest.raises(InputError, match=rf"'x', row {row} \(from 0\): found {found}, expected a label: 0 or 1"):
        read(values, "integer", "label")


def test_numbers() -> None:
    assert read(["1", " 2.5", "-1e3", "null", "Na", "", None, "inf"], "number") == [1.0, 2.5, -1e3, *[None] * 5]
    assert read([1, None], "number") == [1.0, None]
    assert read(["1", "2"], "integer") == [1, 2]
    assert read([1.0, 2.0], "integer") == [1, 2]


@pytest.mark.parametrize(
    ("values", "kind", "role", "message"),
    [
        (["1", "x"], "number", "context", r"row 101 \(from 0\): found 'x', expected a number"),
        (["1", "1.5"], "integer", "context", "found '1.5', expected a whole number"),
        (["1", "null"], "integer", "context", "found 'null', expected a whole number"),
        ([1, -1], "number", "weight", "found -1, expected a weight of 0 or more"),
        (["1", ""], "number", "weight", "found '', expected a weight"),
        ([["a"]], "category", "context", "kind category takes one value a row"),
    ],
)
def test_values_of_another_kind_are_refused(values: Any, kind: str, role: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(values, kind, role)


def test_categories_are_text_whatever_they_were() -> None:
    assert read([7, None], "category") == ["7", None]
    assert read(pa.array([3.0, None, 2.5]), "category") == ["3", None, "2.5"]
    assert read([3.0, float("nan")], "category") == ["3", None]
    assert read([True], "category") == ["true"]
    assert read(["null", "", None], "category") == ["null", "", None]
    assert read(pa.chunked_array([["a"], ["b"]]).dictionary_encode(), "category") == ["a", "b"]
    assert read(pa.array([b"a"]), "category") == ["a"]
    assert read(["a", None], "category", "group") == ["a", "missing"]


def test_bags() -> None:
    assert read(["a,b", " c , a", "null", "", None], "categories") == [["a", "b"], ["c", "a"], [], [], []]
    assert read(["a|b,c"], "categories", separator="|") == [["a", "b,c"]]
    assert read([["a", None], [], None], "categories") == [["a"], [], []]
    assert read(pa.array([[1, 2]], pa.large_list(pa.int64())), "categories") == [["1", "2"]]
    assert read(pa.array([], pa.string()), "categories") == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.text("abc", min_size=1, max_size=3), max_size=4), max_size=8), st.sampled_from(";| "))
def test_bags_come_back_from_text(bags: list[list[str]], separator: str) -> None:
    texts = pa.array([separator.join(bag) for bag in bags], pa.string())
    assert read(texts, "categories", separator=separator) == bags


def test_a_column_may_be_joined_from_several() -> None:
    raw = pa.table({"date": ["2013-06-06", "2013-06-07"], "hour": pa.array([7, 23], pa.int8())})
    column = Column("time", "time", "time", source=("date", "hour"), format="%Y-%m-%d %H")
    assert read_column(raw, column).to_pylist() == [dt.datetime(2013, 6, 6, 7), dt.datetime(2013, 6, 7, 23)]
    bad = raw.set_column(0, "date", pa.array(["2013-06-06", "June 7"]))
    with pytest.raises(InputError, match=r"'date' and 'hour', row 1 .* 'June 7 23', expected a time as '%Y-%m-%d %H'"):
        read_column(bad, column)


@pytest.mark.parametrize("pattern", ["", "%d.%m.%Y %H"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_times_that_cannot_be_read_are_missing(pattern: str, kind: pa.DataType) -> None:
    written = "06.06.2013 14" if pattern else "2013-06-06 14:00"
    values = pa.array([written, None, "null", " 2013-06-07T03:00 ", "soon", "", "x" * 40]).cast(kind)
    found = times_where_known(pa.table({"x": values}), Column("x", "time", "time", format=pattern))
    expected = [dt.datetime(2013, 6, 6, 14), None, None, dt.datetime(2013, 6, 7, 3), None, None, None]
    assert found.to_pylist() == expected


def test_times_are_read_alone_as_in_company() -> None:
    values = pa.array([1_370_527_200, 5, None, 1_370_527_200_000, -(2**62), 2**62])
    column = Column("x", "time", "time")
    found = times_where_known(pa.table({"x": values}), column).to_pylist()
    assert found == [dt.datetime(2013, 6, 6, 14), None, None, dt.datetime(2013, 6, 6, 14), None, None]
    for place, one in enumerate(found):
        assert times_where_known(pa.table({"x": values[place : place + 1]}), column).to_pylist() == [one]


def test_times_of_two_columns() -> None:
    raw = pa.table({"date": ["2013-06-06", None, "2013-06-06"], "hour": pa.array([9, 9, None], pa.int8())})
    column = Column("time", "time", "time", source=("date", "hour"), format="%Y-%m-%d %H")
    assert times_where_known(raw, column).to_pylist() == [dt.datetime(2013, 6, 6, 9), None, None]
    assert raw_values(raw, column).to_pylist() == ["2013-06-06 9", None, None]


def test_what_is_no_single_value_is_refused() -> None:
    for values in (pa.array([["2013-06-06"]]), pa.array([{"a": 1}]), pa.array([b"\xff"])):
        with pytest.raises(InputError, match="'x'"):
            times_where_known(pa.table({"x": values}), Column("x", "time", "time"))
