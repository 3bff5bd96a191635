"""Cross-sections of vessels from a mask alone: the volume of a branch over its length.

A radius read from the distance to the nearest voxel outside moves in steps of a voxel, and enters the area squared:
vessels of 5 mm2 are about three voxels wide. Volume over length has no such steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from apps.pulmonary_vessel.report.centreline import GRID_MM, FloatArray, IntArray, Spacing, find_centreline
from apps.pulmonary_vessel.report.thinning import BoolArray

__all__ = ["CALIBRES", "CALIBRE_NAMES", "LIMITS_MM2", "METHOD", "THICK_SECTION_MM", "Calibre", "measure_calibre"]

LIMITS_MM2 = (5.0, 10.0)
CALIBRES = ("BV5", "BV5-10", "BV>10")
"""Blood volume in vessels with a cross-section under 5, of 5 to 10, and of 10 mm2 or more (Estepar et al., AJRCCM
2013;188:231-239, who measured it by another method)."""

CALIBRE_NAMES = ("under 5 mm²", "5 to 10 mm²", "10 mm² or more")
"""The same in words, for pictures."""

THICK_SECTION_MM = 2.0
"""With slices further apart small vessels break up between them, and those that remain look wider."""

METHOD = (
    f"Cross-section: volume over length of the branch. The mask is thinned on a {GRID_MM:g} mm grid and cut at its "
    "junctions; each voxel belongs to the branch whose centreline is nearest, the branch's radius subtracted; the area "
    "of a branch is the volume of its voxels over the length of its centreline, oblique to the slices or not. "
    "BV5: volume of vessels under 5 mm2; BV5-10: 5 to 10; BV>10: 10 or more; TBV: all. Arteries and veins together, "
    "inside the lung field only."
)

_CANDIDATES = 8
"""Centreline points nearest to a voxel among which its branch is chosen."""


@dataclass(frozen=True, eq=False)
class Calibre:
    """Cross-sections of the voxels of a mask and of its centreline."""

    area: FloatArray
    """(n,) cross-section in mm2 at each voxel of the mask, in the order of `array[mask]`."""
    points: IntArray
    """(m, 3) voxel z,y,x in which each point of the centreline lies."""
    point_area: FloatArray
    """(m,) cross-section there, mm2."""
    point_length: FloatArray
    """(m,) mm of centreline that the point stands for."""

    @property
    def classes(self) -> npt.NDArray[np.uint8]:
        """(n,) 1, 2, 3: the place of the voxel's calibre in `CALIBRES`, from 1."""
        return (np.digitize(self.area, LIMITS_MM2) + 1).astype(np.uint8)

    def inside(self, field: BoolArray, mask: BoolArray) -> Self:
        """Its part in a field (z, y, x); `mask` is the one that was measured."""
        voxels, points = field[mask], field[tuple(self.points.T)]
        return type(self)(self.area[voxels], self.points[points], self.point_area[points], self.point_length[points])


def measure_calibre(mask: BoolArray, spacing: Spacing) -> Calibre:
    """The cross-section of the vessel at each voxel of a mask.

    Args:
        mask: (z, y, x) vessels.
        spacing: z,y,x in mm.
    """
    inside = np.argwhere(mask)
    if not len(inside):
        nothing = np.zeros(0)
        return Calibre(nothing, np.zeros((0, 3), dtype=np.int64), nothing, nothing)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    line = find_centreline(mask[tuple(map(slice, low, high))], spacing)
    centres = (inside - low + 0.5) * spacing
    own = _nearest_branch(centres, line.points, line.radius)
    volume = np.bincount(line.branch[own]) * np.prod(spacing)
    length = np.bincount(line.branch, weights=line.length)
    volume = np.pad(volume, (0, len(length) - len(volume)))
    point_area = (volume / length)[line.branch]
    points = np.minimum((line.points / spacing).astype(np.int64) + low, high - 1)
    return Calibre(point_area[own], points, point_area, line.length)


def _nearest_branch(places: FloatArray, points: FloatArray, radius: FloatArray) -> IntArray:
    """For each place the point that is nearest when its radius is subtracted: the rim of a trunk stays with it."""
    nearest = cKDTree(points).query(places, k=range(1, min(_CANDIDATES, len(points)) + 1))
    distance, candidate = (np.asarray(column) for column in nearest)
    chosen = (distance - radius[candidate]).argmin(axis=1)
    return candidate[np.arange(len(places)), chosen].astype(np.int64)
