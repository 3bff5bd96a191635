"""The lungs of a CT scan without a trained model: by threshold, shape and place.

A threshold alone takes in stomach and bowel, leaves out consolidated parts, and filling its holes slice by slice takes
in the mediastinum. Here gas that soft tissue surrounds is left out, the surface is closed lung by lung and bridged at
the chest wall, and holes are filled in space. A scan may show both lungs, one, or a part of one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.pulmonary_vessel.lung_mask.air import lung_air, outside_air
from apps.pulmonary_vessel.lung_mask.coarse import Coarse, Mask, box_of
from apps.pulmonary_vessel.lung_mask.sides import RIGHT_LEFT, numbered
from apps.pulmonary_vessel.lung_mask.surface import CLOSING_MM, filled, refined

__all__ = ["LungMask", "find_lungs", "number_lungs"]

_SMALLEST_ML, _SMALLEST_SHARE = 10.0, 0.01
"""Less than this, or than this share of the patient in view, is no lung."""
_PIECE_ML, _PIECE_SHARE = 5.0, 0.02
"""A piece apart from the largest one is lung where it is at least this large, and this large beside it."""
_THIN_MM = 3.0
_REGROWN = 3
"""Blocks that a piece gets back of what cutting the bridges took."""
_TISSUE_HU, _TISSUE_SHARE = (-200.0, 300.0), 0.005
"""A chest has soft tissue: the wall, the mediastinum or, in a small part of a lung, its vessels."""
_LUNG_HU = (-965.0, -450.0)
"""Medians of lungs, from emphysema to widespread ground glass."""


@dataclass(frozen=True, eq=False)
class LungMask:
    """The lungs of a scan."""

    mask: npt.NDArray[np.uint8]
    """(z, y, x) on the scan's grid: 0 outside; 1 right lung and 2 left lung, or 1 for the only lung in view."""
    reason: str | None
    """Why there is none; None where there is."""

    @property
    def sides(self) -> tuple[str, ...]:
        """Names of the numbers from 1 on: right and left, one lung where it alone is in view, none without lungs."""
        return (RIGHT_LEFT if (self.mask == 2).any() else ("one lung",)) if self.mask.any() else ()


def find_lungs(hu: npt.NDArray[Any], spacing: tuple[float, float, float]) -> LungMask:
    """Find the lungs of a chest CT.

    Args:
        hu: (z, y, x) Hounsfield units on standard axes (`shared.formats.volume_geometry`): towards the head, the back
            and the left of the patient.
        spacing: step along z, y, x in mm.

    Returns:
        The lungs with vessels, bronchi, nodules and what is consolidated as far as air surrounds it or it lies at the
        chest wall; trachea and main bronchi are left out. An empty mask with the reason where this is no chest.
    """
    scan = Coarse.of(hu, spacing)
    reason = _not_a_body(scan)
    if reason is None:
        outside = outside_air(scan)
        lungs = _pieces_of_lung(lung_air(scan, outside), scan)
        reason = _too_little(lungs, outside, scan)
    if reason is not None:
        return LungMask(np.zeros(hu.shape, dtype=np.uint8), reason)
    numbers = np.zeros(lungs.shape, dtype=np.uint8)
    box = box_of(lungs, 2 * CLOSING_MM, scan.spacing)
    part = dataclasses.replace(scan, hu=scan.hu[box])
    numbers[box] = _filled_each(numbered(lungs[box], part), part)
    return LungMask(refined(numbers, scan, hu), None)


def number_lungs(mask: npt.NDArray[Any], spacing: tuple[float, float, float]) -> LungMask:
    """Number the lungs of a mask that came with the scan.

    Args:
        mask: (z, y, x) on standard axes; what is not 0 is lung.
        spacing: step along z, y, x in mm.
    """
    inside = np.asarray(mask) != 0
    if not inside.any():
        return LungMask(np.zeros(inside.shape, dtype=np.uint8), "the lung mask is empty")
    scan = Coarse.of(inside, spacing)
    numbers = numbered(scan.hu > 0, scan)
    for axis, (length, size) in enumerate(zip(inside.shape, scan.blocks, strict=True)):
        numbers = numbers.take(np.arange(length) // size, axis)
    return LungMask(numbers * inside, None)


def _not_a_body(scan: Coarse) -> str | None:
    low, high = _TISSUE_HU
    if not (scan.hu < _LUNG_HU[1]).any():
        return "no air in the scan (nothing below -450 HU): no chest, or no Hounsfield units"
    if ((scan.hu > low) & (scan.hu < high)).mean() < _TISSUE_SHARE:
        return "no soft tissue in the scan (-200 to 300 HU): no chest, or no Hounsfield units"
    return None


def _pieces_of_lung(air: Mask, scan: Coarse) -> Mask:
    """Pieces of air that are large and hold tissue as lung does; thin bridges between pieces are cut."""
    along = scan.spacing[0] <= _THIN_MM  # thick slices are thicker than the lung at its edges
    cross = ndimage.generate_binary_structure(3, 1) & np.array([along, True, along]).reshape(3, 1, 1)
    pieces, count = ndimage.label(ndimage.binary_erosion(air, cross, border_value=1))
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:] * scan.voxel_ml
    least = max(_PIECE_ML, _PIECE_SHARE * sizes.max())
    kept = np.zeros(count + 1, dtype=bool)
    for number in np.flatnonzero(sizes >= least) + 1:
        kept[number] = _LUNG_HU[0] < np.median(scan.hu[pieces == number]) < _LUNG_HU[1]
    return ndimage.binary_dilation(kept[pieces], iterations=_REGROWN, mask=air)


def _too_little(lungs: Mask, outside: Mask, scan: Coarse) -> str | None:
    found = scan.millilitres(lungs)
    if found < _SMALLEST_ML or found < _SMALLEST_SHARE * scan.millilitres(~outside):
        return f"no lung found: {found:.0f} mL of air-filled tissue in the scan"
    return None


def _filled_each(numbers: npt.NDArray[np.uint8], scan: Coarse) -> npt.NDArray[np.uint8]:
    """Every lung with its surface closed; what two lungs would share stays as it was."""
    two = bool((numbers == 2).any())
    result = np.zeros_like(numbers)
    for number, lateral in ((1, -1), (2, 1)) if two else ((1, None),):
        whole = filled(numbers == number, scan, lateral)
        result[whole & (numbers == 0) & (result == 0)] = number
    return np.where(numbers > 0, numbers, result).astype(np.uint8)
