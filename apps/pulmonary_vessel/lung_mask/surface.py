"""The surface of a lung: vessels, bronchi and consolidated parts belong to it, the mediastinum does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.pulmonary_vessel.lung_mask.air import AIR_HU
from apps.pulmonary_vessel.lung_mask.coarse import Coarse, Mask, box_of, closed, dilated, eroded

__all__ = ["CLOSING_MM", "filled", "refined"]

CLOSING_MM = 8.0
"""Vessels and bronchi at the hilum are narrower than twice this."""
_BITE_MM = 50.0
"""A consolidated part at the chest wall is bridged up to this width."""
_BITE_DEPTH_MM, _BITE_RADIUS_MM = 40.0, 4.0
"""Not deeper than this, and nowhere thinner than twice the radius: clefts are no consolidated lung."""
_BONE_HU = 300.0
_FAR_MM = 1e3


def filled(lung: Mask, scan: Coarse, lateral: int | None) -> Mask:
    """One lung with its vessels, bronchi, nodules and consolidated parts.

    Holes are filled in space, not slice by slice: in a slice the mediastinum is a hole between the lungs. Parts at the
    back and, where it is known, the side that is away from the heart are bridged, because there the lung's surface is
    that of the chest wall: it bulges, and a notch in it is no lung that is missing but lung that holds no air.

    Args:
        lung: air of one lung.
        scan: its grid.
        lateral: where the chest wall is along x: 1 at high x, -1 at low x, None where unknown.
    """
    whole = ndimage.binary_fill_holes(closed(lung, CLOSING_MM, scan.spacing))
    for axis, sign in ((1, 1), *(((2, lateral),) if lateral else ())):
        bites = _bites(whole, axis, sign, scan.spacing) & (scan.hu > AIR_HU) & (scan.hu < _BONE_HU)
        whole = whole | dilated(eroded(bites, _BITE_RADIUS_MM, scan.spacing), _BITE_RADIUS_MM, scan.spacing) & bites
    return ndimage.binary_fill_holes(whole)


def _bites(lung: Mask, axis: int, sign: int, spacing: tuple[float, float, float]) -> Mask:
    """Notches in the surface that looks along an axis: of the lung as a landscape, the valleys.

    A landscape that bulges has none, and none is open to a side: a valley is filled only where the surface rises
    again on every side of it within `_BITE_MM`.
    """
    seen = lung if sign > 0 else np.flip(lung, axis)
    length = seen.shape[axis]
    height = np.where(seen.any(axis), length - 1 - np.flip(seen, axis).argmax(axis), -1)
    window = [max(1, round(_BITE_MM / step)) | 1 for other, step in enumerate(spacing) if other != axis]
    padded = np.pad(height, [(size, size) for size in window], constant_values=-1)
    bridged = ndimage.grey_closing(padded, size=tuple(window))[tuple(slice(size, -size) for size in window)]
    shallow = (height >= 0) & (bridged - height <= _BITE_DEPTH_MM / spacing[axis])
    top = np.expand_dims(np.where(shallow, bridged, height), axis)
    place = np.arange(length).reshape([-1 if other == axis else 1 for other in range(3)])
    notch = (place > np.expand_dims(height, axis)) & (place <= top)
    return notch if sign > 0 else np.flip(notch, axis)


def refined(numbers: npt.NDArray[np.uint8], scan: Coarse, hu: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Numbered lungs of the coarse grid on the scan's own voxels.

    Within half a block of the surface a voxel is lung where it holds air.

    Args:
        numbers: (z, y, x) of the coarse grid, 0 outside.
        scan: the grid.
        hu: the scan.
    """
    result = np.zeros(hu.shape, dtype=np.uint8)
    margin = 0.5 * min(scan.spacing)
    depth, owner = _depth_and_owner(numbers, scan)
    blocks = [np.arange(length) // size for length, size in zip(hu.shape, scan.blocks, strict=True)]
    before, after, weight = scan.places(0, hu.shape[0])
    for z in range(hu.shape[0]):
        plane = (1 - weight[z]) * depth[before[z]] + weight[z] * depth[after[z]]
        if plane.max() <= -margin:
            continue
        level = _spread(plane, scan, hu.shape)
        lung = (level > margin) | ((level > -margin) & (hu[z] < AIR_HU))
        result[z] = lung * owner[blocks[0][z]][np.ix_(blocks[1], blocks[2])]
    return result


def _depth_and_owner(
    numbers: npt.NDArray[np.uint8], scan: Coarse
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Depth below the surface in mm, negative outside, and the number of the nearest lung."""
    inside = numbers > 0
    depth, owner = np.full(numbers.shape, -_FAR_MM, dtype=np.float32), numbers.copy()
    box = box_of(inside, max(scan.spacing), scan.spacing)
    away, places = ndimage.distance_transform_edt(~inside[box], sampling=scan.spacing, return_indices=True)
    depth[box] = ndimage.distance_transform_edt(inside[box], sampling=scan.spacing) - away
    owner[box] = numbers[box][tuple(places)]
    return depth, owner


def _spread(plane: npt.NDArray[np.float32], scan: Coarse, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """A plane of blocks, interpolated at the voxels."""
    for axis in (1, 2):
        before, after, weight = scan.places(axis, shape[axis])
        weight = weight.reshape((-1, 1) if axis == 1 else (1, -1))
        plane = plane.take(before, axis - 1) * (1 - weight) + plane.take(after, axis - 1) * weight
    return plane
