"""Writing a table of a prepared set: rows come in pieces of any size and leave as parquet shards of even row groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared.column import Column
from shared.prepared.table import SCHEMA, RowBuffer

__all__ = ["ROWS_PER_GROUP", "TableWriter"]

ROWS_PER_GROUP = 65_536
"""Rows that are read at once; a row group is the piece that is dealt to one process."""
_GROUPS_PER_SHARD = 64

_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary)
_LISTS = (pa.types.is_list, pa.types.is_large_list)


class TableWriter:
    """Writes one table of a prepared set; made by `PreparedWriter.table`, which also closes it.

    Args:
        folder: of the table.
        schema: its columns.
        rows_per_group: rows of one row group, the piece that is dealt to one process.
    """

    def __init__(self, folder: Path, schema: Sequence[Column], rows_per_group: int = ROWS_PER_GROUP) -> None:
        if rows_per_group < 1:
            raise ConfigError(f"rows_per_group is {rows_per_group}; expected 1 or more.")
        names = [column.name for column in schema]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"A table needs one or more columns, each named once; found {names}.")
        folder.mkdir(parents=True)
        self._folder, self._columns, self._rows_per_group = folder, tuple(schema), rows_per_group
        self._buffer = RowBuffer(rows_per_group)
        self._stored: pa.Schema | None = None
        self._shard: pq.ParquetWriter | None = None
        self._groups = 0

    def write(self, table: pa.Table) -> None:
        """Add rows. Raises InputError where columns are missing, unknown, or not of their kind."""
        names = {column.name for column in self._columns}
        for name in names ^ set(table.column_names):
            lacks = f"lacks the column {name!r}" if name in names else f"has an undeclared column {name!r}"
            raise InputError(f"The table for {self._folder.name!r} {lacks}.{did_you_mean(name, names)}")
        if self._stored is None:
            self._stored = pa.schema(
                [(c.name, _stored_type(c, table.schema.field(c.name).type)) for c in self._columns]
            )
        try:
            cast = table.select(self._stored.names).cast(self._stored)
        except pa.ArrowException as error:
            raise InputError(f"The rows for {self._folder.name!r} do not fit its first ones: {error}") from error
        for column in self._columns:
            if pa.types.is_integer(self._stored.field(column.name).type) and cast[column.name].null_count:
                raise InputError(
                    f"Column {column.name!r} holds whole numbers and {cast[column.name].null_count} missing values: "
                    "give them a code of their own, or make it a number or a category of text."
                )
        for group in self._buffer.push(cast):
            self._write_group(group)

    def _write_group(self, group: pa.Table) -> None:
        if self._groups % _GROUPS_PER_SHARD == 0:
            self._close_shard()
            path = self._folder / f"part-{self._groups // _GROUPS_PER_SHARD:05d}.parquet"
            self._shard = pq.ParquetWriter(path, group.schema, compression="zstd")
        assert self._shard is not None
        self._shard.write_table(group, row_group_size=self._rows_per_group)
        self._groups += 1

    def _close_shard(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def close(self) -> None:
        """Write what is buffered and the schema."""
        for group in self._buffer.rest():
            self._write_group(group)
        self._close_shard()
        described = {"columns": [column.to_dict() for column in self._columns]}
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
        (self._folder / SCHEMA).write_text(text, encoding="utf-8")


def _stored_type(column: Column, given: pa.DataType) -> pa.DataType:
    """The type in which a column is kept; InputError where the first rows are not of its kind."""
    whole, number = pa.types.is_integer(given) or pa.types.is_boolean(given), pa.types.is_floating(given)
    entry = given.value_type if column.kind == "categories" and any(is_list(given) for is_list in _LISTS) else given
    text = any(is_text(entry) for is_text in _TEXT)
    stored = {
        "integer": pa.int64() if whole else None,
        "number": pa.float64() if whole or number or pa.types.is_decimal(given) else None,
        "category": pa.string() if text else pa.int64() if whole else None,
        "time": pa.timestamp("us") if pa.types.is_timestamp(given) or pa.types.is_date(given) else None,
        "categories": None if entry is given else pa.list_(pa.string() if text else pa.int64()),
    }[column.kind]
    if stored is None:
        raise InputError(f"Column {column.name!r} is declared as {column.kind}, its rows are {given}: convert them.")
    return stored
