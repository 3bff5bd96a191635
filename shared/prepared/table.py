"""Tables larger than memory: parquet shards read as a stream, their columns described in schema.yaml."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared.column import Column
from shared.table import Table

__all__ = ["SCHEMA", "RowBuffer", "TableField", "to_numpy"]

SCHEMA = "schema.yaml"

Where = tuple[str, Collection[Any]]
"""A column of text or whole numbers, and the values to keep (compared as text)."""


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
            self.schema = [Column.from_dict(column) for column in stored["columns"]]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise InputError(f"{folder / SCHEMA} is missing or damaged ({error}): prepare the set again.") from error
        self.shards = tuple(sorted(folder.glob("part-*.parquet")))
        """The parquet files, in order."""
        if not self.shards:
            raise InputError(f"The table {folder} has no shard (part-*.parquet): prepare the set again.")
        self._filters: dict[tuple[str, tuple[str, ...]], _Filter] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.schema)

    def count(self, where: Where | None = None, rank: int = 0, world_size: int = 1) -> int:
        """The rows that a process is dealt; `where` as in `batches`, then one column is read, the first time."""
        return self._count(self._filter(where), *_share(rank, world_size))

    def batches(
        self,
        batch_rows: int,
        columns: Sequence[str] | None = None,
        rank: int = 0,
        world_size: int = 1,
        where: Where | None = None,
        start: int = 0,
    ) -> Iterator[Table]:
        """The rows in their stored order as NumPy columns, one row group in memory at a time.

        Row groups are dealt in turn to the processes and, inside one, to the workers of a torch DataLoader, so that
        all of them together see every row once.

        Args:
            batch_rows: rows of each batch; the last one of a process has what is left.
            columns: to read; None reads all.
            rank: number of this process, from 0.
            world_size: number of processes.
            where: a column of text or whole numbers, and the values to keep (compared as text); others are skipped.
            start: rows to leave out, of those that this process (and worker) would be given. Whole row groups are
                passed over by their length; with `where` that one column is read to know it, the first time.

        Raises:
            ConfigError: no such column, or a batch size, rank or start that cannot be.
            InputError: a shard is damaged.
        """
        return map(to_numpy, self.arrow_batches(batch_rows, columns, rank, world_size, where, start))

    def arrow_batches(
        self,
        batch_rows: int,
        columns: Sequence[str] | None = None,
        rank: int = 0,
        world_size: int = 1,
        where: Where | None = None,
        start: int = 0,
        *,
        dictionaries: Sequence[str] = (),
    ) -> Iterator[pa.Table]:
        """The same rows as `batches` gives for the same arguments, as Arrow tables: nothing is converted or copied.

        Args:
            batch_rows: as in `batches`, and so all up to `start`.
            columns: to read.
            rank: number of this process.
            world_size: number of processes.
            where: rows to keep.
            start: rows to leave out.
            dictionaries: columns of text that are to come as codes into their distinct values, as parquet holds them:
                several times as fast as text, where only those values matter.

        Raises:
            ConfigError: as `batches`.
            InputError: as `batches`.
        """
        if batch_rows < 1 or not 0 <= rank < world_size or start < 0:
            raise ConfigError(
                f"Found batch_rows {batch_rows}, rank {rank} of {world_size}, start {start}; rows >= 1, "
                f"rank < world_size, start >= 0."
            )
        read = list(columns or self.columns)
        self._require([*read, *dictionaries])
        coded = [column for column in dictionaries if column in read]
        return _cut(self._read(read, coded, self._filter(where), *_share(rank, world_size), start), batch_rows)

    def endless(
        self,
        batch_rows: int,
        first: int = 0,
        columns: Sequence[str] | None = None,
        rank: int = 0,
        world_size: int = 1,
        where: Where | None = None,
    ) -> Iterator[Table]:
        """Full batches for ever: pass after pass over `batches`, each without what is left over at its end.

        Args:
            batch_rows: rows of every batch.
            first: number of the batch to begin with, from 0. It costs little, however large, so that every epoch of a
                training can take its slice.
            columns: as in `batches`.
            rank: as in `batches`.
            world_size: as in `batches`.
            where: as in `batches`.

        Raises:
            ConfigError: as `batches`.
            InputError: a pass has no full batch, or a shard is damaged.
        """

        def one_pass(start: int) -> Iterator[Table]:
            rows = self.batches(batch_rows, columns, rank, world_size, where, start * batch_rows)
            return itertools.islice(rows, full - start)

        self.batches(batch_rows, columns, rank, world_size, where)  # refuses what cannot be; nothing is read yet
        rows = self._count(self._filter(where), *_share(rank, world_size))
        full = rows // batch_rows
        if not full:
            raise InputError(
                f"Of the rows asked for, table {self.name!r} has {rows} for process {rank} of {world_size}, less than "
                f"one batch of {batch_rows}: ask for other rows, smaller batches or fewer processes."
            )
        return itertools.chain.from_iterable(map(one_pass, itertools.chain([first % full], itertools.repeat(0))))

    def _require(self, columns: Sequence[str]) -> None:
        for column in columns:
            if column not in self.columns:
                raise ConfigError(f"Table {self.name!r} has no column {column!r}.{did_you_mean(column, self.columns)}")

    def _filter(self, where: Where | None) -> _Filter | None:
        if where is None:
            return None
        self._require(where[:1])
        column, texts = where[0], tuple(str(value) for value in where[1])
        return self._filters.setdefault((column, texts), _Filter(column, texts))

    def _dealt(self, share: int, shares: int, coded: Sequence[str] = ()) -> Iterator[tuple[pq.ParquetFile, int, int]]:
        """The row groups of one share: file, number in the file, number in the table. Nothing of them is read."""
        seen = 0
        for shard in self.shards:
            file = _opened(shard, coded)
            for group in range(file.num_row_groups):
                if (seen + group) % shares == share:
                    yield file, group, seen + group
            seen += file.num_row_groups

    def _count(self, kept: _Filter | None, share: int, shares: int) -> int:
        return sum(_length(*place, kept) for place in self._dealt(share, shares))

    def _read(
        self, columns: list[str], coded: list[str], kept: _Filter | None, share: int, shares: int, start: int
    ) -> Iterator[pa.Table]:
        for file, group, number in self._dealt(share, shares, coded):
            if start and (length := _length(file, group, number, kept)) <= start:
                start -= length
                continue
            accepted = kept.accepts(file, group) if kept else None
            if accepted is not None and not pc.any(accepted).as_py():
                continue
            rows = file.read_row_group(group, columns, use_threads=False)  # threads would hoard each other's memory
            yield (rows if accepted is None else rows.filter(accepted)).slice(start)
            start = 0


class _Filter:
    """A column, the values to keep, and how many rows of each row group they are, once those were counted."""

    def __init__(self, column: str, texts: Sequence[str]) -> None:
        self._column, self._texts = column, pa.array(texts, pa.string())
        self.lengths: dict[int, int] = {}

    def accepts(self, file: pq.ParquetFile, group: int) -> pa.ChunkedArray:
        """Whether each row of a row group is kept; one column is read."""
        column = file.read_row_group(group, [self._column], use_threads=False)[self._column]
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (pa.types.is_string(kind) or pa.types.is_integer(kind)):
            raise ConfigError(f"Rows are chosen by a column of text or whole numbers, not of {kind}.")
        return pc.is_in(column.cast(pa.string()), self._texts)


def _length(file: pq.ParquetFile, group: int, number: int, kept: _Filter | None) -> int:
    """The rows of a row group, or those of them that are kept."""
    if kept is None:
        return int(file.metadata.row_group(group).num_rows)
    if number not in kept.lengths:
        kept.lengths[number] = int(kept.accepts(file, group).to_numpy().sum())
    return kept.lengths[number]


def _share(rank: int, world_size: int) -> tuple[int, int]:
    """The share of the row groups that this process, or this worker of it, is dealt, and the number of shares."""
    worker, workers = _worker()
    return rank * workers + worker, world_size * workers


def _opened(shard: Path, coded: Sequence[str] = ()) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(shard, memory_map=False, read_dictionary=list(coded))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shard} is damaged ({error}): prepare the set again.") from error


def _cut(groups: Iterator[pa.Table], batch_rows: int) -> Iterator[pa.Table]:
    buffer = RowBuffer(batch_rows)
    for group in groups:
        yield from buffer.push(group)
    yield from buffer.rest()


def to_numpy(table: pa.Table) -> Table:
    """The columns as NumPy arrays: text and lists as objects, missing numbers as NaN, missing text as None."""
    return {name: np.asarray(table[name].to_numpy()) for name in table.column_names}


def _worker() -> tuple[int, int]:
    """Number of this worker and of all workers of a DataLoader; where torch was never imported there is none."""
    torch = sys.modules.get("torch")
    info = torch.utils.data.get_worker_info() if torch else None
    return (info.id, info.num_workers) if info else (0, 1)
