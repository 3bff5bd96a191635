"""The exact vocabulary of a field: a slot for each value that is frequent enough, slot 0 for all others."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.fields import Combine
from apps.ctr_prediction.features.hashing import stable_hash

__all__ = ["Vocabulary"]

IntArray = npt.NDArray[np.int64]

SEEDS = 4
"""Seeds to try; of a million different values two have the same hash with a chance of 1 in 40 million."""

MANY = 4
"""Values of the vocabulary for each one looked up, up to which a table of all of them is built."""

FEW = 16
"""Values looked up, up to which each is found in a dictionary; it is made when it is first needed."""


class Vocabulary:
    """Values and their slots; value number i has slot i + 1, which is also its row.

    The values of a batch are found by binary search among hashes, then compared: exact, and no table has to be built
    anew for each batch, as `pyarrow.compute.index_in` does; for many that table is the faster way, for those of a
    single row a dictionary.

    Args:
        values: distinct texts; null stands for missing, where that is a value of its own.

    Raises:
        ValueError: a value is there twice.
    """

    columns = 1
    combine: Combine = "sum"

    def __init__(self, values: pa.LargeStringArray) -> None:
        self.values = values
        self.n_slots = self.size = 1 + len(values)
        for self._seed in range(SEEDS):
            hashes = stable_hash(values, self._seed)
            self._order = np.argsort(hashes)
            self._hashes = hashes[self._order]
            if (np.diff(self._hashes) != 0).all():
                return
        raise ValueError("A vocabulary holds a value twice.")

    @classmethod
    def of_counts(cls, counts: pa.Table, min_count: int) -> Self:
        """The values of `ValueCounts.table` seen at least `min_count` times, the most frequent first."""
        totals = counts.group_by("value", use_threads=False).aggregate([("count", "sum")])
        kept = totals.filter(pc.greater_equal(totals["count_sum"], min_count))
        kept = kept.sort_by([("count_sum", "descending"), ("value", "ascending")])
        return cls(kept["value"].combine_chunks())

    def locate(self, values: pa.LargeStringArray) -> tuple[IntArray, IntArray]:
        """(values,) slot of each value, 0 where it is not in the vocabulary, and the same as (values, 1)."""
        slots = self._slots(values)
        return slots, slots[:, None]

    def _slots(self, values: pa.LargeStringArray) -> IntArray:
        if len(values) <= FEW:
            return np.array([self._slot_of.get(value, 0) for value in _in_bytes(values)], dtype=np.int64)
        if not len(self.values):
            return np.zeros(len(values), dtype=np.int64)
        if len(self.values) <= MANY * len(values):
            places = pc.fill_null(pc.index_in(values, value_set=self.values), -1)
            return places.to_numpy(zero_copy_only=False).astype(np.int64) + 1
        nearest = np.searchsorted(self._hashes, stable_hash(values, self._seed))
        found = self._order[np.minimum(nearest, len(self._order) - 1)]
        known = self.values.take(pa.array(found))
        same = pc.if_else(pc.is_null(values), pc.is_null(known), pc.fill_null(pc.equal(values, known), False))
        return np.where(same.to_numpy(zero_copy_only=False), found + 1, 0)

    @cached_property
    def _slot_of(self) -> dict[bytes | None, int]:
        return {value: place + 1 for place, value in enumerate(_in_bytes(self.values))}


def _in_bytes(values: pa.LargeStringArray) -> list[bytes | None]:
    """As they stand, whether they are UTF-8 or not."""
    in_bytes: list[bytes | None] = values.view(pa.large_binary()).to_pylist()
    return in_bytes
