"""Whatever users hold rows in, as a table that the encoder reads; columns that preparation makes are made here too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.columns import read_texts
from apps.ctr_prediction.features.rows import table_of_rows
from shared.errors import InputError, did_you_mean
from shared.formats.adlog import raw_values, times_where_known
from shared.formats.log_files import open_log
from shared.formats.log_times import hours_of_day
from shared.prepared import Column

__all__ = ["Rows", "as_table", "read_log", "with_made_columns"]

Rows: TypeAlias = Any
"""Mappings, a pyarrow table, a pandas or polars data frame, or the path of a file as `read_log` reads it."""

HOUR = "hour_of_day"
NO_GROUP = "missing"
"""What preparation writes where a row does not say its group."""


def as_table(rows: Rows, columns: Sequence[Column], keys: Sequence[str] = ()) -> pa.Table:
    """One table of the rows.

    Args:
        rows: in any of the forms of `Rows`.
        columns: of the model's schema.
        keys: other columns that are wanted.

    Raises:
        InputError: in none of these forms, no rows, or a row is no mapping.
    """
    if isinstance(rows, (str, Path)):
        return pa.concat_tables(read_log(Path(rows), columns, keys))
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    if hasattr(rows, "to_arrow"):  # polars
        return rows.to_arrow()
    if hasattr(rows, "iloc"):  # pandas
        return _of_pandas(rows, columns, keys)
    if isinstance(rows, Mapping) or not isinstance(rows, Sequence) or isinstance(rows, bytes):
        raise InputError(
            f"Found {type(rows).__name__}, expected a list of mappings, a data frame, a pyarrow table, or the path of "
            "a parquet or CSV file."
        )
    return _of_mappings(rows, columns, keys)


def _of_pandas(frame: Any, columns: Sequence[Column], keys: Sequence[str]) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException:  # a column with values of several types
        return _of_mappings(frame.to_dict("records"), columns, keys)
    except ValueError as error:
        raise InputError(f"The data frame cannot be read: {error}") from error


def _of_mappings(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], keys: Sequence[str]) -> pa.Table:
    named = {column.name: column for column in columns}
    _require_known(rows, columns)
    others = dict.fromkeys([*(name for column in columns for name in column.source), *keys])
    return table_of_rows(rows, [*columns, *(Column(name, "category", "key") for name in others if name not in named)])


def _require_known(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Raise InputError where no row has a column that the model reads: a name is misspelt, in all likelihood."""
    known = dict.fromkeys(name for column in columns for name in (column.name, *column.source))
    if not rows or any(name in row for row in rows if isinstance(row, Mapping) for name in known):
        return
    found = list(dict.fromkeys(str(name) for row in rows if isinstance(row, Mapping) for name in row))
    meant = did_you_mean(found[0], list(known)) if found else ""
    raise InputError(
        f"The rows have none of the features; found the columns {', '.join(found[:12]) or 'none'}, expected some of "
        f"{', '.join(known)}.{meant}"
    )


def read_log(path: Path, columns: Sequence[Column], keys: Sequence[str] = ()) -> Iterator[pa.Table]:
    """The rows of a file, table by table, whatever its length: parquet, CSV or TSV with a header, packed or not.

    A file NAME.json is one mapping or a list of them; it is read in one go.

    Args:
        path: of the file.
        columns: of the model's schema.
        keys: other columns that are wanted.

    Raises:
        InputError: there is no such file, it is of another kind or damaged, or it has no rows.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name its files, one by one.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    rows = 0
    for table in _json(path, columns, keys) if path.suffix == ".json" else _table_log(path):
        yield table
        rows += table.num_rows
    if not rows:
        raise InputError(f"{path} has no rows.")


def _table_log(path: Path) -> Iterator[pa.Table]:
    log = open_log(path)
    return log.batches(log.columns)


def _json(path: Path, columns: Sequence[Column], keys: Sequence[str]) -> Iterator[pa.Table]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        yield _of_mappings(stored if isinstance(stored, list) else [stored], columns, keys)
    except ValueError as error:  # no JSON, no text, or no mapping
        raise InputError(f"{path} is no JSON file of mappings from column to value: {error}") from error


def with_made_columns(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """The table with the columns that preparation would have made from the ones it has.

    What preparation refuses, a time that cannot be read, is missing here: every row has an answer.

    Args:
        table: raw rows, or prepared ones.
        columns: of the model's schema, its time among them.

    Raises:
        InputError: a column has lists where each row should have one value, or is there twice.
    """
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"The rows have the column {twice!r} twice.")
    table = _without_views(table)
    for column in columns:
        if column.source and {*column.source} <= {*names} and not _is_whole(table, column.name):
            read = times_where_known if column.kind == "time" else raw_values
            table = _completed(table, column.name, read(table, column))
    return _with_groups(_with_hour(table, columns), columns)


def _without_views(table: pa.Table) -> pa.Table:
    """The table with usual text in place of string views, with which hardly anything can be done yet."""

    def usual(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return pa.large_list(pa.large_string()) if pa.types.is_string_view(kind.value_type) else kind
        return pa.large_string() if pa.types.is_string_view(kind) else kind

    return table.cast(pa.schema([(field.name, usual(field.type)) for field in table.schema]))


def _is_whole(table: pa.Table, name: str) -> bool:
    return name in table.column_names and not table[name].null_count


def _completed(table: pa.Table, name: str, made: pa.Array) -> pa.Table:
    """The table with a column that it lacks, or lacks in some rows: mappings need not all have the same keys."""
    if name not in table.column_names:
        return table.append_column(name, made)
    given = table[name]
    if given.type != made.type:
        if pa.types.is_nested(given.type) or pa.types.is_nested(made.type):
            return table
        given, made = given.cast(pa.string()), made.cast(pa.string())
    return table.set_column(table.column_names.index(name), name, pc.coalesce(given, made))


def _with_hour(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    if HOUR in table.column_names and not pa.types.is_nested(table[HOUR].type):
        hours = pc.utf8_lpad(table[HOUR].cast(pa.large_string()), 2, "0")  # 9, as pandas reads "09"
        table = table.set_column(table.column_names.index(HOUR), HOUR, hours)
    time = next((column for column in columns if column.role == "time"), None)
    wanted = any(column.name == HOUR for column in columns) and not _is_whole(table, HOUR)
    if not wanted or time is None or time.name not in table.column_names:
        return table
    as_given = Column(time.name, "time", "time", format="" if time.source else time.format)
    return _completed(table, HOUR, hours_of_day(times_where_known(table, as_given)))


def _with_groups(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Every row with a name for its group, as prepared rows have one; a table without any feature stays as it is."""
    if not {column.name for column in columns if column.role != "time"} & {*table.column_names}:
        return table
    for name in [column.name for column in columns if column.role == "group" and not _is_whole(table, column.name)]:
        texts = read_texts(table, name)
        named = pc.fill_null(texts.values, NO_GROUP).take(pa.array(texts.codes))
        others = table.drop_columns([name]) if name in table.column_names else table
        table = others.append_column(name, named)
    return table
