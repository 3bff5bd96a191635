"""Click logs of one file or many, in folders or not, as one stream of raw rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from data_prep.click_known import headerless_names
from shared.errors import InputError
from shared.formats.log_files import ParquetLog, TextLog, open_log
from shared.progress import counted

__all__ = ["FileChain", "RawLog", "open_files"]


class RawLog(Protocol):
    """Rows as they were logged."""

    columns: tuple[str, ...]

    def head(self) -> pa.Table:
        """The first rows, in the types that their values suggest."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows in their order, a bounded number in memory."""


class FileChain:
    """Several files of one log, one after the other; it has the columns that all of them have."""

    def __init__(self, files: Sequence[RawLog]) -> None:
        self._files = files
        shared = set.intersection(*(set(file.columns) for file in files))
        self.columns = tuple(name for name in files[0].columns if name in shared)

    def head(self) -> pa.Table:
        """The first rows of the first file."""
        return self._files[0].head().select(self.columns)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows in the order of the files, a bounded number in memory."""
        for file in counted(self._files, "files"):
            yield from file.batches(columns)


def open_files(paths: Sequence[Path], names: Sequence[str] = ()) -> list[TextLog | ParquetLog]:
    """The files, and all visible ones below folders in the order of their names.

    Raises:
        InputError: there is none, or one is neither text nor parquet.
    """
    found = [file for path in paths for file in (_below(path) if path.is_dir() else [path])]
    if not found:
        raise InputError(f"There is no file in {paths[0]}.")
    return [open_log(path, names, headerless_names) for path in found]


def _below(folder: Path) -> list[Path]:
    """Data files of a folder. Beside raw logs of the contest (imp.*) lie code tables: those are no logs."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    season = [path for path in files if path.name.startswith(("imp.", "clk.", "conv."))]
    return season or files
