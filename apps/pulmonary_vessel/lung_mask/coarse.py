"""A scan at about 2 mm, where whole organs are told apart, and the way back to its own voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Coarse", "Mask", "Triple", "box_of", "closed", "dilated", "eroded"]

Mask = npt.NDArray[np.bool_]
Triple = tuple[float, float, float]

STEP_MM = 2.0
"""About the step of the coarse grid; thicker slices stay as they are."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """Block means of a scan."""

    hu: npt.NDArray[np.float32]
    """(z, y, x) HU."""
    blocks: tuple[int, int, int]
    """Voxels of the scan in a block along z, y, x."""
    spacing: Triple
    """Step of the blocks in mm: z, y, x."""

    @classmethod
    def of(cls, hu: npt.NDArray[Any], spacing: Triple) -> Coarse:
        """Average blocks of whole voxels; those at the end are filled up with the last voxel."""
        sizes = [max(1, round(STEP_MM / step)) for step in spacing]
        blocks = sizes[0], sizes[1], sizes[2]
        missing = [(0, -length % size) for length, size in zip(hu.shape, blocks, strict=True)]
        means = np.pad(hu, missing, mode="edge") if any(after for _, after in missing) else hu
        for axis in (2, 1, 0):  # the densest axis of memory first
            shape = (*means.shape[:axis], -1, blocks[axis], *means.shape[axis + 1 :])
            means = means.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
        steps = [step * size for step, size in zip(spacing, blocks, strict=True)]
        return cls(means, blocks, (steps[0], steps[1], steps[2]))

    @property
    def voxel_ml(self) -> float:
        """Volume of a block in millilitres."""
        return float(np.prod(self.spacing)) / 1000

    def millilitres(self, mask: Mask) -> float:
        """Volume of a mask on this grid."""
        return float(np.count_nonzero(mask)) * self.voxel_ml

    def places(self, axis: int, length: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Any]:
        """For each of `length` voxels of the scan along an axis: blocks before and after it, the latter's weight."""
        size = self.blocks[axis]
        place = (np.arange(length) - (size - 1) / 2) / size
        place = np.clip(place, 0, self.hu.shape[axis] - 1)
        before = np.minimum(place.astype(np.intp), max(self.hu.shape[axis] - 2, 0))
        return before, np.minimum(before + 1, self.hu.shape[axis] - 1), (place - before).astype(np.float32)


def box_of(mask: Mask, margin_mm: float, spacing: Triple) -> tuple[slice, ...]:
    """The smallest box with all of a mask that is not empty, and at least a margin around it."""
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(part.start - more, 0), min(part.stop + more, length))
        for part, more, length in zip(found, _reach(margin_mm, spacing), mask.shape, strict=True)
    )


def _reach(radius_mm: float, spacing: Triple) -> list[int]:
    return [int(np.ceil(radius_mm / step)) + 1 for step in spacing]


def dilated(mask: Mask, radius_mm: float, spacing: Triple) -> Mask:
    """The mask grown by a ball."""
    if not mask.any():
        return mask
    box = box_of(mask, radius_mm, spacing)
    return _put(_grown(mask[box], radius_mm, spacing), box, mask.shape)


def eroded(mask: Mask, radius_mm: float, spacing: Triple) -> Mask:
    """The mask shrunk by a ball; what lies beyond the scan counts as mask."""
    if not mask.any():
        return mask
    box = box_of(mask, 0.0, spacing)
    return _put(~_grown(~mask[box], radius_mm, spacing), box, mask.shape)


def closed(mask: Mask, radius_mm: float, spacing: Triple) -> Mask:
    """Gaps narrower than twice the radius filled; the scan's outermost voxels are thought to go on beyond it."""
    if not mask.any():
        return mask
    box = box_of(mask, 2 * radius_mm, spacing)
    reach = _reach(radius_mm, spacing)
    padded = np.pad(mask[box], [(margin, margin) for margin in reach], mode="edge")
    filled = ~_grown(~_grown(padded, radius_mm, spacing), radius_mm, spacing)
    return _put(filled[tuple(slice(margin, -margin) for margin in reach)], box, mask.shape)


def _grown(mask: Mask, radius_mm: float, spacing: Triple) -> Mask:
    if not mask.any():
        return mask
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= radius_mm


def _put(part: Mask, box: tuple[slice, ...], shape: tuple[int, ...]) -> Mask:
    whole = np.zeros(shape, dtype=bool)
    whole[box] = part
    return whole
