"""Statistics of a vessel tree in a lung, the same for phantoms and for masks of real anatomies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import skeletonize

from data_prep.lung_phantom.space import Bool, Float64

__all__ = ["DEPTH_EDGES_MM", "RADIUS_EDGES_MM", "STEP_MM", "TreeStatistics", "measured"]

STEP_MM = 0.8
"""Masks are resampled to cubes of this edge before they are measured."""
RADIUS_EDGES_MM = np.array([0.0, 0.7, 1.0, 1.5, 2.0, 3.0, 4.5, np.inf])
DEPTH_EDGES_MM = np.array([0.0, 3.0, 6.0, 10.0, 15.0, 25.0, np.inf])
"""Below the surface of the lung."""

_NEIGHBOURS = np.ones((3, 3, 3), dtype=np.uint8)


@dataclass(frozen=True)
class TreeStatistics:
    """How a vessel tree fills its lung."""

    lung_ml: float
    vessel_share: float
    """Of the lung's volume."""
    length_per_ml: float
    """Length of the middle lines per volume of lung, in mm / mL (voxels of the skeleton, times 1.25 for slant)."""
    forks_per_ml: float
    ends_per_ml: float
    segment_mm: float
    """Mean length between forks and ends."""
    largest_part: float
    """Share of the vessel volume in the largest connected part."""
    radius_shares: Float64
    """Share of the length by radius, in the bins of RADIUS_EDGES_MM; the radius is the distance transform's."""
    depth_shares: Float64
    """Share of the lung that is vessel, by depth below the surface, in the bins of DEPTH_EDGES_MM."""

    def row(self) -> Mapping[str, float]:
        """One number for each column of a table."""
        radii = {f"r<{high:g}": share for high, share in zip(RADIUS_EDGES_MM[1:], self.radius_shares, strict=True)}
        depths = {f"d>{low:g}": share for low, share in zip(DEPTH_EDGES_MM, self.depth_shares, strict=False)}
        numbers = {field.name: value for field in fields(self) if isinstance(value := getattr(self, field.name), float)}
        return numbers | radii | depths


def measured(vessel: Bool, lung: Bool, spacing: tuple[float, float, float]) -> TreeStatistics:
    """Measure the vessels inside a lung.

    Args:
        vessel: mask (Z,Y,X).
        lung: mask of the same shape, with the vessels in it.
        spacing: (z,y,x) in mm.
    """
    zoom = np.array(spacing) / STEP_MM
    lung = ndimage.zoom(lung.astype(np.float32), zoom, order=1) > 0.5
    vessel = (ndimage.zoom(vessel.astype(np.float32), zoom, order=1) >= 0.5) & lung
    line = skeletonize(vessel) & vessel
    crowd = ndimage.convolve(line.astype(np.uint8), _NEIGHBOURS, mode="constant") * line
    _, n_forks = ndimage.label(crowd >= 4, _NEIGHBOURS)
    ends = int(np.sum(crowd == 2))
    segments, n_segments = ndimage.label((crowd == 2) | (crowd == 3), _NEIGHBOURS)
    ml = float(lung.sum()) * STEP_MM**3 / 1000
    radius = ndimage.distance_transform_edt(vessel, sampling=STEP_MM)[line] - 0.25 * STEP_MM
    length = float(line.sum()) * STEP_MM * 1.25
    parts, _ = ndimage.label(vessel, _NEIGHBOURS)
    sizes = np.bincount(parts.ravel())[1:]
    return TreeStatistics(
        lung_ml=ml,
        vessel_share=float(vessel.sum() / max(lung.sum(), 1)),
        length_per_ml=length / ml,
        forks_per_ml=n_forks / ml,
        ends_per_ml=ends / ml,
        segment_mm=float((segments > 0).sum()) * STEP_MM * 1.25 / max(n_segments, 1),
        largest_part=float(sizes.max() / sizes.sum()) if len(sizes) else float("nan"),
        radius_shares=_shares(radius),
        depth_shares=_by_depth(vessel, lung),
    )


def _shares(radius: Float64) -> Float64:
    counts, _ = np.histogram(radius, RADIUS_EDGES_MM)
    return counts / max(counts.sum(), 1)


def _by_depth(vessel: Bool, lung: Bool) -> Float64:
    """The rim of the array is no surface: the lung goes on there."""
    padded = np.pad(lung, 1, mode="edge")
    depth: npt.NDArray[np.float64] = ndimage.distance_transform_edt(padded, sampling=STEP_MM)[1:-1, 1:-1, 1:-1]
    bins = np.digitize(depth[lung], DEPTH_EDGES_MM) - 1
    count = np.bincount(bins, minlength=len(DEPTH_EDGES_MM) - 1)
    return np.bincount(bins, weights=vessel[lung], minlength=len(DEPTH_EDGES_MM) - 1) / np.maximum(count, 1)
