"""What the classical voxel classifiers see of a voxel: 22 numbers from its surroundings within about a centimetre."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter, uniform_filter

from apps.pulmonary_vessel.vesselness.hessian import eigenvalues_at, gradient_magnitude_at, smoothed
from apps.pulmonary_vessel.vesselness.lung_field import LungField, Spacing

__all__ = ["FEATURES", "voxel_features"]

FloatArray = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

SCALES_MM = (0.7, 1.2, 2.0, 3.3)
"""Standard deviations of the smoothing."""
GRADIENT_SCALES_MM = (0.7, 2.0)
MINIMUM_MM, NEIGHBOURHOOD_MM = 3.5, 6.0
"""Sides of the cubes: the darkest value tells of an airway lumen, mean and deviation of opacities and noise."""

FEATURES = (
    "HU",
    *(
        f"{name}, {scale} mm"
        for scale in SCALES_MM
        for name in ("smoothed HU", "lambda 1", "lambda 2", "lambda 3", "gradient")
        if name != "gradient" or scale in GRADIENT_SCALES_MM
    ),
    f"darkest within {MINIMUM_MM} mm",
    f"mean within {NEIGHBOURHOOD_MM} mm",
    f"deviation within {NEIGHBOURHOOD_MM} mm",
)
"""Names of the columns. Lambdas are the eigenvalues of the Hessian, descending, times the squared scale: HU."""


def voxel_features(field: LungField, where: Positions | None = None) -> FloatArray:
    """Features of lung voxels.

    Args:
        field: the lung.
        where: (n,) flat positions in `field.hu`, some of `field.inside`; None: all of them.

    Returns:
        (n, 22) float32 in the order of `FEATURES`: HU, and HU / mm for the gradients.
    """
    positions = field.inside if where is None else where
    table = np.empty((len(positions), len(FEATURES)), np.float32)
    for column, values in enumerate(_columns(field, positions)):
        table[:, column] = values
    return table


def _columns(field: LungField, where: Positions) -> Iterator[FloatArray]:
    """The columns one after the other, so that one volume is held at a time."""
    grey = field.hu.reshape(-1)
    yield grey[where]
    for scale in SCALES_MM:
        volume = smoothed(field.hu, field.spacing, scale)
        yield volume.reshape(-1)[where]
        yield from eigenvalues_at(volume, field.spacing, where) * np.float32(scale**2)
        if scale in GRADIENT_SCALES_MM:
            yield gradient_magnitude_at(volume, field.spacing, where)
        if scale == SCALES_MM[0]:
            darkest = minimum_filter(volume, _side(MINIMUM_MM, field.spacing), mode="nearest").reshape(-1)[where]
    yield darkest
    side = _side(NEIGHBOURHOOD_MM, field.spacing)
    mean = uniform_filter(field.hu, side, mode="nearest").reshape(-1)[where]
    yield mean
    square = uniform_filter(np.square(field.hu), side, mode="nearest").reshape(-1)[where]
    yield np.sqrt(np.maximum(square - mean**2, 0))


def _side(length_mm: float, spacing: Spacing) -> tuple[int, ...]:
    """A length as an odd number of voxels along each axis."""
    return tuple(2 * round(length_mm / step / 2) + 1 for step in spacing)
