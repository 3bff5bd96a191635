"""Raw rows of click logs, as text or as parquet types, to the columns of a prepared table.

Preparation and prediction read raw rows through `read_column`, so that a value means the same in both. Words that stand
for a missing value stay in categories as they are (a model may learn from them) and are missing in all other kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import InputError
from shared.formats.log_times import read_times
from shared.prepared.column import Column

__all__ = ["MISSING", "raw_values", "read_column", "times_where_known"]

MISSING = ("", "null", "Null", "NULL", "na", "Na", "NA", "N/A", "nan", "NaN", "none", "None", "\\N")
"""Words by which logs say that there is no value."""

_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")


def read_column(raw: pa.Table, column: Column, first_row: int = 0) -> pa.Array:
    """One column of a prepared table from raw rows.

    Args:
        raw: rows with the columns that `column.raw_names` lists, as text or in any parquet type that means the same.
        column: what is to become of them.
        first_row: number of the first row in the log, for messages.

    Returns:
        One array in the type that its kind is kept in (`Column.kind`); a label as 0 and 1.

    Raises:
        InputError: a value is not of its kind, a label neither 0 nor 1, a weight negative or missing, a time missing.
    """
    given = raw_values(raw, column)
    values = _READERS["label" if column.role == "label" else column.kind](given, column, first_row)
    if column.role == "weight":
        bad = pc.fill_null(pc.less(values, 0.0), True)
        if pc.any(bad).as_py():
            _refuse(column, given, pc.index(bad, True).as_py(), first_row, "a weight of 0 or more")
    return values


def raw_values(raw: pa.Table, column: Column) -> pa.Array:
    """What a column is read from, as it stands in the raw rows; of several raw columns the texts, joined by a space.

    Raises:
        InputError: lists where each row should have one value, or bytes that are no UTF-8.
    """
    try:
        parts = [_plain(raw[name]) for name in column.raw_names]
    except pa.ArrowException as error:
        raise InputError(f"Column {column.name!r} cannot be read as text: {error}") from error
    for part in parts if column.kind != "categories" else ():
        if pa.types.is_nested(part.type):
            raise InputError(f"Column {column.name!r} holds {part.type}, and kind {column.kind} takes one value a row.")
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*map(_text, parts), " ")


def times_where_known(raw: pa.Table, column: Column) -> pa.Array:
    """A column of times for rows that want an answer whatever is wrong with them.

    Args:
        raw: as for `read_column`.
        column: of kind time; a time that is not written in its format may be in ISO 8601.

    Returns:
        timestamp[us]; null where a time is missing or cannot be read.

    Raises:
        InputError: as `raw_values`.
    """
    given = raw_values(raw, column)
    distinct = (_words(given) if pa.types.is_string(given.type) else given).dictionary_encode()
    return _known_times(distinct.dictionary, column.format).take(distinct.indices)


def _known_times(values: pa.Array, pattern: str) -> pa.Array:
    try:
        times = read_times(values, pattern)
    except pa.ArrowException:
        if len(values) == 1:
            return _known_times(values, "") if pattern else pa.nulls(1, pa.timestamp("us"))
        half = len(values) // 2
        return pa.concat_arrays([_known_times(part, pattern) for part in (values[:half], values[half:])])
    return pc.coalesce(times, _known_times(values, "")) if pattern and times.null_count else times


def _plain(values: pa.ChunkedArray) -> pa.Array:
    """One array, without dictionary encoding and with the usual types of text and lists."""
    array = values.combine_chunks()
    array = array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    others = (pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary)
    return array.cast(pa.string()) if any(is_other(array.type) for is_other in others) else array


def _refuse(column: Column, given: pa.Array, position: int, first_row: int, expected: str) -> NoReturn:
    names = " and ".join(map(repr, column.raw_names))
    raise InputError(
        f"Column {names}, row {first_row + position} (from 0): found {given[position].as_py()!r}, expected {expected}."
    )


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)  # what pandas makes of a missing text among numbers
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def _words(values: pa.Array) -> pa.Array:
    """Trimmed text, null where a word says that the value is missing."""
    trimmed = pc.utf8_trim_whitespace(_text(values))
    return pc.if_else(pc.is_in(trimmed, pa.array(MISSING)), None, trimmed)


def _label(given: pa.Array, column: Column, first_row: int) -> pa.Array:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(_text(given)))
    clicked = pc.is_in(words, pa.array(_YES))
    known = pc.or_(clicked, pc.is_in(words, pa.array(_NO)))
    if not pc.all(known).as_py():
        _refuse(column, given, pc.index(known, False).as_py(), first_row, "a label: 0 or 1, false or true")
    return clicked.cast(pa.int64())


def _numbers(given: pa.Array, column: Column, first_row: int, kind: pa.DataType, expected: str) -> pa.Array:
    values = _words(given) if pa.types.is_string(given.type) else given
    try:
        return values.cast(kind)
    except pa.ArrowException:
        _refuse(column, given, _first_failing(values, lambda one: one.cast(kind)), first_row, expected)


def _number(given: pa.Array, column: Column, first_row: int) -> pa.Array:
    expected = "a number (for other values: kind: category)"
    values = _numbers(given, column, first_row, pa.float64(), expected)
    return pc.if_else(pc.is_finite(values), values, None)


def _integer(given: pa.Array, column: Column, first_row: int) -> pa.Array:
    expected = "a whole number (where some are missing or have decimals: kind: number)"
    values = _numbers(given, column, first_row, pa.int64(), expected)
    if values.null_count:
        _refuse(column, given, pc.index(values.is_null(), True).as_py(), first_row, expected)
    return values


def _category(given: pa.Array, column: Column, first_row: int) -> pa.Array:
    texts = _text(given)
    return pc.fill_null(texts, "missing") if column.role == "group" else texts


def _categories(given: pa.Array, column: Column, first_row: int) -> pa.Array:
    """Lists of text, without the missing words; an empty list where there is none."""
    lists = given if pa.types.is_list(given.type) else pc.split_pattern(_text(given), column.separator or ",")
    words = _words(pc.list_flatten(lists))
    kept = words.is_valid()
    rows = np.asarray(pc.list_parent_indices(lists))[np.asarray(kept)]
    ends = np.cumsum(np.bincount(rows, minlength=len(lists)), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[np.int32(0)], ends]), pa.int32()), words.filter(kept))


def _time(given: pa.Array, column: Column, first_row: int) -> pa.Array:
    words = _words(given) if pa.types.is_string(given.type) else given

    def read(values: pa.Array) -> pa.Array:
        return read_times(values, column.format)

    try:
        times = read(words)
    except pa.ArrowException:
        times = None
    if times is None or times.null_count:
        failing = _first_failing(words, read)
        written = f"a time as {column.format!r}" if column.format else "a time such as 2013-06-06 14:05:00"
        _refuse(column, given, failing, first_row, f"{written} (another form: format: ... in the schema)")
    return times


def _first_failing(values: pa.Array, read: Callable[[pa.Array], pa.Array]) -> int:
    """Position of the first value that cannot be read, or is missing, one by one: only done to word an error."""
    for position in range(len(values)):
        try:
            if read(values.slice(position, 1)).null_count:
                return position
        except pa.ArrowException:
            return position
    return 0


_READERS: dict[str, Callable[[pa.Array, Column, int], pa.Array]] = {
    "label": _label,
    "number": _number,
    "integer": _integer,
    "category": _category,
    "categories": _categories,
    "time": _time,
}
