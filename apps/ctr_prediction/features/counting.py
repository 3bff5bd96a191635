"""Counting values and their clicks in a stream, by fold, in memory that grows with the distinct values alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["ValueCounts"]

IntArray = npt.NDArray[np.int64]

PENDING = 1 << 17
"""Rows of counts that may wait before they are added up; more, where there are more distinct values."""


class ValueCounts:
    """How often each value of a field was seen, and clicked, in each fold.

    Args:
        folds: number of folds.
    """

    def __init__(self, folds: int) -> None:
        self._folds = folds
        self._parts: list[pa.Table] = []
        self._merged = 0

    def add(self, values: pa.Array, codes: IntArray, folds: IntArray, clicks: IntArray) -> None:
        """Count rows.

        Args:
            values: (values,) text or numbers.
            codes: (rows,) position in `values`.
            folds: (rows,) from 0.
            clicks: (rows,) 0 or 1.
        """
        place = codes * self._folds + folds
        count = np.bincount(place, minlength=len(values) * self._folds)
        clicked = np.bincount(place, clicks, minlength=len(count)).astype(np.int64)
        met = np.flatnonzero(count)
        value = values.take(pa.array(met // self._folds))
        part = {"value": value, "fold": met % self._folds, "count": count[met], "clicks": clicked[met]}
        self._parts.append(pa.table(part))
        if sum(len(part) for part in self._parts) > max(PENDING, 2 * self._merged):
            self.table()

    def table(self) -> pa.Table:
        """What was counted so far: value, fold, count, clicks; each value and fold once, in no stated order."""
        grouped = pa.concat_tables(self._parts).group_by(["value", "fold"], use_threads=False)
        summed = grouped.aggregate([("count", "sum"), ("clicks", "sum")])
        self._parts = [summed.rename_columns(["value", "fold", "count", "clicks"])]
        self._merged = len(summed)
        return self._parts[0]
