"""Small settings of a fitted model on disk, and the one error that damaged files end in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared.atomic import atomic_path, read_json
from shared.errors import CheckpointError

__all__ = ["damaged", "read_columns", "read_settings", "write_columns"]


def read_settings(path: Path, *keys: str) -> dict[str, Any]:
    """A JSON file with these keys. Raises CheckpointError where it is missing or damaged."""
    try:
        stored = read_json(path)
        return {key: stored[key] for key in keys}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error


def write_columns(path: Path, table: pa.Table) -> None:
    """Write a parquet file atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_columns(path: Path, schema: pa.Schema) -> pa.Table:
    """A parquet file with these columns. Raises CheckpointError where it is missing or damaged."""
    try:
        return pq.read_table(path, columns=schema.names).cast(schema)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> CheckpointError:
    """What to raise where a file cannot be what was written."""
    return CheckpointError(f"{path} is missing or damaged ({error!r}): fit the model again.")
