"""One door for CT volumes of every kind (DICOM, NIfTI, MetaImage, NRRD), and the way back into their geometry."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import SimpleITK

from shared.atomic import atomic_path
from shared.errors import InputError
from shared.formats.volume_dicom import is_dicom, read_series
from shared.formats.volume_geometry import Geometry
from shared.formats.volume_header import Image, check_header, geometry_of, quiet, reason

__all__ = [
    "SUFFIXES",
    "Geometry",
    "Volume",
    "image_of",
    "labels_of",
    "read_grid",
    "read_labels",
    "read_volume",
    "volume_of",
    "write_volume",
]

SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")
"""Of the files that are read and written. A mask is written as one file: an .mhd holds its voxels too."""

AIR_HU = -1024
"""Lowest value kept. What lies below is the padding outside the field of view, such as -2000 or -3024."""
_HIGHEST = np.iinfo(np.int16).max

Contrast = Literal["contrast", "plain", "unknown"]


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT scan. The array is made read-only.

    Raises:
        InputError: nothing in it, an infinite value, or missing values (NaN) in more than half of it.
    """

    hu: npt.NDArray[np.int16] | npt.NDArray[np.float32]
    """(z, y, x) Hounsfield units, at least -1024, on the file's own axes; float32 where the file has fractions."""
    geometry: Geometry
    source: str
    """Where it was read from, for messages and tables."""
    patient: str = ""
    """As the DICOM file names the patient; empty elsewhere."""
    contrast: Contrast = "unknown"
    """Whether a contrast agent is noted in the DICOM file."""
    section_mm: float = math.nan
    """Thickness of a slice by the DICOM file; NaN elsewhere."""

    def __post_init__(self) -> None:
        self.hu.setflags(write=False)


def read_volume(path: str | Path) -> Volume:
    """Read a CT scan: a folder of DICOM files or one file of a series, NIfTI, MetaImage or NRRD.

    Slices are sorted by their position, never by name. Values below -1024 HU, the padding outside the field of view,
    and NaN become -1024.

    Args:
        path: a folder (looked through with all below it), any slice of a DICOM series (its folder alone is looked
            through), a multi-frame DICOM file, or a file with one of `SUFFIXES`.

    Raises:
        InputError: there is no such file, it is damaged or no volume of Hounsfield units, its voxel size is missing or
            impossible; a DICOM series has missing slices, two series lie in the folder, it is of another modality.
    """
    path = Path(path)
    if path.is_dir() or (path.is_file() and is_dicom(path)):
        series = read_series(path)
        image, about = series.image, {
            "patient": series.patient, "contrast": series.contrast, "section_mm": series.section_mm
        }  # fmt: skip
    else:
        image, about = _read_file(path), {}
    return volume_of(image, str(path), **about)


def volume_of(image: Image, source: str = "The image", **about: Any) -> Volume:
    """An image of SimpleITK as a volume; `about` fills what only a DICOM header knows. Raises InputError as above."""
    image = _three_dimensional(image, source)
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{source} has {image.GetNumberOfComponentsPerPixel()} values a voxel; expected one, in HU.")
    stored = SimpleITK.GetArrayViewFromImage(image)
    if stored.dtype.kind not in "if" or stored.dtype.itemsize == 1:
        raise InputError(
            f"{source} holds {stored.dtype}, which cannot be Hounsfield units (air is -1000): a mask or picture, or "
            "values with an offset. Store HU as int16 or float32."
        )
    return Volume(_hounsfield(stored, source), geometry_of(image), source, **about)


def _hounsfield(values: npt.NDArray[Any], source: str) -> npt.NDArray[np.int16] | npt.NDArray[np.float32]:
    """A copy with padding and NaN at -1024: int16 where all are whole numbers, else float32. Raises InputError."""
    if values.size == 0:
        raise InputError(f"{source} holds no voxel.")
    if values.dtype.kind == "i":
        return np.clip(values, AIR_HU, _HIGHEST).astype(np.int16, copy=False)
    missing = np.isnan(values)
    if 2 * np.count_nonzero(missing) > values.size or np.isinf(values).any():
        raise InputError(f"{source} holds infinite values, or NaN in more than half of its voxels.")
    clipped = np.where(missing, AIR_HU, np.clip(values, AIR_HU, _HIGHEST)).astype(np.float32)
    whole = clipped.astype(np.int16)
    return whole if np.array_equal(whole, clipped) else clipped


