"""What the header of a volume says, and what SimpleITK says of it: its grid, its errors, its missing voxel size."""

from __future__ import annotations

import contextlib
import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import SimpleITK

from shared.errors import InputError
from shared.formats.volume_geometry import Geometry

__all__ = ["Image", "check_header", "geometry_of", "quiet", "reason"]

Image: TypeAlias = Any
"""An image of SimpleITK, whose package has no types."""

_START_BYTES = 4096
_STATED = {
    ".mha": re.compile(rb"^Element(Spacing|Size)\s*=", re.MULTILINE),
    ".mhd": re.compile(rb"^Element(Spacing|Size)\s*=", re.MULTILINE),
    ".nrrd": re.compile(rb"^(spacings|space directions):", re.MULTILINE),
}


@dataclass(frozen=True)
class _NiftiLayout:
    """Where a NIfTI header keeps what is asked of it: type for `struct` and place in bytes."""

    dimensions: tuple[str, int]
    bits: tuple[str, int]
    steps: tuple[str, int]
    start: tuple[str, int]


_NIFTI = {
    348: _NiftiLayout(("8h", 40), ("h", 72), ("3f", 80), ("f", 108)),
    540: _NiftiLayout(("8q", 16), ("h", 14), ("3d", 112), ("q", 168)),
}
"""Length of the header, its first number -> NIfTI-1 and NIfTI-2."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of ITK off the terminal: what matters of them is checked and said here."""
    shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(shown)


def reason(error: RuntimeError) -> str:
    """The last sentence of an error of SimpleITK, which begins with the lines of its source code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("ITK ERROR:").strip().rstrip(".") if lines else "no reason given"


def geometry_of(image: Image) -> Geometry:
    """The grid of an image with three dimensions."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def check_header(path: Path) -> None:
    """Refuse what ITK passes over: a voxel size that is missing, for which it puts 1 mm, and a NIfTI file cut short.

    Raises:
        InputError: it is one of these.
    """
    opened = gzip.open if path.suffix.lower() == ".gz" else Path.open
    try:
        with opened(path, "rb") as stream:
            start: bytes = stream.read(_START_BYTES)
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is cut short: {error}.") from error
    stated = _STATED.get(path.suffix.lower())
    if stated is not None:
        _refuse_no_steps(stated.search(start) is not None, path)
        return
    for order in "<>":
        layout = _NIFTI.get(struct.unpack_from(f"{order}i", start)[0])
        if layout is not None:
            _check_nifti(path, start, order, layout)


def _check_nifti(path: Path, start: bytes, order: str, layout: _NiftiLayout) -> None:
    def numbers(field: tuple[str, int]) -> tuple[float, ...]:
        return struct.unpack_from(order + field[0], start, field[1])

    _refuse_no_steps(min(numbers(layout.steps)) > 0, path)
    axes, *lengths = map(int, numbers(layout.dimensions))
    voxels = math.prod(lengths[:axes])
    expected = int(numbers(layout.start)[0]) + voxels * int(numbers(layout.bits)[0]) // 8
    if _length(path, expected) < expected:
        raise InputError(f"{path} is cut short: its header announces {voxels} voxels. Copy it again.")


def _length(path: Path, expected: int) -> int:
    """Bytes in a file once it is unpacked."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    with path.open("rb") as packed:
        packed.seek(-4, 2)
        stated = struct.unpack("<I", packed.read(4))[0]
    if stated == expected % 2**32:
        return expected
    length = 0  # packed in several parts, or cut: only unpacking tells
    with contextlib.suppress(EOFError, zlib.error, gzip.BadGzipFile), gzip.open(path) as stream:
        while piece := stream.read(2**20):
            length += len(piece)
    return length


def _refuse_no_steps(stated: bool, path: Path) -> None:
    if not stated:
        raise InputError(f"{path} does not state its voxel size; write it into the header, in mm.")
