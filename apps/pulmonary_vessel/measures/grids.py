"""Masks on a grid of cubes, their skeletons and their surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects
from skimage.morphology import skeletonize

__all__ = ["Mask", "Points", "bounding_box", "isotropic", "radii_mm", "skeleton", "surface_mm"]

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Spacing = tuple[float, float, float]


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box around a mask; around an empty one an empty box."""
    found: list[tuple[slice, ...]] = find_objects(mask.view(np.uint8))
    return found[0] if found else (slice(0, 0),) * mask.ndim


def isotropic(mask: Mask, spacing: Spacing) -> Mask:
    """The mask on cubes of the smallest side: linear between voxel centres, cut at one half.

    Thinning takes a voxel off at a time whatever its shape, so that on long voxels a skeleton leaves the middle.
    """
    grid: npt.NDArray[Any] = mask
    side = min(spacing)
    for axis, step in enumerate(spacing):
        if step > 1.01 * side:
            grid = _interpolated(grid.astype(np.float32, copy=False), axis, side / step)
    return grid if grid is mask else grid >= 0.5


def _interpolated(grid: npt.NDArray[np.float32], axis: int, step: float) -> npt.NDArray[np.float32]:
    """Linear interpolation along an axis at 0, step, 2 step ... voxels."""
    last = grid.shape[axis] - 1
    place = np.arange(int(last / step + 1e-6) + 1) * step
    lower = np.minimum(place.astype(np.int64), last)
    share = (place - lower).astype(np.float32).reshape([-1 if other == axis else 1 for other in range(3)])
    return np.take(grid, lower, axis) * (1 - share) + np.take(grid, np.minimum(lower + 1, last), axis) * share


def skeleton(mask: Mask) -> Mask:
    """Centrelines of a mask on cubes (Lee, Kashyap, Chu 1994, doi 10.1006/cgip.1994.1042)."""
    thin, box = np.zeros_like(mask), bounding_box(mask)
    if mask[box].size:
        thin[box] = skeletonize(mask[box]) != 0
    return thin


def radii_mm(mask: Mask, side_mm: float, where: Mask) -> Points:
    """Distance in mm from the voxels `where` to the nearest voxel outside the mask, on cubes; (n,)."""
    box = bounding_box(mask)
    distance = distance_transform_edt(np.pad(mask[box], 1))[1:-1, 1:-1, 1:-1]
    return side_mm * distance[where[box]]


def surface_mm(mask: Mask, spacing: Spacing) -> Points:
    """(n, 3) positions in mm of the voxels of a mask that touch its outside with a face; array borders are outside."""
    box = bounding_box(mask)
    inner = binary_erosion(mask[box])
    return (np.argwhere(mask[box] & ~inner) + [cut.start for cut in box]) * np.asarray(spacing)
