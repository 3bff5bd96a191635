"""Second derivatives of a smoothed volume, and their eigenvalues, at chosen voxels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from apps.pulmonary_vessel.vesselness.lung_field import Spacing

__all__ = ["chunks", "eigenvalues", "eigenvalues_at", "gradient_magnitude_at", "hessian_at", "smoothed"]

FloatArray = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

CHUNK = 32_768
"""Voxels handled at once: their derivatives stay in the processor's cache."""


def smoothed(volume: FloatArray, spacing: Spacing, scale_mm: float) -> FloatArray:
    """Gaussian smoothing of a standard deviation in mm, float32."""
    return gaussian_filter(volume, [scale_mm / step for step in spacing], mode="nearest", output=np.float32)


def chunks(positions: Positions) -> Iterator[tuple[slice, Positions]]:
    """The positions in pieces, each with its place among them."""
    for first in range(0, len(positions), CHUNK):
        piece = slice(first, first + CHUNK)
        yield piece, positions[piece]


def hessian_at(volume: FloatArray, spacing: Spacing, where: Positions) -> FloatArray:
    """Second derivatives by central differences.

    They describe the volume blurred a little more: by variances of 1/6 (pure) and 1/3 (mixed) of a squared step along
    the axes of the derivative, which is little beside the smoothing that went before.

    Args:
        volume: (Z, Y, X), C-contiguous, smoothed.
        spacing: mm along z, y, x.
        where: (n,) flat positions, none of them on the border of the volume.

    Returns:
        (6, n) zz, yy, xx, zy, zx, yx in units of the volume / mm^2.
    """
    flat, strides = volume.reshape(-1), (volume.shape[1] * volume.shape[2], volume.shape[2], 1)
    derivatives = np.empty((6, len(where)), np.float32)
    twice = 2 * flat[where]
    for axis, (stride, step) in enumerate(zip(strides, spacing, strict=True)):
        derivatives[axis] = (flat[where + stride] + flat[where - stride] - twice) * np.float32(step**-2)
    for row, (a, b) in enumerate(((0, 1), (0, 2), (1, 2)), start=3):
        along, across = strides[a] + strides[b], strides[a] - strides[b]
        mixed = flat[where + along] + flat[where - along] - flat[where + across] - flat[where - across]
        derivatives[row] = mixed * np.float32(0.25 / (spacing[a] * spacing[b]))
    return derivatives


def gradient_magnitude_at(volume: FloatArray, spacing: Spacing, where: Positions) -> FloatArray:
    """Length of the gradient by central differences, (n,) in units of the volume / mm; arguments as `hessian_at`."""
    flat, strides = volume.reshape(-1), (volume.shape[1] * volume.shape[2], volume.shape[2], 1)
    squares = np.zeros(len(where), np.float32)
    for stride, step in zip(strides, spacing, strict=True):
        squares += ((flat[where + stride] - flat[where - stride]) * np.float32(0.5 / step)) ** 2
    return np.sqrt(squares)


def eigenvalues(symmetric: Sequence[FloatArray] | FloatArray) -> FloatArray:
    """Eigenvalues of symmetric 3x3 matrices in closed form (Smith 1961, doi 10.1145/355578.366316).

    Args:
        symmetric: (6, n) zz, yy, xx, zy, zx, yx of each matrix.

    Returns:
        (3, n) float32, descending. Their error is below 1e-3 of the largest magnitude of a matrix, also where two
        eigenvalues meet; an iteration would be exact there and cost ten times as much.
    """
    zz, yy, xx, zy, zx, yx = symmetric
    mean = (zz + yy + xx) / 3
    z, y, x = zz - mean, yy - mean, xx - mean
    off = zy * zy + zx * zx + yx * yx
    spread = np.sqrt((z * z + y * y + x * x + 2 * off) / 6)
    tiny = np.finfo(np.float32).tiny ** 0.25  # its third power is still a normal number
    scale = 1 / np.maximum(spread, tiny)
    z, y, x, a, b, c = (part * scale for part in (z, y, x, zy, zx, yx))
    half_determinant = 0.5 * (z * (y * x - c * c) - a * (a * x - b * c) + b * (a * c - b * y))
    angle = np.arccos(np.clip(half_determinant, -1, 1)) / 3
    found = np.empty((3, *np.shape(mean)), np.float32)
    found[0] = mean + 2 * spread * np.cos(angle)
    found[2] = mean + 2 * spread * np.cos(angle + np.float32(2 * np.pi / 3))
    found[1] = 3 * mean - found[0] - found[2]
    return found


def eigenvalues_at(volume: FloatArray, spacing: Spacing, where: Positions) -> FloatArray:
    """(3, n) eigenvalues of `hessian_at`, descending, in units of the volume / mm^2; taken in `chunks`."""
    found = np.empty((3, len(where)), np.float32)
    for place, positions in chunks(where):
        found[:, place] = eigenvalues(hessian_at(volume, spacing, positions))
    return found
