"""A CT series of DICOM files: found by what the files say, sorted by position, refused where slices are missing.

Tags: DICOM PS3.6. Positions: Image Plane Module, PS3.3 C.7.6.2.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import SimpleITK

from shared.errors import InputError
from shared.formats.volume_header import Image, quiet, reason

__all__ = ["Series", "is_dicom", "read_series"]

_MODALITY, _SERIES, _INSTANCE = "0008|0060", "0020|000e", "0008|0018"
_IMAGE_TYPE, _PATIENT, _KERNEL = "0008|0008", "0010|0020", "0018|1210"
_THICKNESS, _AGENT = "0018|0050", "0018|0010"
_POSITION, _ORIENTATION = "0020|0032", "0020|0037"

_NO_AGENT = ("", "no", "none", "without", "n")
"""What the tag of the contrast agent says of a plain scan."""

_SAYS_CT = re.compile(rb"\x08\x00\x60\x00.{4}CT", re.DOTALL)
"""The tag of the modality as it stands in a file that cannot be read."""

_UNEVEN = 0.1
"""Steps between slices may differ by this share of the usual one: tables are moved with less precision than that."""
_TILT_MM = 0.5
"""Slices may be shifted against each other by this much over the whole series; beyond it the gantry was tilted."""
_ALIKE = 1e-3


@dataclass(frozen=True)
class Series:
    """A sorted series with what its header knows."""

    image: Image
    patient: str
    contrast: Literal["contrast", "plain", "unknown"]
    section_mm: float


@dataclass(frozen=True)
class _Slice:
    """What one file says of itself."""

    path: Path
    tags: dict[str, str]
    size: tuple[int, ...]
    spacing: tuple[float, ...]

    def numbers(self, tag: str, count: int) -> npt.NDArray[np.float64]:
        """The numbers of a tag. Raises InputError where there are not as many as expected."""
        try:
            found = [float(word) for word in self.tags.get(tag, "").split("\\")]
        except ValueError:
            found = []
        if len(found) != count or not all(map(math.isfinite, found)):
            raise InputError(f"{self.path} does not say where it lies in the patient (DICOM tag {tag}).")
        return np.array(found)


def is_dicom(path: Path) -> bool:
    """Whether a file is one of DICOM, by its mark after 128 bytes or, for files without it, its suffix."""
    with path.open("rb") as stream:
        start = stream.read(132)
    return start[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".ima")


def read_series(path: Path) -> Series:
    """Read the only CT series of a folder and what is below it, or the one that a file belongs to.

    Scouts (image type LOCALIZER), files that are no images and copies of a slice are left out.

    Raises:
        InputError: no CT in it, several series, slices that are missing, doubled, of different size or not parallel, a
            tilted gantry, or a file that cannot be read.
    """
    slices = _headers(path.rglob("*") if path.is_dir() else path.parent.iterdir())
    if path.is_file():
        named = [found.tags.get(_SERIES) for found in slices if found.path == path]
        slices = [found for found in slices if found.tags.get(_SERIES) in named]
    slices = _computed_tomography(slices, path)
    chosen = _only_series(slices, path)
    if len(chosen) == 1 and chosen[0].size[2:] not in ((), (1,)):
        return _series(chosen, SimpleITK.ReadImage(str(chosen[0].path)))
    ordered, direction, step = _ordered(chosen, path)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(found.path) for found in ordered])
    try:
        with quiet():
            image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"A slice in {path} is damaged or packed in an unknown way: {reason(error)}.") from error
    image.SetOrigin(ordered[0].numbers(_POSITION, 3).tolist())
    image.SetSpacing((*ordered[0].spacing[:2], step))
    image.SetDirection(direction.ravel().tolist())
    return _series(ordered, image)


def _series(slices: Sequence[_Slice], image: Image) -> Series:
    tags = slices[0].tags
    thickness = tags.get(_THICKNESS, "").strip()
    # the tag is there but empty where a plain scan was noted as such; where it is not there, nothing is known
    agent = tags.get(_AGENT)
    noted: Literal["contrast", "plain"] = "contrast" if (agent or "").strip().lower() not in _NO_AGENT else "plain"
    section = float(thickness) if _is_number(thickness) else math.nan
    return Series(image, tags.get(_PATIENT, "").strip(), "unknown" if agent is None else noted, section)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _headers(paths: Iterable[Path]) -> list[_Slice]:
    """The headers of all DICOM images among the files, one for each image."""
    found: dict[str, _Slice] = {}
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    with quiet():
        for path in sorted(paths):
            if not path.is_file() or not is_dicom(path):
                continue
            reader.SetFileName(str(path))
            try:
                reader.ReadImageInformation()
            except RuntimeError as error:
                if _SAYS_CT.search(path.read_bytes()):
                    raise InputError(f"{path} is damaged: {reason(error)}. Copy it again.") from error
                continue  # a report, a directory, a plan: no image in it
            tags = {key: reader.GetMetaData(key) for key in _tags(reader)}
            found.setdefault(tags.get(_INSTANCE, str(path)), _Slice(path, tags, reader.GetSize(), reader.GetSpacing()))
    return list(found.values())


def _tags(reader: Any) -> list[str]:
    wanted = (
        _MODALITY, _SERIES, _INSTANCE, _IMAGE_TYPE, _PATIENT, _KERNEL, _THICKNESS, _AGENT, _POSITION, _ORIENTATION,
    )  # fmt: skip
    return [key for key in wanted if reader.HasMetaDataKey(key)]


def _computed_tomography(slices: Sequence[_Slice], path: Path) -> list[_Slice]:
    """Those of modality CT that are no scouts."""
    kinds = {found.tags.get(_MODALITY, "").strip() for found in slices}
    kept = [
        found
        for found in slices
        if found.tags.get(_MODALITY, "").strip() == "CT" and "LOCALIZER" not in found.tags.get(_IMAGE_TYPE, "")
    ]
    if not kept:
        held = f"DICOM images of modality {', '.join(sorted(kinds))}, or scouts alone" if kinds else "no DICOM image"
        raise InputError(f"{path} holds {held}; expected a CT series.")
    return kept


def _only_series(slices: Sequence[_Slice], path: Path) -> list[_Slice]:
    series: defaultdict[str, list[_Slice]] = defaultdict(list)
    for found in slices:
        series[found.tags.get(_SERIES, "")].append(found)
    if len(series) > 1:
        each = "; ".join(
            f"{len(part)} slices, kernel {part[0].tags.get(_KERNEL, '').strip() or 'unknown'}, with {part[0].path.name}"
            for part in series.values()
        )
        raise InputError(f"{path} holds {len(series)} CT series ({each}). Name one file of the one you mean.")
    return next(iter(series.values()))


def _ordered(slices: Sequence[_Slice], path: Path) -> tuple[list[_Slice], npt.NDArray[np.float64], float]:
    """The slices along their normal, the axes x, y, z as columns, and the step between slices in mm."""
    if len(slices) < 2:
        raise InputError(f"{path} holds one slice of its series; expected all of it, in one folder.")
    first = slices[0]
    rows = first.numbers(_ORIENTATION, 6)
    for other in slices[1:]:
        turned = np.abs(other.numbers(_ORIENTATION, 6) - rows).max() > _ALIKE
        if turned or other.size != first.size or not np.allclose(other.spacing[:2], first.spacing[:2], rtol=_ALIKE):
            raise InputError(
                f"The slices in {path} differ in direction, size or voxel size ({first.path.name} and "
                f"{other.path.name}); expected one stack of parallel slices."
            )
    normal = np.cross(rows[:3], rows[3:])
    axes = np.stack([rows[:3], rows[3:], normal / np.linalg.norm(normal)], axis=1)
    positions = np.array([found.numbers(_POSITION, 3) for found in slices]) @ axes
    order = np.argsort(positions[:, 2], kind="stable")
    ordered = [slices[number] for number in order]
    return ordered, axes, _step(positions[order], [found.path.name for found in ordered], path)


def _step(positions: npt.NDArray[np.float64], names: Sequence[str], path: Path) -> float:
    """The even step between sorted slices in mm; positions (n, 3) are along x, y, z of the stack."""
    steps = np.diff(positions[:, 2])
    usual = float(np.median(steps))
    if steps.min() <= _ALIKE:
        at = int(steps.argmin())
        raise InputError(
            f"{names[at]} and {names[at + 1]} in {path} lie at the same place: the series holds several "
            "reconstructions or phases. Keep one of them."
        )
    uneven = np.abs(steps - usual) > _UNEVEN * usual
    if uneven.any():
        at = int(np.abs(steps - usual).argmax())
        missing = round(float((steps[steps > usual * (1 + _UNEVEN)] / usual - 1).sum()))
        raise InputError(
            f"{path} lacks about {max(missing, 1)} slices, or they are unevenly spaced: {names[at]} and "
            f"{names[at + 1]} are {steps[at]:.4g} mm apart, others {usual:.4g} mm. Export the whole series."
        )
    if np.abs(positions[:, :2] - positions[0, :2]).max() > _TILT_MM:
        raise InputError(
            f"The slices in {path} are shifted against each other (tilted gantry or moving table); resample them to "
            "an upright stack first."
        )
    return float((positions[-1, 2] - positions[0, 2]) / (len(positions) - 1))
