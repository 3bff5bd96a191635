"""The columns of one table as fields take them, each read and normalised once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.bags import paired
from apps.ctr_prediction.features.columns import Texts, read_items, read_numbers, read_texts
from apps.ctr_prediction.features.normalise import normalise
from apps.ctr_prediction.features.numbers import in_bins, in_steps
from apps.ctr_prediction.features.selection import crossed, stepped
from shared.prepared import Column

__all__ = ["TableReader"]

IntArray = npt.NDArray[np.int64]


class TableReader:
    """Reads each column of a table once, when it is first asked for, however many fields are made of it.

    It keeps what it read, so it belongs to one call; encoders of the same rows may share it.

    Args:
        table: any columns; those that are not there are missing in every row.
    """

    def __init__(self, table: pa.Table) -> None:
        self.n_rows: int = table.num_rows
        self.column_names: list[str] = table.column_names
        self.texts: Callable[[str], Texts] = cache(partial(read_texts, table))
        """As `read_texts`, by name."""
        self.numbers: Callable[[str], npt.NDArray[np.float64]] = cache(partial(read_numbers, table))
        """As `read_numbers`, by name."""
        self._normalised = cache(partial(_normalised, self.texts))
        self._items = cache(partial(_normalised_items, table))

    def single_values(self, column: Column) -> Texts:
        """The value of each row of a column that becomes an id: its text, or the bin or step of its number."""
        if number := stepped(column):
            return in_steps(self.numbers(number))
        if column.bins and column.kind in ("integer", "number"):
            return in_bins(self.numbers(column.name), column.bins)
        return self._normalised(column.name)

    def values_in_rows(self, column: Column) -> tuple[IntArray, Texts]:
        """The values of a column that becomes a bag: (values,) the row of each, and the values, none missing."""
        campaign, name = crossed(column) or (None, column.name)
        rows, texts = self._items(name, column.separator or ",")
        return rows, texts if campaign is None else paired(self._normalised(campaign).at(rows), texts)


def _normalised(texts: Callable[[str], Texts], name: str) -> Texts:
    return normalise(name, texts(name))


def _normalised_items(table: pa.Table, name: str, separator: str) -> tuple[IntArray, Texts]:
    rows, texts = read_items(table, name, separator)
    texts = normalise(name, texts)
    if not texts.values.null_count:
        return rows, texts
    there = ~pc.is_null(texts.values).to_numpy(zero_copy_only=False)[texts.codes]
    return rows[there], texts.at(np.flatnonzero(there))
