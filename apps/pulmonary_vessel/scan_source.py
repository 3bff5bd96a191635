"""Whatever a user has a scan in, as a volume with its geometry; and the lung mask that came with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from shared.errors import InputError
from shared.formats.volume import Geometry, Volume, image_of, labels_of, read_labels, read_volume, volume_of
from shared.formats.volume_geometry import checked_spacing
from shared.validate import finite_array

__all__ = ["Source", "read_mask", "read_scan"]

Source = Any
"""A path, an image of SimpleITK, or an array (z, y, x)."""

ALIKE = 1e-3
"""Part by which a spacing that was named may differ from that of the file."""


def read_scan(scan: Source, spacing: Sequence[float] | None = None) -> Volume:
    """Read a scan.

    Args:
        scan: folder of DICOM files, any file of a series, NIfTI, MetaImage or NRRD file, image of SimpleITK; or array
            of HU (z, y, x) towards head, back and left, or a .npy file of one.
        spacing: z, y, x in mm; needed for arrays, which do not carry it.

    Raises:
        InputError: it is none of these or damaged, or `spacing` is missing or not that of the file.
    """
    if isinstance(scan, SimpleITK.Image):
        return _agreeing(volume_of(scan), spacing)
    if isinstance(scan, str | Path) and not _is_array_file(scan):
        if not str(scan):
            raise InputError("The path of the scan is empty.")
        return _agreeing(read_volume(scan), spacing)
    source = str(scan) if isinstance(scan, str | Path) else "The array"
    values = finite_array(scan, dimensions=3, what="A scan")
    if spacing is None:
        raise InputError(f"{source} does not carry its voxel size: give spacing=(z, y, x) in mm.")
    return volume_of(image_of(values, Geometry.of_array(values.shape, _checked(spacing))), source)


def read_mask(mask: Source, scan: Volume, what: str) -> npt.NDArray[np.bool_]:
    """Read a mask on the grid of a scan.

    Args:
        mask: file, image of SimpleITK, or array of the scan's shape; what is not 0 belongs to it.
        scan: as `read_scan` gives it.
        what: it is called this in an error: "The lung mask".

    Returns:
        (z, y, x) on the axes of the scan's file.

    Raises:
        InputError: it cannot be read, or is on another grid.
    """
    if isinstance(mask, SimpleITK.Image):
        return labels_of(mask, scan.geometry, what) != 0
    if isinstance(mask, str | Path) and not _is_array_file(mask):
        return read_labels(mask, scan.geometry) != 0
    given = np.asarray(mask)
    values = given if given.dtype == bool else finite_array(mask, dimensions=3, what=what)
    if values.shape != scan.hu.shape:
        raise InputError(f"{what} has the shape {values.shape}, the scan {scan.hu.shape} (z, y, x).")
    return values != 0


def _is_array_file(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".npy"


def _checked(spacing: Sequence[float]) -> tuple[float, float, float]:
    try:
        steps = tuple(float(step) for step in spacing)
    except (TypeError, ValueError) as error:
        raise InputError(f"The spacing is three lengths in mm: z, y, x; found {spacing!r}.") from error
    return checked_spacing(steps, "The scan")


def _agreeing(volume: Volume, spacing: Sequence[float] | None) -> Volume:
    """The volume, which carries its own spacing. Raises InputError where another one was named."""
    own = volume.geometry.spacing_zyx
    if spacing is not None and not np.allclose(_checked(spacing), own, rtol=ALIKE):
        raise InputError(
            f"{volume.source} has voxels of {' x '.join(f'{step:.4g}' for step in own)} mm (z, y, x), but spacing "
            f"{tuple(spacing)} was given: leave it out."
        )
    return volume
