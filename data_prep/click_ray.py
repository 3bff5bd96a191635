"""Preparation on Ray Data: every file of a log by a task of its own, on the processors of one machine or of many.

Each task reads, converts and writes as one process would, into a folder of its own beside the table; what comes back
through Ray is which blocks it met. The files are counted first, so that rows have the numbers they would have had.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from data_prep import click_rows
from data_prep.click_blocks import Block, Blocks, Cut
from data_prep.click_logs import FileChain, LogFile, RawLog
from shared.errors import ConfigError
from shared.formats.log_files import open_log
from shared.prepared import Column, TableWriter
from shared.ray_data import ray_data

__all__ = ["fill"]

Row = dict[str, Any]
"""What Ray Data hands from task to task."""


def fill(table: TableWriter, log: RawLog, columns: Sequence[Column], blocks: Blocks) -> None:
    """Write all rows of a log, with the arguments, the errors and the result of `click_rows.fill`.

    Row groups end where files end; otherwise the table is the same.

    Raises:
        ConfigError: Ray is not installed, or the log is one whose files are joined.
    """
    if not isinstance(log, FileChain):
        raise ConfigError("Raw logs of the contest are joined by one process: leave --engine away.")
    task = {"where": str(table.folder.resolve()), "columns": columns, "cut": blocks.cut}
    with ray_data() as data:
        files = [_described(file, number) for number, file in enumerate(log.files)]
        for file, rows in zip(files, _ordered(_each(data, files).map(_counted)), strict=True):
            file["first_row"], blocks.next_row = blocks.next_row, blocks.next_row + rows["rows"]
        met = _ordered(_each(data, files).flat_map(_written, fn_kwargs=task))
    for row in met:
        blocks.remember(row["block"], Block(tuple(row["group"]), row["period"], row["rows"]))
    for folder in dict.fromkeys(row["folder"] for row in met):
        table.adopt(table.folder / folder)
    for left in [path for path in table.folder.iterdir() if path.is_dir()]:
        shutil.rmtree(left)


def _described(file: LogFile, number: int) -> Row:
    """A file as another process can open it."""
    return {"file": number, "path": str(file.path.resolve()), "names": list(file.columns)}


def _each(data: Any, files: Sequence[Row]) -> Any:
    """A data set of Ray's with a task for each file."""
    return data.from_items(files, override_num_blocks=len(files))


def _ordered(rows: Any) -> list[Row]:
    """The rows of a small data set of Ray's, in the order of the files."""
    return sorted(rows.iter_rows(), key=itemgetter("file"))


def _opened(file: Row) -> LogFile:
    return open_log(Path(file["path"]), tuple(file["names"]))


def _counted(file: Row) -> Row:
    """Task: the number of rows of a file."""
    log = _opened(file)
    return {"file": file["file"], "rows": sum(len(rows) for rows in log.batches(log.columns[:1]))}


def _written(file: Row, where: str, columns: Sequence[Column], cut: Cut) -> list[Row]:
    """Task: the rows of a file in a folder of their own, and one answer for each block."""
    blocks = Blocks(columns, cut, file["first_row"])
    table = TableWriter(Path(where) / uuid.uuid4().hex, blocks.columns)  # a task that is done again begins anew
    click_rows.fill(table, _opened(file), columns, blocks)
    table.close()
    return [
        {"file": file["file"], "folder": table.folder.name, "block": name, "group": list(block.group),
         "period": block.period, "rows": block.rows}
        for name, block in blocks.seen.items()
    ]  # fmt: skip
