"""Prepared click logs as batches: the same encoders for training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from apps.ctr_prediction.config import ReadingConfig
from apps.ctr_prediction.features.columns import read_numbers
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.features.selection import campaign_columns
from shared.errors import InputError
from shared.prepared import Column, PreparedSet, TableField

__all__ = ["TABLE", "ClickBatch", "ImpressionLog", "TrainingStream", "preprocess"]

TABLE = "impressions"
"""The table of a prepared set that holds the log."""

MADE = ("row", "block")
"""Columns that preparation makes in every log."""

Where = tuple[str, tuple[str, ...]] | None
FloatArray = npt.NDArray[np.float64]


def preprocess(rows: Encoded) -> tuple[Tensor, ...]:
    """Encoded rows as the network takes them: ids, dense inputs, bags; the ONE way into it.

    Bags are no longer than the longest one here, so that nothing depends on the rows that were read beside these.
    """
    bags = [bag[:, : max(1, np.count_nonzero(bag.any(axis=0)))] for bag in rows.bags]  # ids stand on the left
    return (torch.from_numpy(rows.ids), torch.from_numpy(rows.dense), *map(torch.from_numpy, bags))


@dataclass
class ClickBatch:
    """Encoded impressions with their clicks; not frozen, because Fabric fills a copy when it moves one to a device."""

    inputs: tuple[Tensor, ...]
    """As `preprocess` gives them."""
    clicks: Tensor
    """(rows,) float32, 0 or 1."""


class ImpressionLog:
    """The streamed table of a prepared set, and which of its columns is what.

    Args:
        prepared: a set of click logs.

    Raises:
        InputError: the set has no such table, or the table no label, or not the columns that preparation makes.
    """

    def __init__(self, prepared: PreparedSet) -> None:
        if TABLE not in [spec.name for spec in prepared.manifest.of_kind("table")]:
            raise InputError(
                f"{prepared.manifest.name!r} has no table {TABLE!r}: it is no click log. Prepare one with "
                "`python -m data_prep prepare ctr_prediction LOG --out DIR`."
            )
        self.table: TableField = prepared.table(TABLE)
        self.schema: Sequence[Column] = self.table.schema
        lacking = [name for name in MADE if name not in self.table.columns]
        if lacking or not self._named("label"):
            told = ", ".join(lacking) or "a column of role label"
            raise InputError(f"Table {TABLE!r} of {prepared.manifest.name!r} lacks {told}: prepare the log again.")
        self.label = self._named("label")[0]
        self.weight = next(iter(self._named("weight")), None)
        self.groups = campaign_columns(self.schema)
        """Columns that name the campaign."""

    def _named(self, role: str) -> list[str]:
        return [column.name for column in self.schema if column.role == role]

    def batches(
        self, rows: int, where: Where, rank: int = 0, world_size: int = 1, start: int = 0
    ) -> Iterator[pa.Table]:
        """The rows in their stored order, as `TableField.arrow_batches` deals them."""
        return self.table.arrow_batches(rows, None, rank, world_size, where, start)

    def coded_batches(
        self, columns: Sequence[str], rows: int, where: Where, rank: int = 0, world_size: int = 1, start: int = 0
    ) -> Iterator[pa.Table]:
        """Some columns of the same rows, their categories as codes: what an encoder reads fastest."""
        coded = [column.name for column in self.schema if column.kind == "category" and column.name in columns]
        return self.table.arrow_batches(rows, columns, rank, world_size, where, start, dictionaries=coded)

    def clicks(self, rows: pa.Table) -> FloatArray:
        """(rows,) 0 or 1."""
        return read_numbers(rows, self.label)

    def weights(self, rows: pa.Table) -> FloatArray:
        """(rows,) how many impressions of the world each row stands for; 1 where the log does not say."""
        return read_numbers(rows, self.weight) if self.weight else np.ones(rows.num_rows)


@dataclass(frozen=True)
class TrainingStream:
    """Training rows as batches, epoch after epoch, for each of several processes.

    Every process reads its own row groups. All take the same number of batches of one size: whoever has fewer rows
    begins again. A single process takes each row once, and its last batch has what is left.
    """

    log: ImpressionLog
    encoders: Sequence[RowEncoder]
    """Of the network, or of each of two; their inputs stand one after the other in a batch."""
    reading: ReadingConfig
    where: Where
    seed: int

    def steps(self, world_size: int) -> int:
        """Batches of an epoch."""
        most = max(self._own_rows(rank, world_size) for rank in range(world_size))
        return -(-(self.reading.epoch_rows or most) // self.reading.batch_rows)

    def _own_rows(self, rank: int, world_size: int) -> int:
        rows = self.log.table.count(self.where, rank, world_size)
        if not rows:
            raise InputError(
                f"Process {rank} of {world_size} has no training rows: whole row groups are dealt, and the log has too "
                "few of them. Use fewer processes."
            )
        return rows

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[ClickBatch]:
        """The batches of one epoch for one process; they depend on seed, epoch and rank alone."""
        own = self._own_rows(rank, world_size)
        wanted = own if world_size == 1 else self.steps(world_size) * self.reading.batch_rows
        if self.reading.epoch_rows is not None:
            wanted = self.steps(world_size) * self.reading.batch_rows
        start = epoch * wanted % own if self.reading.epoch_rows is not None else 0
        rng = np.random.default_rng((self.seed, epoch, rank))
        rest: _Rows | None = None
        for rows in self._read(start, wanted, rank, world_size, rng):
            joined = rows if rest is None else rest.followed_by(rows)
            full = len(joined) - len(joined) % self.reading.batch_rows
            for first in range(0, full, self.reading.batch_rows):
                yield joined.take(slice(first, first + self.reading.batch_rows)).batch()
            rest = joined.take(slice(full, None))
        if rest is not None and len(rest):
            yield rest.batch()

    def _read(self, start: int, wanted: int, rank: int, world_size: int, rng: np.random.Generator) -> Iterator[_Rows]:
        """Encoded rows from `start` on, from the beginning again where the log ends, shuffled where it is asked for."""
        size = self.reading.shuffle_rows or 64 * self.reading.batch_rows
        while wanted:
            for table in self.log.coded_batches(self._columns, size, self.where, rank, world_size, start):
                table = table.slice(0, wanted)
                wanted -= table.num_rows
                rows = self._encode(table)
                yield rows.take(rng.permutation(len(rows))) if self.reading.shuffle_rows else rows
                if not wanted:
                    return
            start = 0

    @property
    def _columns(self) -> list[str]:
        """Names of the columns that are read."""
        read = {name for encoder in self.encoders for name in encoder.training_columns}
        return [column.name for column in self.log.schema if column.name in {*read, self.log.label}]

    def _encode(self, table: pa.Table) -> _Rows:
        """Training rows: the rates of each leave its own unit out."""
        parts = [
            encoder.encode(table, rates_without=encoder.rate_fold(table) if encoder.config.target_rates else None)
            for encoder in self.encoders
        ]
        return _Rows(parts, self.log.clicks(table))


@dataclass(frozen=True)
class _Rows:
    """Training rows as each encoder sees them, and their clicks."""

    parts: Sequence[Encoded]
    clicks: FloatArray

    def __len__(self) -> int:
        return len(self.clicks)

    def take(self, rows: npt.NDArray[np.generic] | slice) -> _Rows:
        return _Rows([part.take(rows) for part in self.parts], self.clicks[rows])

    def followed_by(self, other: _Rows) -> _Rows:
        if not len(self):
            return other
        parts = [Encoded.concatenate(pair) for pair in zip(self.parts, other.parts, strict=True)]
        return _Rows(parts, np.concatenate([self.clicks, other.clicks]))

    def batch(self) -> ClickBatch:
        inputs = tuple(tensor for part in self.parts for tensor in preprocess(part))
        return ClickBatch(inputs, torch.from_numpy(self.clicks.astype(np.float32)))
