"""Rows as numbers, ready to become tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.ctr_prediction.features.bags import widened
from shared.errors import InputError

__all__ = ["Encoded"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """What `RowEncoder.encode` makes of a table; row numbers count over the tables of all fields."""

    ids: IntArray
    """(rows, id columns) a row number in each."""
    bags: tuple[IntArray, ...]
    """For each multi-valued field (rows, longest bag) row numbers, ascending, 0 behind the last."""
    dense: npt.NDArray[np.float32]
    """(rows, numbers)"""

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: npt.NDArray[np.generic] | slice) -> Encoded:
        """The rows at integer positions, of a slice, or where a boolean mask holds."""
        return Encoded(self.ids[rows], tuple(bag[rows] for bag in self.bags), self.dense[rows])

    @classmethod
    def concatenate(cls, parts: Sequence[Encoded]) -> Encoded:
        """One under the other; bags are as wide as the widest. InputError where there is none."""
        if not parts:
            raise InputError("There are no encoded rows to join.")
        bags = []
        for same in zip(*(part.bags for part in parts), strict=True):
            width = max(bag.shape[1] for bag in same)
            bags.append(np.concatenate([widened(bag, width) for bag in same]))
        ids, dense = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "dense"))
        return cls(ids, tuple(bags), dense)
