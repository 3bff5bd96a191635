"""Reading the fields of items: slices of memory-mapped files, and paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.atomic import sha256_of
from shared.errors import InputError
from shared.prepared.manifest import FieldSpec
from shared.table import Table, require

__all__ = ["ArrayReader", "FieldReader", "FileReader", "RaggedReader"]

AnyArray = npt.NDArray[Any]

_ROWS_AT_ONCE = 1_000_000
"""Offsets are checked in pieces of this many items, so that memory stays flat."""


class FieldReader(ABC):
    """One field of all items."""

    @abstractmethod
    def read(self, row: int) -> AnyArray | Path:
        """The item of a row, 0 to n-1: a read-only array, or the path of a file."""

    @abstractmethod
    def problems(self) -> Iterator[str]:
        """What is wrong with the stored items, in sentences."""


def _open_npy(path: Path, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> AnyArray:
    """Map a .npy file; InputError where it is damaged or holds something else. None fits any length."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is missing or damaged ({error}): prepare the set again.") from error
    fits = mapped.ndim == len(shape) and all(want in (None, n) for want, n in zip(shape, mapped.shape, strict=True))
    if mapped.dtype != dtype or not fits:
        raise InputError(f"{path} holds {mapped.dtype} {mapped.shape}, its set declares {dtype} {shape}.")
    return mapped.view(np.ndarray)


class ArrayReader(FieldReader):
    """Items of one shape, in arrays/FIELD.npy."""

    def __init__(self, folder: Path, spec: FieldSpec, n_items: int) -> None:
        path = folder / "arrays" / f"{spec.name}.npy"
        self._values = _open_npy(path, np.dtype(spec.dtype), (n_items, *spec.axes))

    def read(self, row: int) -> AnyArray:
        """The item, in the declared shape."""
        item = np.asarray(self._values[row])
        item.flags.writeable = False
        return item

    def problems(self) -> Iterator[str]:
        """None: shape and dtype were checked when it was opened."""
        return iter(())


class RaggedReader(FieldReader):
    """Items each of its own shape, their values in ragged/FIELD.values.npy."""

    def __init__(self, folder: Path, spec: FieldSpec, n_items: int) -> None:
        self._spec = spec
        self._dimensions = len(spec.axes)
        stem, whole = folder / "ragged", np.dtype(np.int64)
        self._values = _open_npy(stem / f"{spec.name}.values.npy", np.dtype(spec.dtype), (None,))
        self._offsets = _open_npy(stem / f"{spec.name}.offsets.npy", whole, (n_items + 1,))
        self._shapes = (
            _open_npy(stem / f"{spec.name}.shapes.npy", whole, (n_items, self._dimensions))
            if self._dimensions > 1
            else None
        )

    def read(self, row: int) -> AnyArray:
        """The item, in its own shape; a view, nothing is copied."""
        values = self._values[self._offsets[row] : self._offsets[row + 1]]
        return values if self._shapes is None else values.reshape(self._shapes[row])

    def problems(self) -> Iterator[str]:
        """Offsets that do not rise from 0 to the number of values; shapes that hold others, or are not allowed."""
        name = self._spec.name
        if self._offsets[0] != 0 or self._offsets[-1] != len(self._values):
            yield (
                f"The offsets of field {name!r} run from {self._offsets[0]} to {self._offsets[-1]}; expected 0 to "
                f"{len(self._values)}."
            )
        for start in range(0, len(self._offsets) - 1, _ROWS_AT_ONCE):
            lengths = np.diff(self._offsets[start : start + _ROWS_AT_ONCE + 1])
            shapes = lengths[:, None] if self._shapes is None else self._shapes[start : start + len(lengths)]
            wrong = (shapes < 0).any(axis=1) | (shapes.prod(axis=1) != lengths)
            for axis, size in enumerate(self._spec.axes):
                wrong |= False if size is None else shapes[:, axis] != size
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                yield (
                    f"Field {name!r}, row {start + row}: shape {tuple(map(int, shapes[row]))} with {lengths[row]} "
                    f"values does not fit the declared {self._spec.shape}."
                )


class FileReader(FieldReader):
    """Files, their paths and SHA-256 in the columns FIELD.path and FIELD.sha256 of the index."""

    def __init__(self, folder: Path, spec: FieldSpec, index: Table) -> None:
        require(index, f"{spec.name}.path", f"{spec.name}.sha256")
        self._folder, self._name = folder, spec.name
        self._paths, self._hashes = index[f"{spec.name}.path"], index[f"{spec.name}.sha256"]

    def read(self, row: int) -> Path:
        """Where the file lies. Raises InputError where the index points out of the set."""
        inside = PurePosixPath(self._paths[row])
        if inside.is_absolute() or ".." in inside.parts:
            raise InputError(f"Field {self._name!r}, row {row}: {inside} lies outside the prepared set.")
        return self._folder / inside

    def problems(self) -> Iterator[str]:
        """Files that are missing or are no longer what was prepared; one that many rows share is read once."""
        files = dict(zip(zip(self._paths, self._hashes, strict=True), range(len(self._paths)), strict=True))
        for (path, expected), row in files.items():
            try:
                changed = sha256_of(self.read(row)) != expected
            except (OSError, InputError) as error:
                yield f"Field {self._name!r}, row {row}: {error}"
                continue
            if changed:
                yield f"Field {self._name!r}, row {row}: {path} has changed since it was prepared (SHA-256)."
