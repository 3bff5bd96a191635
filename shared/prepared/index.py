"""Writing the index of a prepared set row by row."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import InputError, did_you_mean
from shared.prepared.manifest import INDEX

__all__ = ["IndexAppender"]

_ROWS_AT_ONCE = 8192

_TYPES = {"text": pa.string(), "truth value": pa.bool_(), "whole number": pa.int64(), "number": pa.float64()}


class IndexAppender:
    """index.parquet while it is written: the first row says which columns there are and what they hold."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX
        self._kinds: dict[str, str] = {}
        self._files: tuple[str, ...] = ()
        self._rows: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self.n_rows = 0

    def check(self, columns: Mapping[str, Any]) -> None:
        """Raise InputError unless the columns are those of the first row, of the same kinds."""
        kinds = {name: _kind(name, value) for name, value in columns.items()}
        if not self.n_rows:
            return
        for name in kinds.keys() ^ self._kinds.keys():
            lacks = f"lacks the column {name!r}" if name in self._kinds else f"has a new column {name!r}"
            raise InputError(f"Row {self.n_rows} {lacks}; all rows have the same.{did_you_mean(name, self._kinds)}")
        for name, kind in kinds.items():
            known = self._kinds[name]
            if kind != known and (known, kind) != ("number", "whole number"):
                raise InputError(
                    f"Column {name!r} began with a {known}, row {self.n_rows} gives the {kind} {columns[name]!r}: "
                    "give every row the same kind (1.0 is a number, 1 a whole number)."
                )

    def append(self, columns: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Store columns that `check` has seen, and those by which fields name their files."""
        if not self.n_rows:
            self._kinds = {name: _kind(name, value) for name, value in columns.items()}
            self._files = tuple(files)
        self._rows.append({**columns, **files})
        self.n_rows += 1
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        kinds = {**self._kinds, **dict.fromkeys(self._files, "text")}
        schema = pa.schema([(name, _TYPES[kind]) for name, kind in kinds.items()])
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, schema, compression="zstd")
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=schema))
        self._rows = []

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        if self._writer is not None:
            self._writer.close()


def _kind(name: str, value: Any) -> str:
    """What an index column holds, in words; a missing value is None in a column of text, NaN in one of numbers."""
    if value is None or isinstance(value, str):
        return "text"
    if isinstance(value, (bool, np.bool_)):
        return "truth value"
    if isinstance(value, numbers.Integral):
        if not -(2**63) <= int(value) < 2**63:
            raise InputError(f"Column {name!r}: {value} is beyond 64 bits; give such numbers as text.")
        return "whole number"
    if isinstance(value, numbers.Real):
        return "number"
    raise InputError(
        f"Column {name!r} holds {type(value).__name__}; the index holds text, numbers and truth values. "
        "Arrays are fields: declare one."
    )
