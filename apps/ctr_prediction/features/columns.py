"""One column of a table as distinct texts, as items of lists or as floats, whatever type it came in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import InputError

__all__ = ["Texts", "column_of", "read_items", "read_numbers", "read_texts"]

IntArray = npt.NDArray[np.int64]

EXACT_INTEGERS = 2.0**53
"""Floats below it hold every whole number."""
FEW = 16
"""Texts up to which it takes longer to look for those that are alike than to treat each."""
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


@dataclass(frozen=True)
class Texts:
    """A column as its distinct values, so that work on text is done once for each; few stand as they are."""

    values: pa.LargeStringArray
    """(values,) each once, unless they are few, or a column came as codes into values that repeat; null stands for
    missing."""
    codes: IntArray
    """(rows,) position in `values`."""

    def mapped(self, rewrite: Callable[[pa.LargeStringArray], pa.LargeStringArray]) -> Texts:
        """The column with every value rewritten; itself where `rewrite` gives back what it was given."""
        values = rewrite(self.values)
        return self if values is self.values else _as_texts(values).at(self.codes)

    def distinct(self) -> Texts:
        """The column with each value once."""
        return _distinct(self.values).at(self.codes)

    def at(self, rows: IntArray) -> Texts:
        """The column at row positions."""
        return Texts(self.values, self.codes[rows])


def column_of(table: pa.Table, name: str) -> pa.Array:
    """A column in one piece; all missing where the table has none of that name."""
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.large_string())
    column = table[name]
    if pa.types.is_string(column.type):
        column = pc.cast(column, pa.large_string())  # the chunks of a string column may not fit in one
    return column.combine_chunks()


def read_texts(table: pa.Table, name: str) -> Texts:
    """A column of single values as text; whole numbers, also those that came as floats, are written without a point.

    Raises:
        InputError: the column holds lists or structures, or bytes that are no UTF-8.
    """
    return _texts(column_of(table, name), name)


def _texts(column: pa.Array, name: str) -> Texts:
    if pa.types.is_nested(column.type):
        raise InputError(f"Column {name!r} holds {column.type} where each row should have one value.")
    if pa.types.is_null(column.type):
        column = pc.cast(column, pa.large_string())
    if pa.types.is_large_string(column.type):
        return _as_texts(column)
    encoded = _coded(column)
    values, codes = encoded.dictionary, np.asarray(encoded.indices).astype(np.int64)
    try:
        if pa.types.is_floating(values.type):
            return _distinct(_float_texts(values)).at(codes)
        return Texts(pc.cast(values, pa.large_string()), codes)
    except pa.ArrowException as error:
        raise InputError(f"Column {name!r} holds {column.type}, which cannot be read as text: {error}") from error


def _coded(column: pa.Array) -> pa.DictionaryArray:
    """The column as codes into its values, a missing one among them where there are any."""
    if not pa.types.is_dictionary(column.type):
        return column.dictionary_encode(null_encoding="encode")
    if not column.indices.null_count:
        return column
    values = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
    codes = pc.fill_null(column.indices.cast(pa.int64()), len(values) - 1)
    return pa.DictionaryArray.from_arrays(codes, values)


def _as_texts(values: pa.LargeStringArray) -> Texts:
    return Texts(values, np.arange(len(values))) if len(values) <= FEW else _distinct(values)


def _distinct(values: pa.LargeStringArray) -> Texts:
    encoded = values.dictionary_encode(null_encoding="encode")
    return Texts(encoded.dictionary, np.asarray(encoded.indices).astype(np.int64))


def _float_texts(values: pa.Array) -> pa.LargeStringArray:
    """3.0 becomes "3", as pandas makes floats of whole numbers with gaps; NaN and infinity are missing."""
    values = pc.if_else(pc.is_finite(values), pc.cast(values, pa.float64()), None)
    whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), EXACT_INTEGERS))
    as_integers = pc.cast(pc.if_else(whole, values, 0.0), pa.int64())
    return pc.if_else(whole, pc.cast(as_integers, pa.large_string()), pc.cast(values, pa.large_string()))


def read_numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """A column as float64 (rows,), NaN where it is missing, infinite or a text that is no number.

    Raises:
        InputError: the column holds neither numbers nor text.
    """
    column = column_of(table, name)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        numbers = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        texts = _texts(column, name)
        values = pc.utf8_trim_whitespace(texts.values)
        plain = pc.if_else(pc.match_substring_regex(values, NUMBER), values, None)
        numbers = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False)[texts.codes]
    return np.where(np.isfinite(numbers), numbers, np.nan)


def read_items(table: pa.Table, name: str, separator: str) -> tuple[IntArray, Texts]:
    """The single values of a column of lists, or of text with `separator` between them.

    Returns:
        (items,) the row of each, ascending, and the values as text, without blanks around them.

    Raises:
        InputError: the column holds lists of lists or structures.
    """
    column = column_of(table, name)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        whole = _texts(column, name)
        column = pc.split_pattern(whole.values, separator).take(pa.array(whole.codes))
    rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows, _texts(pc.list_flatten(column), name).mapped(pc.utf8_trim_whitespace)
