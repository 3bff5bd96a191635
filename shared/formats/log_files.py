"""Files of logs as streams of raw rows: text with tabs or commas, packed or not, and parquet."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from shared.errors import InputError
from shared.formats.adlog import MISSING

__all__ = ["ParquetLog", "TextLog", "open_log"]

HEAD_ROWS = 10_000
"""Rows by which kinds are told and schemas suggested."""
_BATCH_ROWS = 65_536
_BLOCK_BYTES = 1 << 20
"""Text that is parsed at once (Arrow keeps some 30 of them at work); also the longest line."""
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_DELIMITERS = (",", ";", "|")

Recognise = Callable[[str, int], Sequence[str]]
"""Column names of a known log without header, from its first line and the number of its columns; empty: it has one."""


class TextLog:
    """A table as text, one row a line.

    Cells that a tab separates are never quoted, as in the logs that come so; others may be, by double quotes, and hold
    line ends.

    Args:
        path: packed by gzip, bzip2 or zstd, or not.
        names: of the columns, where the file has no header.
        recognise: tells them where `names` is empty.

    Raises:
        InputError: it is empty, no text, or has other columns than `names`.
    """

    def __init__(self, path: Path, names: Sequence[str] = (), recognise: Recognise | None = None) -> None:
        self.path = path
        line = self._first_line()
        self._delimiter = "\t" if "\t" in line else max(_DELIMITERS, key=line.count)
        tabs = self._delimiter == "\t"
        self.first_cells = tuple(line.split("\t") if tabs else next(csv.reader([line], delimiter=self._delimiter)))
        """The first line, cell by cell."""
        names = tuple(names or (recognise(line, len(self.first_cells)) if recognise else ()))
        self.has_header = not names or self.first_cells == names
        """Whether the first line is no row."""
        self.columns = names or self.first_cells
        if len(self.columns) != len(self.first_cells):
            raise InputError(f"{path} has {len(self.first_cells)} columns, the schema names {len(self.columns)}.")
        for name in self.columns:
            if self.columns.count(name) > 1:
                raise InputError(f"{path} has the column {name!r} twice in its first line: is that line a header?")

    def _stream(self) -> pa.NativeFile:
        with self.path.open("rb") as file:
            start = file.read(8)
        if start.startswith(b"PK"):
            raise InputError(f"{self.path} is a zip archive: unpack it first.")
        packing = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
        return pa.input_stream(str(self.path), compression=packing)

    def _first_line(self) -> str:
        try:
            with io.BufferedReader(self._stream()) as stream:
                line = stream.readline(_BLOCK_BYTES).decode("utf-8-sig").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path} is no UTF-8 text: {error}") from error
        if not line.strip() or "\0" in line:
            raise InputError(f"{self.path} is empty, or no table of text: its first line has no columns.")
        return line

    def head(self) -> pa.Table:
        """The first rows, in the types that their values suggest."""
        options = pcsv.ConvertOptions(null_values=[*MISSING], strings_can_be_null=True)
        nothing = pa.table({name: pa.array([], pa.string()) for name in self.columns})
        return next(self._read(options), nothing).slice(0, HEAD_ROWS)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows in their order as text, a bounded number in memory."""
        text = dict.fromkeys(columns, pa.string())
        options = pcsv.ConvertOptions(column_types=text, include_columns=[*columns], strings_can_be_null=False)
        return self._read(options)

    def _read(self, conversion: pcsv.ConvertOptions) -> Iterator[pa.Table]:
        quotes = self._delimiter != "\t"
        cells = {"delimiter": self._delimiter, "quote_char": '"' if quotes else False, "newlines_in_values": quotes}
        layout = {"column_names": self.columns, "skip_rows": int(self.has_header)}
        try:
            reader = pcsv.open_csv(
                self._stream(),
                pcsv.ReadOptions(**layout, block_size=_BLOCK_BYTES, use_threads=False),
                pcsv.ParseOptions(**cells),
                conversion,
            )
            for batch in reader:
                yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            if "Empty CSV" not in str(error):
                raise InputError(f"{self.path} cannot be read as a table of text: {error}") from error


class ParquetLog:
    """A parquet file of flat columns. Raises InputError where it is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} is no readable parquet file: {error}") from error
        self.columns = tuple(self._file.schema_arrow.names)

    def head(self) -> pa.Table:
        """The first rows."""
        first = itertools.islice(self._file.iter_batches(HEAD_ROWS), 1)
        return pa.Table.from_batches(first, self._file.schema_arrow)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows in their order, a bounded number in memory."""
        try:
            for batch in self._file.iter_batches(_BATCH_ROWS, columns=[*columns], use_threads=False):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path} is damaged: {error}") from error


def open_log(path: Path, names: Sequence[str] = (), recognise: Recognise | None = None) -> TextLog | ParquetLog:
    """A file as what it is by its first bytes; the other arguments are those of `TextLog`, which raises for both."""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    return ParquetLog(path) if is_parquet else TextLog(path, names, recognise)
