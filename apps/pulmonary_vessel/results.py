"""What the predictor answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.formats.volume import Geometry, write_volume
from shared.result import Result

__all__ = ["STRUCTURES", "VesselSegmentation", "structures", "volumes_ml"]

ARRAYS = ("mask", "lung", "probability", "structures")
STRUCTURES = {"vessel": 1, "artery": 2, "vein": 3, "airway": 4}
"""Codes of `VesselSegmentation.structures`; 1 is a vessel of which the model does not say more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VesselSegmentation(Result):
    """The pulmonary vessels of one scan, inside the lungs, on the scan's own grid.

    Arrays have the axes of the file, as SimpleITK's `GetArrayFromImage` gives them. Where the status is undecided, mask
    and probability are 0 everywhere.
    """

    mask: npt.NDArray[np.uint8]
    """(Z, Y, X) 1 in vessels, else 0."""
    lung: npt.NDArray[np.uint8]
    """(Z, Y, X) 0 outside; 1 right and 2 left lung, or 1 for the only lung in view."""
    probability: npt.NDArray[np.float32] | None
    """(Z, Y, X) of vessel, 0 outside the lungs; None unless it was asked for."""
    structures: npt.NDArray[np.uint8] | None = None
    """(Z, Y, X) codes of STRUCTURES, 0 elsewhere: what else the model tells apart; None unless it was asked for."""
    threshold: float
    """Probability from which a voxel is called vessel."""
    spacing_mm: tuple[float, float, float]
    """Step along Z, Y, X."""
    origin_mm: tuple[float, float, float]
    """Centre of the first voxel in the patient, as SimpleITK has it: L, P, S."""
    direction: tuple[float, ...]
    """Unit vectors of x, y, z as the columns of a 3x3 matrix, row by row, as SimpleITK has it."""
    volumes_ml: dict[str, float]
    """"vessel" and "lung" in mL, and where both lungs are in view "vessel right", "lung right", "vessel left",
    "lung left"."""

    @property
    def geometry(self) -> Geometry:
        """The grid of the arrays."""
        depth, height, width = self.mask.shape
        z, y, x = self.spacing_mm
        return Geometry((width, height, depth), (x, y, z), self.origin_mm, self.direction)

    def save(self, path: str | Path) -> None:
        """Write the mask in the geometry of the scan, or the structures where they were asked for.

        Args:
            path: ends with .nii, .nii.gz, .mha, .mhd or .nrrd.

        Raises:
            InputError: it has another ending.
        """
        write_volume(path, self.mask if self.structures is None else self.structures, self.geometry)

    def to_dict(self) -> dict[str, Any]:
        """As `Result`, without the arrays; "shape" has their size."""
        plain = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in ARRAYS}
        listed = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
        return {**listed, "shape": list(self.mask.shape)}


def structures(
    mask: npt.NDArray[np.uint8], probabilities: Mapping[str, npt.NDArray[np.float32]]
) -> npt.NDArray[np.uint8]:
    """What is what, as `VesselSegmentation.structures`.

    Args:
        mask: (z, y, x) 1 in vessels.
        probabilities: the same grid, of the structures that a network tells apart; a vessel is an artery or a vein,
            whichever is more probable, and an airway is where no vessel is and one is more probable than not.
    """
    codes = mask * np.uint8(STRUCTURES["vessel"])
    if "artery" in probabilities:
        artery = probabilities["artery"] >= probabilities["vein"]
        codes[mask > 0] = np.where(artery, STRUCTURES["artery"], STRUCTURES["vein"])[mask > 0]
    if "airway" in probabilities:
        codes[(mask == 0) & (probabilities["airway"] >= 0.5)] = STRUCTURES["airway"]
    return codes


def volumes_ml(mask: npt.NDArray[np.uint8], lung: npt.NDArray[np.uint8], voxel_ml: float) -> dict[str, float]:
    """Volumes of vessels and lungs, as `VesselSegmentation.volumes_ml`.

    Args:
        mask: (z, y, x) 1 in vessels.
        lung: the same grid, 0 outside, 1 right, 2 left or 1 alone.
        voxel_ml: volume of a voxel.
    """
    lungs = np.bincount(lung.ravel(), minlength=3)
    vessels = np.bincount(lung[mask > 0], minlength=3)
    volumes = {"vessel": int(vessels.sum()) * voxel_ml, "lung": int(lungs[1:].sum()) * voxel_ml}
    if lungs[2]:
        for number, side in ((1, "right"), (2, "left")):
            volumes |= {
                f"vessel {side}": int(vessels[number]) * voxel_ml,
                f"lung {side}": int(lungs[number]) * voxel_ml,
            }
    return volumes
