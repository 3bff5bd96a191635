"""Tubes on a grid: balls along their middle line, each covering voxels in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from data_prep.lung_phantom.space import Float32, Float64, Window

Number = TypeVar("Number", np.float32, np.int64)

__all__ = ["LEAST_RADIUS", "stamp", "tubes", "visible_radius"]

LEAST_RADIUS = 0.564
"""Radius in voxels of a disc with the area of a voxel: the label of a thinner vessel is as wide."""

_CHUNK = 2_000_000
_SOFT = 0.5
"""Half the width of a tube's soft rim, in voxels."""
_FAINTEST = 0.15
"""Share of blood in a voxel from which a vessel counts as visible: about 135 HU over the parenchyma, four standard
deviations of a middling noise, within Rose's criterion of three to five (J. Opt. Soc. Am. 1948). It was settled with
the rendered reference volumes in sight: figures on those must say so, or it must be settled on phantoms alone."""


def visible_radius(pixel_mm: float, section_mm: float, faintest: float = _FAINTEST) -> float:
    """Radius in mm of the thinnest vessel across whose area fills the share `faintest` of a pixel by the section."""
    return float(np.sqrt(faintest * pixel_mm * section_mm / np.pi))


def tubes(radius: Float64, spacing: tuple[float, float, float]) -> tuple[Float64, Float64]:
    """Balls (half axes (N, 3) in mm, coverage (N,)) along a tube whose coverage adds up to its cross-section.

    With the soft rim of one voxel a disc of radius r covers pi (r^2 + 1/12) voxels. What is thinner than a voxel is
    drawn as wide as one, and as much fainter.
    """
    voxel = np.array(spacing)
    square = radius[:, None] ** 2
    radii = np.sqrt(np.maximum(square, voxel**2 / 3) - voxel**2 / 12)
    return radii, np.minimum(3 * square[:, 0] / np.cbrt(np.prod(voxel)) ** 2, 1.0)


def stamp(
    canvas: Float32,
    window: Window,
    places: Float64,
    radii: Float64,
    amplitude: Float64 | None = None,
) -> None:
    """Put the maximum of what is there and of the balls' coverage on a canvas.

    Args:
        canvas: (Z,Y,X), changed.
        window: its grid.
        places: centres (N, 3) in mm.
        radii: half axes (N, 3) in mm along z, y, x.
        amplitude: coverage at the centre (N,); None for 1.
    """
    index = window.index(places)
    half = radii / np.array(window.spacing)
    reach = np.ceil(half + _SOFT).astype(np.int64)
    near = np.all((index >= -reach - 1) & (index <= np.array(window.shape) + reach), axis=1)
    full = np.ones(len(places), np.float32) if amplitude is None else amplitude.astype(np.float32)
    keys = reach[:, 0] * 1_000_000 + reach[:, 1] * 1000 + reach[:, 2]
    for key in np.unique(keys[near]):
        rows = np.flatnonzero(near & (keys == key))
        stencil = int(np.prod(2 * reach[rows[0]] + 1))
        for first in range(0, len(rows), max(_CHUNK // stencil, 1)):
            part = rows[first : first + max(_CHUNK // stencil, 1)]
            _stamp_alike(canvas, index[part], half[part], reach[part[0]], full[part])


def _stamp_alike(
    canvas: Float32, index: Float64, half: Float64, reach: npt.NDArray[np.int64], amplitude: Float32
) -> None:
    """Balls whose stencils have one size: (n, dz, dy, dx) in one go."""
    centre = np.rint(index).astype(np.int64)
    squares, flat, inside = [], [], []
    stride = np.array([canvas.shape[1] * canvas.shape[2], canvas.shape[2], 1])
    for axis in range(3):
        offset = np.arange(-reach[axis], reach[axis] + 1)
        voxel = centre[:, axis, None] + offset
        squares.append((((voxel - index[:, axis, None]) / half[:, axis, None]) ** 2).astype(np.float32))
        inside.append((voxel >= 0) & (voxel < canvas.shape[axis]))
        flat.append(voxel * stride[axis])
    rho = np.sqrt(_outer_sum(squares))
    smallest = half.min(axis=1).astype(np.float32)[:, None, None, None]
    cover = np.minimum((1.0 - rho) * smallest + np.float32(_SOFT), 1.0) * amplitude[:, None, None, None]
    cover *= inside[0][:, :, None, None] & inside[1][:, None, :, None] & inside[2][:, None, None, :]
    touched = cover > 0
    np.maximum.at(canvas.reshape(-1), _outer_sum(flat)[touched], cover[touched])


def _outer_sum(terms: Sequence[npt.NDArray[Number]]) -> npt.NDArray[Number]:
    """Sums (n, Z, Y, X) of terms (n, Z), (n, Y), (n, X)."""
    z, y, x = terms
    return z[:, :, None, None] + y[:, None, :, None] + x[:, None, None, :]
