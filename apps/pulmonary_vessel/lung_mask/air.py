"""What is air in a scan: around the patient, in airways, stomach and bowel, and, the rest, in the lungs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.pulmonary_vessel.lung_mask.coarse import Coarse, Mask, dilated, eroded

__all__ = ["AIR_HU", "lung_air", "outside_air"]

AIR_HU = -400.0
"""Half way between lung and soft tissue."""
_GAS_HU = -925.0
"""Below it there is gas and no tissue; in a patient with emphysema the limit is lower."""
_OUTSIDE_HU, _FREE_AIR_HU = -930.0, -970.0
"""Air around the patient is all below the first but for noise; its median below the second, else it is emphysema."""
_SOFT_HU = -300.0

_FACE_MM2 = 500.0
"""Air that touches a side of the scan over a larger area than any airway has is not of the patient."""
_LEAK_ML, _LEAK_SD_HU, _LEAK_DEPTH_MM = 50.0, 50.0, 6.0
"""A part of the outside air that is as deep, large and mixed as this is lung: vessels set it apart from a blanket."""
_GAS_ML, _GAS_RADIUS_MM = 5.0, 2.0
"""Gas pockets are at least this large and hold balls of this radius; lobar bronchi are smaller, and of the lung."""
_RIM_MM = 3.0
"""Partial volume and wall around gas."""
_SOFT_SHARE = 0.6
"""Share of soft tissue around gas that is no part of the lung: 0.7 and more was seen around trachea and stomach, 0.45
around a dark edge of a lung in front of the heart; bullae and emphysema lie in lung."""


def outside_air(scan: Coarse) -> Mask:
    """Air around the patient with clothes and couch, and the padding beyond the field of view.

    It starts where gas touches the front, back or a side of the scan over a large area; lung that a cropped scan cuts
    does not.
    """
    gas = scan.hu < _OUTSIDE_HU
    seeds = _touching(gas, scan)
    flooded = _components_with(scan.hu < AIR_HU, seeds)
    rest = eroded(flooded & ~dilated(seeds, 4.0, scan.spacing), _LEAK_DEPTH_MM, scan.spacing)
    if scan.millilitres(rest) > _LEAK_ML and float(scan.hu[rest].std()) > _LEAK_SD_HU:
        return dilated(seeds, _RIM_MM, scan.spacing) & flooded
    return flooded


def _touching(gas: Mask, scan: Coarse) -> Mask:
    """Components of free air that touch a face of the scan along y or x over a large area."""
    labels, count = ndimage.label(gas)
    kept = np.zeros(count + 1, dtype=bool)
    for axis in (1, 2):
        area = float(np.prod([step for other, step in enumerate(scan.spacing) if other != axis]))
        for end in (0, -1):
            touched = np.bincount(labels.take(end, axis).ravel(), minlength=count + 1)
            kept |= touched * area > _FACE_MM2
    kept[0] = False
    for number in np.flatnonzero(kept).tolist():
        kept[number] = np.median(scan.hu[labels == number]) < _FREE_AIR_HU
    return kept[labels]


def _components_with(mask: Mask, seeds: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    kept = np.zeros(count + 1, dtype=bool)
    kept[np.unique(labels[seeds & mask])] = True
    kept[0] = False
    return kept[labels]


def lung_air(scan: Coarse, outside: Mask) -> Mask:
    """Air of the patient that is not in an airway outside the lung, the stomach or the bowel."""
    air = (scan.hu < AIR_HU) & ~outside
    if not air.any():
        return air
    gas = _gas(scan, air)
    return air & ~dilated(gas, _RIM_MM, scan.spacing)


def _gas(scan: Coarse, air: Mask) -> Mask:
    """Pockets of gas that soft tissue surrounds: trachea and main bronchi, stomach, bowel."""
    typical = float(np.median(scan.hu[air]))
    limit = min(_GAS_HU, (typical - 1000.0) / 2)
    core = eroded(air & (scan.hu < limit), _GAS_RADIUS_MM, scan.spacing)
    labels, count = ndimage.label(dilated(core, _GAS_RADIUS_MM, scan.spacing) & air)
    chosen = np.zeros(count + 1, dtype=bool)
    sizes = np.bincount(labels.ravel()) * scan.voxel_ml
    parts = ndimage.find_objects(labels)
    for number in (np.flatnonzero(sizes[1:] >= _GAS_ML) + 1).tolist():
        cut = _wider(parts[number - 1], scan)
        own = labels[cut] == number
        ring = dilated(own, 3 * _RIM_MM, scan.spacing) & ~dilated(own, _RIM_MM, scan.spacing)
        chosen[number] = _share(scan.hu[cut][ring] > _SOFT_HU) > _SOFT_SHARE
    return chosen[labels]


def _share(mask: npt.NDArray[np.bool_]) -> float:
    return float(mask.mean()) if mask.size else 1.0


def _wider(part: tuple[slice, ...], scan: Coarse) -> tuple[slice, ...]:
    """The box of a part with room for its ring."""
    return tuple(
        slice(max(piece.start - margin, 0), piece.stop + margin)
        for piece, margin in zip(part, (int(4 * _RIM_MM / step) + 2 for step in scan.spacing), strict=True)
    )