def read_labels(path: str | Path, grid: Geometry) -> npt.NDArray[np.int16]:
    """Read a mask or a map of labels that belongs to a scan.

    Args:
        path: a file with one of `SUFFIXES`.
        grid: the scan's. The file may store the same voxels with its axes in another order or direction.

    Returns:
        (z, y, x) whole numbers on the scan's grid, as the file stores the scan.

    Raises:
        InputError: it cannot be read, is on another grid, or holds fractions.
    """
    path = Path(path)
    return labels_of(_read_file(path), grid, str(path))


def labels_of(image: Image, grid: Geometry, source: str = "The image") -> npt.NDArray[np.int16]:
    """An image of SimpleITK as `read_labels` gives a file; errors call it `source`. Raises InputError as that does."""
    image = _three_dimensional(image, source)
    own = geometry_of(image)
    if not own.standard.agrees(grid.standard):
        raise InputError(
            f"{source} is not on the grid of its scan: {_in_words(own)}; the scan has {_in_words(grid)}. "
            "Resample it to the scan (nearest neighbour)."
        )
    values = SimpleITK.GetArrayFromImage(image)
    labels = values.astype(np.int16)
    if not np.array_equal(labels, values):
        raise InputError(f"{source} holds fractions or numbers beyond int16; expected labels.")
    return np.ascontiguousarray(grid.from_standard(own.to_standard(labels)))


def read_grid(path: str | Path) -> Geometry:
    """The grid of a file of any content. Raises InputError where there is no such file, or it is no volume."""
    return geometry_of(_three_dimensional(_read_file(Path(path)), str(path)))


def _in_words(grid: Geometry) -> str:
    size = " x ".join(map(str, grid.size))
    return f"{size} voxels of {' x '.join(f'{step:.3g}' for step in grid.spacing)} mm"


def write_volume(path: str | Path, array: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write an array on the grid of a scan, compressed: whole or not at all.

    Args:
        path: its suffix, one of `SUFFIXES`, chooses the format.
        array: (z, y, x) bool, uint8, int16 or float32.
        geometry: the scan's.

    Raises:
        InputError: another suffix, or the array is not on the grid.
    """
    path = Path(path)
    suffix = _suffix(path)
    image = image_of(array, geometry)
    kind = ".mha" if suffix == ".mhd" else suffix
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        # formats are told apart by the whole suffix, of which the temporary name keeps the last part only
        written = Path(folder) / f"volume{kind}"
        with quiet():
            SimpleITK.WriteImage(image, str(written), useCompression=True)
        written.replace(temporary)


def image_of(array: npt.NDArray[Any], geometry: Geometry) -> Image:
    """An array (z, y, x) on a grid as an image of SimpleITK. Raises InputError where it is not on the grid."""
    if array.shape != geometry.shape:
        raise InputError(f"An array of shape {array.shape} is not on a grid of shape {geometry.shape} (z, y, x).")
    image = SimpleITK.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


def _read_file(path: Path) -> Image:
    if not path.is_file():
        raise InputError(f"There is no file or folder {path}.")
    _suffix(path)
    try:
        with quiet():
            image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path} is damaged or no such volume: {reason(error)}.") from error
    check_header(path)
    return image


def _suffix(path: Path) -> str:
    found = re.search(r"(\.nii\.gz|\.[^.]*)$", path.name.lower())
    suffix = found.group() if found else ""
    if suffix not in SUFFIXES:
        raise InputError(f"{path} is no known kind of volume; expected {', '.join(SUFFIXES)}, or DICOM to read.")
    return suffix


def _three_dimensional(image: Image, source: str) -> Image:
    """The image, or the only volume of a series in time."""
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or min(image.GetSize()) < 2:
        size = " x ".join(map(str, image.GetSize()))
        raise InputError(f"{source} is {size} voxels; expected one volume of at least two slices.")
    return image
