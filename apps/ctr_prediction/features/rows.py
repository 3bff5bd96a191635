"""Rows that come as mappings, from an API or a message queue, as a table the encoder reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from shared.errors import InputError
from shared.prepared import Column

__all__ = ["table_of_rows"]


def table_of_rows(rows: Sequence[Mapping[str, Any]], columns: Iterable[Column]) -> pa.Table:
    """One table of all rows; a value that is left out is missing, and values of several types become text.

    Args:
        rows: column name -> value; values of a multi-valued column as a list or as text.
        columns: to read; other keys are left out, and so are columns that no row has.

    Raises:
        InputError: a row is no mapping.
    """
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"Row {number} is a {type(row).__name__}, expected a mapping from column to value.")
    present = [column for column in columns if any(column.name in row for row in rows)]
    return pa.table({column.name: _array([row.get(column.name) for row in rows], column) for column in present})


def _array(values: list[Any], column: Column) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, OverflowError):  # of several types
        if column.kind == "categories":
            return pa.array([_texts(value, column.separator or ",") for value in values], pa.list_(pa.string()))
        nested = next((value for value in values if isinstance(value, (Mapping, list, tuple, set))), None)
        if nested is not None:  # refused as it is where all rows have one
            raise InputError(
                f"Column {column.name!r} holds {nested!r:.80} where each row should have one value."
            ) from None
        return pa.array([_text(value) for value in values], pa.string())


def _texts(value: Any, separator: str) -> list[str | None]:
    if isinstance(value, str):
        return list(value.split(separator))
    return [_text(item) for item in value] if isinstance(value, Iterable) else [_text(value)]


def _text(value: Any) -> str | None:
    """As `columns.read_texts` writes single values."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
