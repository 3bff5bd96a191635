"""The grid and the units that the networks work in, and the way there and back.

A scan is brought to voxels of about 1.0 x 0.75 x 0.75 mm by linear interpolation, with the triangle widened where the
grid gets coarser so that noise is averaged and not picked from. An axis whose spacing is within a tenth of the grid's
is left as it is: anatomy varies more than that, and interpolation would blur what is thin.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["SPACING_MM", "interpolation", "resample", "scale_hu", "working_shape"]

SPACING_MM = (1.0, 0.75, 0.75)
"""z, y, x."""
TOLERANCE = 0.1
"""Part by which a spacing may differ from the grid's without being changed."""
DARKEST_HU, BRIGHTEST_HU = -1024.0, 600.0
"""Clipped to these: padding and air below, metal, calcium and dense contrast above."""
CENTRE_HU, WIDTH_HU = -400.0, 600.0


def scale_hu(hu: Tensor) -> Tensor:
    """HU to about -1 (air) .. 0.7 (blood) .. 1.67 (dense contrast), float32."""
    return (hu.float().clamp(DARKEST_HU, BRIGHTEST_HU) - CENTRE_HU) / WIDTH_HU


def working_shape(shape: Sequence[int], spacing_mm: Sequence[float]) -> tuple[int, int, int]:
    """Voxels (z, y, x) of the working grid over a scan of `shape` voxels (z, y, x) of `spacing_mm`."""
    z, y, x = (
        n if abs(spacing / wanted - 1) <= TOLERANCE else max(1, round(n * spacing / wanted))
        for n, spacing, wanted in zip(shape, spacing_mm, SPACING_MM, strict=True)
    )
    return z, y, x


def interpolation(n_from: int, n_to: int) -> Tensor:
    """Linear interpolation along an axis as a matrix (n_to, n_from) float32, both covering the same length.

    The triangle is as wide as the wider of the two spacings; beyond the ends the last value goes on.
    """
    scale = n_from / n_to
    centres = (torch.arange(n_to) + 0.5) * scale - 0.5
    weights = (1 - (torch.arange(n_from) - centres[:, None]).abs() / max(1.0, scale)).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def resample(volume: Tensor, matrices: Sequence[Tensor | None]) -> Tensor:
    """Apply an interpolation to each of the last axes; None leaves one as it is.

    Args:
        volume: (..., a, b, c) float32, or fewer axes with as many `matrices`.
        matrices: one (n_to, n_from) for each of the last axes.
    """
    for axis, matrix in zip(range(-len(matrices), 0), matrices, strict=True):
        if matrix is not None:
            volume = torch.movedim(torch.movedim(volume, axis, -1) @ matrix.T, -1, axis)
    return volume.contiguous()
