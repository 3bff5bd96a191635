"""Training rows as a stream that can be read anew, and the folds that its blocks are dealt to.

A setting is chosen on blocks that were left out, never on random rows: the rows of one day and campaign are alike, and
some are the same row twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.fitting import BLOCK
from shared.errors import InputError
from shared.prepared import Column

__all__ = ["BlockFolds", "Rows", "clicks_of", "label_of", "sample"]

N_FOLDS = 5

Rows = Callable[[], Iterable[pa.Table]]
"""Reads the same rows in the same order at each call."""
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def label_of(schema: Sequence[Column]) -> str:
    """Name of the column that says whether the row was clicked. Raises InputError where there is none."""
    for column in schema:
        if column.role == "label":
            return column.name
    raise InputError("No column of the table has the role 'label': give it to the one that says 1 click, 0 no click.")


def clicks_of(table: pa.Table, label: str) -> FloatArray:
    """(n,) 1 where the row was clicked, else 0. Raises InputError where the column holds anything else."""
    clicks = np.asarray(table[label].cast(pa.float64()).to_numpy())
    if not np.isin(clicks, (0.0, 1.0)).all():
        raise InputError(f"Column {label!r} is the label and holds something else than 0 and 1 in a training row.")
    return clicks


@dataclass(frozen=True)
class BlockFolds:
    """The blocks of the training rows, dealt in turn to folds in the order of their names (days of a campaign)."""

    blocks: pa.Array
    n_folds: int
    """0 where all rows are of one block, and nothing can be left out."""

    @classmethod
    def of(cls, rows: Rows, label: str, n_folds: int = N_FOLDS) -> Self:
        """Read all rows once.

        Args:
            rows: to learn from.
            label: the column of the clicks.
            n_folds: that the blocks are dealt to, or as many as there are blocks.

        Raises:
            InputError: there are not both clicks and rows without; nothing can be learnt from them.
        """
        blocks: set[str] = set()
        n_rows = n_clicks = 0
        for table in rows():
            blocks.update(pc.unique(table[BLOCK].cast(pa.string())).to_pylist())
            n_rows += table.num_rows
            n_clicks += int(clicks_of(table, label).sum())
        if not 0 < n_clicks < n_rows:
            raise InputError(
                f"The training part has {n_rows} rows with {n_clicks} clicks; both clicked and other rows are needed."
            )
        folds = min(n_folds, len(blocks))
        return cls(pa.array(sorted(blocks), pa.string()), folds if folds > 1 else 0)

    def fold(self, table: pa.Table) -> IntArray:
        """(n,) fold of each row, 0 to n_folds - 1; all 0 where there are none."""
        place = pc.index_in(table[BLOCK].cast(pa.string()), value_set=self.blocks).to_numpy()
        return np.asarray(place, dtype=np.int64) % max(self.n_folds, 1)

    def parts(self, rows: Rows) -> Iterator[tuple[Rows, Rows]]:
        """For each fold the rows to learn from and the rows of the fold, which are left out."""
        for fold in range(self.n_folds):
            yield self._where(rows, fold, left_out=False), self._where(rows, fold, left_out=True)

    def _where(self, rows: Rows, fold: int, *, left_out: bool) -> Rows:
        def read() -> Iterator[pa.Table]:
            for table in rows():
                kept = table.filter(pa.array((self.fold(table) == fold) == left_out))
                if kept.num_rows:
                    yield kept

        return read


def sample(rows: Rows, at_most: int, seed: int) -> Rows:
    """Rows drawn uniformly and held in memory, so that they can be read many times; the stream is read twice.

    Args:
        rows: to draw from.
        at_most: about so many are drawn; all, where there are no more.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    share = at_most / max(sum(table.num_rows for table in rows()), 1)
    tables = [table if share >= 1 else table.filter(pa.array(rng.random(table.num_rows) < share)) for table in rows()]
    return lambda: tables
