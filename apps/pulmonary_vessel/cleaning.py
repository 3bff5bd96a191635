"""From the probability of vessel to a mask: the threshold, and what is dropped after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from apps.pulmonary_vessel.measures.grids import bounding_box

__all__ = ["vessel_mask"]

TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""A branch that runs obliquely through the grid is connected at edges and corners."""


def vessel_mask(
    probability: npt.NDArray[Any],
    lung: npt.NDArray[Any],
    threshold: float,
    voxel_mm3: float,
    config: CleaningConfig,
) -> npt.NDArray[np.uint8]:
    """The voxels of the lung that are called vessel.

    Args:
        probability: (z, y, x) of vessel.
        lung: the same grid, above 0 in the lung.
        threshold: lowest probability of a vessel's voxel.
        voxel_mm3: volume of a voxel.
        config: what is dropped.

    Returns:
        (z, y, x) 1 in vessels, else 0.
    """
    limit = probability.dtype.type(threshold)  # as the voxels are kept, or 0.7 would not reach 0.7
    mask = (probability >= limit) & (lung > 0)
    least = int(np.ceil(config.smallest_mm3 / voxel_mm3))
    if least > 1 or config.seed is not None:
        box = bounding_box(mask)
        mask[box] = _without_pieces(mask[box], probability[box], least, config.seed)
    return mask.view(np.uint8)


def _without_pieces(
    mask: npt.NDArray[np.bool_], probability: npt.NDArray[Any], least: int, seed: float | None
) -> npt.NDArray[np.bool_]:
    """The mask without pieces of fewer than `least` voxels and those that nowhere reach `seed`."""
    pieces, count = ndimage.label(mask, TOUCHING)
    inside = pieces[mask]
    kept = np.bincount(inside, minlength=count + 1) >= least
    if seed is not None:
        seeded = np.zeros(count + 1, dtype=bool)
        seeded[inside[probability[mask] >= probability.dtype.type(seed)]] = True
        kept &= seeded
    kept[0] = False
    return kept[pieces]
