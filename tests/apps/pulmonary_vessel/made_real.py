"""Files as ../shared/data/pulmonary_vessel has them, made of phantoms of tubes: points, two kernels, a silver mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.formats.volume import Geometry, write_volume
from tests.apps.pulmonary_vessel.made_tubes import SPACING, made_scan

POINTS = {"vessel": 2, "fissure": 6, "airway wall": 4, "parenchyma": 1}
"""Kind of a point -> code of the voxels it is taken from."""
EACH = 4


def write_files(folder: Path) -> None:
    """`dotted` with sparse points, `twice_kernelA` and `twice_kernelB`, and `ruled` with a mask made by a rule."""
    folder.mkdir(parents=True)
    scan = made_scan(7)
    grid = Geometry.of_array(scan.hu.shape, SPACING)
    noise = np.random.default_rng(0).normal(0, 12, scan.hu.shape)
    for name, hu in (("dotted", scan.hu), ("twice_kernelA", scan.hu), ("twice_kernelB", scan.hu + noise)):
        write_volume(folder / f"{name}.nii.gz", hu.astype(np.int16), grid)
        write_volume(folder / f"{name}_lungmask.nii.gz", scan.lung.astype(np.uint8), grid)
    other = made_scan(8)
    write_volume(folder / "ruled.nii.gz", other.hu, grid)
    write_volume(folder / "ruled_silver.nii.gz", np.minimum(other.labels, 3), grid)
    lines = ["i,j,k,is_vessel,kind"]
    for kind, code in POINTS.items():
        places = np.argwhere(scan.labels == code)
        for z, y, x in places[:: len(places) // EACH][:EACH]:
            lines.append(f"{x},{y},{z},{int(kind == 'vessel')},{kind}")
    (folder / "dotted_points.csv").write_text("\n".join(lines) + "\n")
