"""Tables as every metric sees them: a mapping from column name to a NumPy array, one row per scored unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from shared.atomic import atomic_path
from shared.errors import InputError, did_you_mean

__all__ = ["Table", "concatenate", "n_rows", "read_table", "require", "take", "write_table"]

Table = Mapping[str, npt.NDArray[np.generic]]
"""Column name -> one-dimensional array; all columns have the same length. Text columns are object arrays of str."""


def n_rows(table: Table) -> int:
    """The number of rows; 0 for a table without columns."""
    return len(next(iter(table.values()))) if table else 0


def require(table: Table, *columns: str) -> None:
    """Raise InputError unless every one of `columns` is in `table`."""
    for column in columns:
        if column not in table:
            raise InputError(f"The table has no column {column!r}.{did_you_mean(column, table)}")


def take(table: Table, rows: npt.NDArray[np.generic]) -> dict[str, npt.NDArray[np.generic]]:
    """The rows at integer positions, or where a boolean mask holds, in that order."""
    return {name: column[rows] for name, column in table.items()}


def concatenate(tables: Sequence[Table]) -> dict[str, npt.NDArray[np.generic]]:
    """One table under the other. All must have the same columns (InputError otherwise)."""
    if not tables:
        return {}
    for table in tables[1:]:
        if set(table) != set(tables[0]):
            raise InputError(
                f"Tables with different columns cannot be joined: {sorted(tables[0])} and {sorted(table)}."
            )
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def read_table(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Read a parquet file. Text and lists come as object arrays, missing numbers as NaN, missing text as None."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a readable parquet file: {error}") from error
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def write_table(path: Path, table: Table) -> None:
    """Write a parquet file atomically (zstd). Columns must have one length (InputError otherwise)."""
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"The columns of a table must have one length, found {lengths}.")
    arrow = pa.table({name: pa.array(column, from_pandas=True) for name, column in table.items()})
    with atomic_path(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")
