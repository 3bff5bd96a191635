"""Whatever users hold rows in, as a table that the encoder reads; columns that preparation makes are made here too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from apps.ctr_prediction.features.rows import table_of_rows
from shared.errors import InputError
from shared.formats.adlog import read_column
from shared.formats.log_files import open_log
from shared.formats.log_times import hours_of_day
from shared.prepared import Column

__all__ = ["Rows", "as_table", "read_log", "with_made_columns"]

Rows: TypeAlias = Any
"""Mappings, a pyarrow table, a pandas or polars data frame, or the path of a parquet or CSV file."""

HOUR = "hour_of_day"


def as_table(rows: Rows, columns: Sequence[Column]) -> pa.Table:
    """One table of the rows.

    Args:
        rows: in any of the forms of `Rows`.
        columns: of the model's schema.

    Raises:
        InputError: in none of these forms, no rows, or a row is no mapping.
    """
    if isinstance(rows, (str, Path)):
        return pa.concat_tables(read_log(Path(rows)))
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    if hasattr(rows, "to_arrow"):  # polars
        return rows.to_arrow()
    if hasattr(rows, "iloc"):  # pandas
        return pa.Table.from_pandas(rows, preserve_index=False)
    if isinstance(rows, Mapping) or not isinstance(rows, Sequence) or isinstance(rows, bytes):
        raise InputError(
            f"Found {type(rows).__name__}, expected a list of mappings, a data frame, a pyarrow table, or the path of "
            "a parquet or CSV file."
        )
    raw = [Column(name, "category", "context") for column in columns for name in (column.name, *column.source)]
    return table_of_rows(rows, [*columns, *(column for column in raw if column.name not in _names(columns))])


def _names(columns: Sequence[Column]) -> set[str]:
    return {column.name for column in columns}


def read_log(path: Path) -> Iterator[pa.Table]:
    """The rows of a parquet file, or of a CSV or TSV file with a header, table by table, whatever its length.

    Raises:
        InputError: there is no such file, it is of another kind, or it is damaged.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    log = open_log(path)
    yield from log.batches(log.columns)


def with_made_columns(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """The table with the columns that preparation would have made from the ones it has.

    Args:
        table: raw rows, or prepared ones.
        columns: of the model's schema, its time among them.

    Raises:
        InputError: a value that a column is made from is not of its kind.
    """
    for column in columns:
        if column.name not in table.column_names and set(column.source) and {*column.source} <= {*table.column_names}:
            table = table.append_column(column.name, read_column(table, column))
    time = next((column for column in columns if column.role == "time"), None)
    if HOUR in _names(columns) and HOUR not in table.column_names and time and time.name in table.column_names:
        plain = Column(time.name, "time", "time", format="" if time.source else time.format)
        table = table.append_column(HOUR, hours_of_day(read_column(table, plain)))
    return table
