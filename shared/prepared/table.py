"""Tables larger than memory: parquet shards read as a stream, their columns described in schema.yaml."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from shared.errors import ConfigError, InputError, did_you_mean
from shared.table import Table

__all__ = ["SCHEMA", "Column", "RowBuffer", "TableField"]

SCHEMA = "schema.yaml"

ColumnKind = Literal["integer", "number", "category", "categories", "time"]
ColumnRole = Literal["label", "time", "group", "weight", "user", "item", "context"]


@dataclass(frozen=True)
class Column:
    """One column of a table. Raises ConfigError for an unknown kind or role."""

    name: str
    kind: ColumnKind
    """integer (int64), number (float64, NaN where missing), category (text, None where missing, or int64 codes),
    categories (a list of them in each row), time (datetime64[us])."""
    role: ColumnRole
    bins: tuple[float, ...] = ()
    """Ascending edges by which the field's models cut a number into categories; empty: it is used as it is."""
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kind", self.kind, get_args(ColumnKind)),
            ("role", self.role, get_args(ColumnRole)),
        ):
            if value not in known:
                raise ConfigError(f"Column {self.name!r} has the {name} {value!r}.{did_you_mean(value, known)}")
        if list(self.bins) != sorted(set(self.bins)):
            raise ConfigError(f"The bins of column {self.name!r} must be ascending edges, found {self.bins}.")


class RowBuffer:
    """Cuts tables of any length into tables of `size` rows."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: list[pa.Table] = []
        self._rows = 0

    def push(self, table: pa.Table) -> Iterator[pa.Table]:
        """Take a table; give what is full."""
        self._parts.append(table)
        self._rows += table.num_rows
        if self._rows < self._size:
            return
        joined = pa.concat_tables(self._parts)
        full = self._rows - self._rows % self._size
        self._parts, self._rows = [joined.slice(full)], self._rows - full
        for start in range(0, full, self._size):
            yield joined.slice(start, self._size)

    def rest(self) -> Iterator[pa.Table]:
        """What is left at the end, if anything."""
        if self._rows:
            yield pa.concat_tables(self._parts)


class TableField:
    """One table of a prepared set.

    Args:
        folder: tables/NAME of a prepared set.

    Raises:
        InputError: the schema is missing or damaged, or there is no shard.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        try:
            stored: dict[str, Any] = yaml.safe_load((folder / SCHEMA).read_text(encoding="utf-8"))
            self.schema = [Column(**{**column, "bins": tuple(column["bins"])}) for column in stored["columns"]]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise InputError(f"{folder / SCHEMA} is missing or damaged ({error}): prepare the set again.") from error
        self.shards = tuple(sorted(folder.glob("part-*.parquet")))
        """The parquet files, in order."""
        if not self.shards:
            raise InputError(f"The table {folder} has no shard (part-*.parquet): prepare the set again.")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.schema)

    def count(self, where: tuple[str, Collection[Any]] | None = None) -> int:
        """The number of rows; `where` as in `batches`, then one column is read."""
        if where is None:
            return sum(_opened(shard).metadata.num_rows for shard in self.shards)
        return sum(group.num_rows for group in self._groups([where[0]], 0, 1, where))

    def batches(
        self,
        batch_rows: int,
        columns: Sequence[str] | None = None,
        rank: int = 0,
        world_size: int = 1,
        where: tuple[str, Collection[Any]] | None = None,
    ) -> Iterator[Table]:
        """The rows in their stored order, one row group in memory at a time.

        Row groups are dealt in turn to the processes and, inside one, to the workers of a torch DataLoader, so that
        all of them together see every row once.

        Args:
            batch_rows: rows of each batch; the last one of a process has what is left.
            columns: to read; None reads all.
            rank: number of this process, from 0.
            world_size: number of processes.
            where: a column of text or whole numbers, and the values to keep (compared as text); others are skipped.

        Raises:
            ConfigError: no such column, or a batch size or rank that cannot be.
            InputError: a shard is damaged.
        """
        if batch_rows < 1 or not 0 <= rank < world_size:
            raise ConfigError(
                f"Found batch_rows {batch_rows}, rank {rank} of {world_size}; rows >= 1, rank < world_size."
            )
        worker, workers = _worker()
        dealt = self._groups(columns or self.columns, rank * workers + worker, world_size * workers, where)
        return self._cut(dealt, batch_rows)

    def _cut(self, groups: Iterator[pa.Table], batch_rows: int) -> Iterator[Table]:
        buffer = RowBuffer(batch_rows)
        for group in groups:
            yield from map(_to_numpy, buffer.push(group))
        yield from map(_to_numpy, buffer.rest())

    def _groups(
        self, columns: Sequence[str], share: int, shares: int, where: tuple[str, Collection[Any]] | None
    ) -> Iterator[pa.Table]:
        for column in [*columns, *([where[0]] if where else [])]:
            if column not in self.columns:
                raise ConfigError(f"Table {self.name!r} has no column {column!r}.{did_you_mean(column, self.columns)}")
        return self._read_groups(list(columns), share, shares, where)

    def _read_groups(
        self, columns: list[str], share: int, shares: int, where: tuple[str, Collection[Any]] | None
    ) -> Iterator[pa.Table]:
        accepted = pa.array([str(value) for value in where[1]], pa.string()) if where else None
        seen = 0
        for shard in self.shards:
            file = _opened(shard)
            for group in range(file.num_row_groups):
                if (seen + group) % shares != share:
                    continue
                kept = None
                if where:
                    kept = pc.is_in(_as_text(file.read_row_group(group, [where[0]])[where[0]]), accepted)
                    if not pc.any(kept).as_py():
                        continue
                rows = file.read_row_group(group, columns)
                yield rows.filter(kept) if kept is not None else rows
            seen += file.num_row_groups


def _opened(shard: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(shard, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shard} is damaged ({error}): prepare the set again.") from error


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        raise ConfigError(f"Rows are chosen by a column of text or whole numbers, not of {column.type}.")
    return column.cast(pa.string())


def _to_numpy(table: pa.Table) -> Table:
    return {name: np.asarray(table[name].to_numpy()) for name in table.column_names}


def _worker() -> tuple[int, int]:
    """Number of this worker and of all workers of a DataLoader; where torch was never imported there is none."""
    torch = sys.modules.get("torch")
    info = torch.utils.data.get_worker_info() if torch else None
    return (info.id, info.num_workers) if info else (0, 1)
