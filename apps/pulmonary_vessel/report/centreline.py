"""Thins a vessel mask to its centreline, cuts it into branches at the junctions and measures their lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from apps.pulmonary_vessel.report.thinning import BoolArray, thin

__all__ = ["GRID_MM", "Centreline", "find_centreline"]

Spacing = tuple[float, float, float]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

GRID_MM = 0.75
"""Step of the isotropic grid of the thinning; coarser scans are thinned at their own smallest step."""

_STEP_LENGTHS = np.array([0.0, 0.9016, 1.289, 1.615])
"""Length that a step through 1 face, 1 edge or 1 corner of a voxel stands for, in voxels: unbiased for lines of every
direction, where the plain 1, 1.41, 1.73 is too long (Kiryati and Kubler, Pattern Recognition 1995;28:361-372)."""
_NEIGHBOUR = 1.8
"""Neighbours, also through a corner, lie closer than this, in voxels."""


@dataclass(frozen=True, eq=False)
class Centreline:
    """The voxels of a thinned mask, on a grid of its own; positions are in mm from the corner of the mask's array."""

    points: FloatArray
    """(n, 3): z,y,x in mm."""
    radius: FloatArray
    """(n,) to the nearest voxel outside in mm: tells which branch is the wider one, too coarse to measure it."""
    length: FloatArray
    """(n,) mm of centreline that a point stands for."""
    branch: IntArray
    """(n,) number of the piece between two junctions (or ends) that a point lies on; a junction is a piece too."""


def find_centreline(mask: BoolArray, spacing: Spacing) -> Centreline:
    """Thin a mask on an isotropic grid, its cavities filled.

    Args:
        mask: (z, y, x) with a margin or not; cropped to the vessels it is faster.
        spacing: z,y,x in mm.
    """
    fine, step = _isotropic(mask, spacing)
    fine = ndimage.binary_fill_holes(fine)
    index = np.argwhere(thin(fine))
    if not len(index):
        nothing = np.zeros(0)
        return Centreline(np.zeros((0, 3)), nothing, nothing, np.zeros(0, dtype=np.int64))
    pairs = cKDTree(index).query_pairs(_NEIGHBOUR, output_type="ndarray")
    n_neighbours = np.bincount(pairs.ravel(), minlength=len(index))
    within = ~(n_neighbours > 2)[pairs].any(axis=1)
    size = float(np.prod(step)) ** (1 / 3)
    return Centreline(
        points=(index + 0.5) * step,
        radius=_distance_outside(fine, index) * size,
        length=_lengths(index, pairs, n_neighbours) * size,
        branch=_pieces(pairs[within], len(index)),
    )


def _isotropic(mask: BoolArray, spacing: Spacing) -> tuple[BoolArray, FloatArray]:
    """The mask by linear interpolation on the grid of the thinning, and that grid's steps in mm."""
    old = np.array(mask.shape)
    new = np.maximum(np.round(old * spacing / max(GRID_MM, min(spacing))).astype(int), 1)
    step = old * spacing / new
    if np.array_equal(new, old):
        return mask, step
    zoomed = ndimage.zoom(mask.astype(np.float32), new / old, order=1, mode="grid-constant", grid_mode=True) >= 0.5
    if not zoomed.any():  # nothing but specks smaller than the grid
        return mask, np.array(spacing)
    return zoomed, step


def _distance_outside(mask: BoolArray, index: IntArray) -> FloatArray:
    """Distance (n,) in voxels from points to the nearest of the voxels outside that touch the mask."""
    shell = ndimage.binary_dilation(np.pad(mask, 1))
    shell[1:-1, 1:-1, 1:-1] &= ~mask
    return np.asarray(cKDTree(np.argwhere(shell) - 1).query(index)[0], dtype=np.float64)


def _lengths(index: IntArray, pairs: IntArray, n_neighbours: IntArray) -> FloatArray:
    """Half of each step to a neighbour, (n,) in voxels; an end also stands for the half voxel beyond it."""
    moved = np.abs(index[pairs[:, 0]] - index[pairs[:, 1]]).sum(axis=1)
    halves = np.repeat(_STEP_LENGTHS[moved] / 2, 2)
    along: FloatArray = np.bincount(pairs.ravel(), weights=halves, minlength=len(index)).astype(np.float64)
    return along + np.select([n_neighbours == 0, n_neighbours == 1], [1.0, 0.5])


def _pieces(links: IntArray, n: int) -> IntArray:
    """Number (n,) of the connected piece that each of n points belongs to."""
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)
