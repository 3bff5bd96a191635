"""CT series of DICOM files, made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK

SERIES = "1.2.826.0.1.3680043.2.1125.7"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_slices(
    folder: Path,
    voxels: npt.NDArray[np.int16],
    *,
    rows: Sequence[float] = AXIAL,
    step: float = 2.5,
    series: str = SERIES,
    names: Sequence[str] | None = None,
    packed: bool = False,
    tags: Mapping[str, str] | None = None,
) -> list[Path]:
    """One file for each slice of (z, y, x), along the normal of `rows`; 0.7 x 0.8 mm in plane, first voxel at -100."""
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(rows[:3], rows[3:])
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetUseCompression(packed)
    paths = []
    for number, plane in enumerate(voxels):
        image = SimpleITK.GetImageFromArray(plane[None])
        image.SetSpacing((0.7, 0.8, step))
        corner = -100.0 + number * step * normal
        about = {
            "0008|0008": "ORIGINAL\\PRIMARY\\AXIAL",
            "0008|0060": "CT",
            "0008|0018": f"{series}.{number + 1}",
            "0010|0020": "patient 7",
            "0018|0050": "3.0",
            "0020|000e": series,
            "0020|0032": "\\".join(f"{part:.6f}" for part in corner),
            "0020|0037": "\\".join(f"{part:.9f}" for part in rows),
            "0028|1052": "-1024",
            "0028|1053": "1",
            **(tags or {}),
        }
        for tag, value in about.items():
            image.SetMetaData(tag, value)
        path = folder / (names[number] if names else f"slice{number:03d}.dcm")
        writer.SetFileName(str(path))
        writer.Execute(image)
        paths.append(path)
    return paths
