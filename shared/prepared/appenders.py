"""Writing the fields of items one after the other, with memory that does not grow with their number.

Every appender first checks an item and then appends it, so that an item refused by one field leaves nothing in another.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.atomic import sha256_of
from shared.errors import InputError
from shared.prepared.manifest import FieldSpec

__all__ = ["ArrayAppender", "FieldAppender", "FileAppender", "RaggedAppender"]

AnyArray = npt.NDArray[Any]

_PACKED = (".gz", ".bz2", ".xz", ".zst")


class _NpyAppender:
    """A .npy file that grows along its first axis: NumPy's header leaves room for the final length."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...] = ()) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("wb")
        self._dtype, self._shape, self._length = dtype, shape, 0
        self._write_header()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._length, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, values: AnyArray) -> None:
        """Add values of shape (n, *shape)."""
        self._stream.write(np.ascontiguousarray(values, dtype=self._dtype).data)
        self._length += len(values)

    def close(self) -> None:
        self._stream.seek(0)
        self._write_header()
        self._stream.close()


def _as_declared(spec: FieldSpec, value: Any) -> AnyArray:
    """An item in the declared dtype; InputError where its shape differs or its numbers would change."""
    given = np.asarray(value)
    if not spec.fits(given.shape):
        raise InputError(f"Field {spec.name!r} takes items of shape {spec.shape}, found {given.shape}.")
    dtype = np.dtype(spec.dtype)
    if given.dtype == dtype or not given.size:
        return given.astype(dtype, copy=False)
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise InputError(f"Field {spec.name!r} holds {dtype}, found {given.dtype}: convert it before adding it.")
    with np.errstate(over="ignore"):
        stored = given.astype(dtype)
    changed = stored != given if given.dtype.kind in "biu" else np.isfinite(stored) != np.isfinite(given)
    if changed.any():
        raise InputError(f"Field {spec.name!r} holds {dtype}, which cannot hold {given[changed].flat[0]}.")
    return stored


class FieldAppender(ABC):
    """One field while a set is written."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """The item as it will be stored; InputError where it is not what was declared."""

    @abstractmethod
    def append(self, checked: Any) -> dict[str, str]:
        """Store what `check` returned; give the columns that the index needs for it."""

    @abstractmethod
    def close(self) -> None:
        """Finish the files."""


class _NumbersAppender(FieldAppender):
    """Items that are arrays; their values go to `values`, and to the others what else describes an item."""

    def __init__(self, spec: FieldSpec, *files: _NpyAppender) -> None:
        self._spec, self._files = spec, files

    def check(self, value: Any) -> AnyArray:
        """The array in the declared dtype."""
        return _as_declared(self._spec, value)

    def close(self) -> None:
        """Write the final lengths."""
        for file in self._files:
            file.close()


class ArrayAppender(_NumbersAppender):
    """Items of one shape."""

    def __init__(self, folder: Path, spec: FieldSpec) -> None:
        shape = tuple(size for size in spec.axes if size is not None)
        self._values = _NpyAppender(folder / "arrays" / f"{spec.name}.npy", np.dtype(spec.dtype), shape)
        super().__init__(spec, self._values)

    def append(self, checked: AnyArray) -> dict[str, str]:
        """Add the item."""
        self._values.append(checked[None])
        return {}


class RaggedAppender(_NumbersAppender):
    """Items each of its own shape: all values in one file, beside it where each item starts and how it is shaped."""

    def __init__(self, folder: Path, spec: FieldSpec) -> None:
        stem, whole, dimensions = folder / "ragged", np.dtype(np.int64), len(spec.axes)
        self._values = _NpyAppender(stem / f"{spec.name}.values.npy", np.dtype(spec.dtype))
        self._offsets = _NpyAppender(stem / f"{spec.name}.offsets.npy", whole)
        self._shapes = [_NpyAppender(stem / f"{spec.name}.shapes.npy", whole, (dimensions,))] if dimensions > 1 else []
        super().__init__(spec, self._values, self._offsets, *self._shapes)
        self._end = 0
        self._offsets.append(np.array([0]))

    def append(self, checked: AnyArray) -> dict[str, str]:
        """Add the item's values, its end and its shape."""
        self._values.append(checked.reshape(-1))
        self._end += checked.size
        self._offsets.append(np.array([self._end]))
        for shapes in self._shapes:
            shapes.append(np.array([checked.shape]))
        return {}


class FileAppender(FieldAppender):
    """Copies of files, named by their content, so that a file shared by many items is stored once."""

    def __init__(self, folder: Path, spec: FieldSpec) -> None:
        self._folder, self._name = folder, spec.name

    def check(self, value: Any) -> Path:
        """The path; InputError where there is no such file."""
        if not isinstance(value, (str, Path)):
            raise InputError(f"Field {self._name!r} takes the path of a file, found {type(value).__name__}.")
        path = Path(value)
        if not path.is_file():
            raise InputError(f"Field {self._name!r}: there is no file {path}.")
        return path

    def append(self, checked: Path) -> dict[str, str]:
        """Copy the file; its path inside the set and its SHA-256."""
        digest = sha256_of(checked)
        suffix = "".join(checked.suffixes[-2:]) if checked.suffix in _PACKED else checked.suffix
        inside = Path("files") / self._name / digest[:2] / f"{digest}{suffix}"
        copy = self._folder / inside
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checked, copy)
        return {f"{self._name}.path": inside.as_posix(), f"{self._name}.sha256": digest}

    def close(self) -> None:
        """Nothing is open."""
