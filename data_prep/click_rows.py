"""Raw rows of a click log to the rows of the prepared table, a bounded number in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_prep.click_blocks import Blocks
from data_prep.click_logs import RawLog
from shared.formats.adlog import read_column
from shared.prepared import Column, TableWriter

__all__ = ["fill", "raw_names"]


def raw_names(columns: Sequence[Column]) -> list[str]:
    """Names of the raw columns that columns of the table are read from, each once."""
    return list(dict.fromkeys(name for column in columns for name in column.raw_names))


def fill(table: TableWriter, log: RawLog, columns: Sequence[Column], blocks: Blocks) -> None:
    """Write all rows of a log.

    Args:
        table: has the columns `blocks.columns`.
        log: raw rows.
        columns: those of the table that are read from them.
        blocks: make the others, and learn which blocks there are.

    Raises:
        InputError: a value is not of its kind, or there are too many blocks.
    """
    for raw in log.batches(raw_names(columns)):
        values = {column.name: read_column(raw, column, blocks.next_row) for column in columns}
        table.write(blocks.add(pa.table(values)))
