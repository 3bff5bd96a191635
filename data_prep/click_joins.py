"""Raw logs of the iPinYou contest: impressions, clicks and conversions in files of their own, joined by bid id.

Bid ids repeat, in rows that differ by a time stamp, and the files are not sorted. To keep the first row of each without
holding all ids, the impressions are read twice. The first pass writes a 64-bit hash of every id to one of 64 temporary
files by its last bits; those that occur twice in a file are few (four in a thousand), and only these ids are
remembered, as text, in the second pass. Memory grows with the repeated and the clicked ids, not with the rows.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.click_logs import FileChain, RawLog
from shared.errors import InputError
from shared.formats.log_files import TextLog

__all__ = ["SeasonLog", "repeated_hashes"]

_PARTS = 64
_LOGTYPES = {"1": "impression", "2": "click", "3": "conversion"}
IntArray = npt.NDArray[np.int64]


class SeasonLog:
    """The impressions of raw logs, each bid id once, with the columns `click` and, where logged, `conversion`.

    Args:
        files: told apart by their column logtype: 1 impressions, 2 clicks, 3 conversions.

    Raises:
        InputError: impressions or clicks are missing, or a logtype is another.
    """

    def __init__(self, files: Sequence[TextLog]) -> None:
        by_type: dict[str, list[TextLog]] = {word: [] for word in _LOGTYPES.values()}
        for file in files:
            logtype = dict(zip(file.columns, file.first_cells, strict=True))["logtype"]
            if logtype not in _LOGTYPES:
                raise InputError(f"{file.path} has the logtype {logtype!r}; expected 1, 2 or 3.")
            by_type[_LOGTYPES[logtype]].append(file)
        for word in ("impression", "click"):
            if not by_type[word]:
                raise InputError(f"Among these raw logs are no {word}s: give imp.* and clk.* files together.")
        self._impressions: RawLog = FileChain(by_type["impression"])
        self._events = {"click": by_type["click"]}
        if by_type["conversion"]:
            self._events["conversion"] = by_type["conversion"]
        self.columns = (*self._impressions.columns, *self._events)

    def head(self) -> pa.Table:
        """The first impressions; their clicks are not looked up."""
        head = self._impressions.head()
        for name in self._events:
            head = head.append_column(name, pa.array(np.zeros(len(head), np.int64)))
        return head

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The impressions in their order, each bid id once; says how many were repeated and which clicks met none."""
        read = list(dict.fromkeys(["bidid", *(name for name in columns if name not in self._events)]))
        ids = {name: _distinct_ids(files) for name, files in self._events.items()}
        seen: set[str] = set()
        met = dict.fromkeys(self._events, 0)
        dropped = 0
        for batch in self._impressions.batches(read):
            kept = batch.filter(_first_times(batch["bidid"], self._repeated, seen))
            dropped += len(batch) - len(kept)
            for name, wanted in ids.items():
                happened = pc.is_in(kept["bidid"], wanted).cast(pa.int64())
                met[name] += pc.sum(happened).as_py() or 0
                kept = kept.append_column(name, happened)
            yield kept.select(columns)
        parts = [f"{met[name]} of {len(wanted)} {name}s met an impression" for name, wanted in ids.items()]
        warnings.warn(f"{dropped} impressions repeat a bid id and are left out; {', '.join(parts)}.", stacklevel=2)

    @cached_property
    def _repeated(self) -> IntArray:
        return repeated_hashes(batch["bidid"] for batch in self._impressions.batches(["bidid"]))


def _distinct_ids(files: Sequence[TextLog]) -> pa.Array:
    parts = [pc.unique(batch["bidid"]) for file in files for batch in file.batches(["bidid"])]
    return pc.unique(pa.concat_arrays(parts))


def _hashes(ids: pa.ChunkedArray) -> IntArray:
    """One number for each text, the same for the same text as long as the process lives."""
    return np.fromiter(map(hash, ids.to_pylist()), np.int64, len(ids)) & np.int64(2**63 - 1)


def repeated_hashes(ids: Iterable[pa.ChunkedArray]) -> IntArray:
    """Hashes of the texts that occur more than once in a stream (and, once in 10^19, of two with one hash); sorted."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_files:
        paths = [Path(folder) / str(part) for part in range(_PARTS)]
        files = [open_files.enter_context(path.open("wb")) for path in paths]
        for batch in ids:
            hashes = _hashes(batch)
            for part, file in enumerate(files):
                file.write(hashes[hashes % _PARTS == part].tobytes())
        for file in files:
            file.flush()
        return np.sort(np.concatenate([_repeated(np.fromfile(path, np.int64)) for path in paths]))


def _repeated(hashes: IntArray) -> IntArray:
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def _first_times(ids: pa.ChunkedArray, repeated: IntArray, seen: set[str]) -> pa.Array:
    """Whether each row is the first of its id; ids that are repeated somewhere are added to `seen`."""
    first = np.ones(len(ids), dtype=bool)
    for position in np.flatnonzero(np.isin(_hashes(ids), repeated)):
        name = ids[int(position)].as_py()
        first[position] = name not in seen
        seen.add(name)
    return pa.array(first)
