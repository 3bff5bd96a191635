"""Where things are: the window that is drawn, and smooth random fields over the chest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["CHEST", "Bool", "Field", "Float32", "Float64", "Window", "joined", "resample_linear"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

CHEST = np.array([[-230.0, -170.0, -220.0], [190.0, 170.0, 220.0]])
"""Two corners (z,y,x) in mm of a box that holds every chest."""

_LATTICE_SHARE, _LATTICE_SIGMA = 0.4, 1.2
"""Step of a field's lattice as a share of its scale, and the smoothing there, in steps."""


@dataclass(frozen=True)
class Window:
    """A grid of voxels in the chest."""

    origin: tuple[float, float, float]
    """Centre of the first voxel, (z,y,x) in mm."""
    spacing: tuple[float, float, float]
    """(z,y,x) in mm."""
    shape: tuple[int, int, int]

    @property
    def axes(self) -> tuple[Float64, Float64, Float64]:
        """Centres of the voxels along z, y and x, in mm."""
        z, y, x = (
            np.float64(o) + s * np.arange(n, dtype=np.float64)
            for o, s, n in zip(self.origin, self.spacing, self.shape, strict=True)
        )
        return z, y, x

    @property
    def box(self) -> Float64:
        """First and last voxel centre, (2, 3) in mm."""
        low = np.array(self.origin)
        return np.stack([low, low + (np.array(self.shape) - 1) * self.spacing])

    @cached_property
    def mesh(self) -> tuple[Float32, Float32, Float32]:
        """z, y and x of the voxels in mm, each of a shape that broadcasts to the grid's."""
        z, y, x = (axis.astype(np.float32) for axis in self.axes)
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def index(self, points: Float64) -> Float64:
        """Points (..., 3) in mm to fractional voxel indices."""
        return (points - self.origin) / self.spacing

    def holds(self, points: Float64, margin_mm: float = 0.0) -> Bool:
        """Which of points (..., 3) lie in the window, or at most `margin_mm` beside it."""
        low, high = self.box
        return np.all((points >= low - margin_mm) & (points <= high + margin_mm), axis=-1)

    def finer(self, factor: int) -> Window:
        """The same window with every slice cut into `factor` slices."""
        z, y, x = self.spacing
        first = self.origin[0] - 0.5 * z * (1 - 1 / factor)
        return Window((first, *self.origin[1:]), (z / factor, y, x), (self.shape[0] * factor, *self.shape[1:]))

    def coarser(self, step_mm: float) -> Window:
        """A grid with the same first voxel whose step is at least `step_mm`, and that covers this one."""
        spacing = [max(s, step_mm) for s in self.spacing]
        extent = (np.array(self.shape) - 1) * self.spacing
        shape = [int(np.ceil(e / s - 1e-9)) + 1 for e, s in zip(extent, spacing, strict=True)]
        return Window(self.origin, (spacing[0], spacing[1], spacing[2]), (shape[0], shape[1], shape[2]))


def resample_linear(values: Float32, source: Window, target: Window) -> Float32:
    """Trilinear interpolation of values on one window to the voxels of another; the nearest ones beyond its rim."""
    result = values
    for axis in np.argsort([t / s for s, t in zip(source.shape, target.shape, strict=True)]):
        place = (target.axes[axis] - source.origin[axis]) / source.spacing[axis]
        place = np.clip(place, 0, source.shape[axis] - 1)
        low = np.minimum(place.astype(np.intp), max(source.shape[axis] - 2, 0))
        weight = (place - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        upper = np.take(result, np.minimum(low + 1, source.shape[axis] - 1), axis=axis)
        result = np.take(result, low, axis=axis)
        upper -= result
        upper *= weight
        result += upper
    return result


Record = TypeVar("Record", bound=Any)


def joined(parts: Sequence[Record]) -> Record:
    """Several dataclasses of arrays as one: each field's arrays one after the other."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(kind)))


class Field:
    """A smooth random field: mean 0, SD 1, nothing finer than about `scale_mm`.

    Args:
        rng: source of randomness.
        scale_mm: correlation length.
        box: (2, 3) corners in mm of the part of the chest it is defined on.
    """

    def __init__(self, rng: np.random.Generator, scale_mm: float, box: npt.ArrayLike = CHEST) -> None:
        low, high = np.asarray(box, dtype=np.float64)
        step = _LATTICE_SHARE * scale_mm
        shape = [int(np.ceil(extent / step)) + 3 for extent in high - low]
        white = rng.standard_normal(shape, dtype=np.float32)
        smooth = ndimage.gaussian_filter(white, _LATTICE_SIGMA, mode="wrap")
        self._values: Float32 = smooth / np.float32(_smoothed_sd(shape))
        z, y, x = low - step
        self._lattice = Window((z, y, x), (step, step, step), (shape[0], shape[1], shape[2]))

    def on(self, window: Window) -> Float32:
        """Its values on a grid."""
        return resample_linear(self._values, self._lattice, window)

    def at(self, points: Float64) -> Float32:
        """Its values at points (..., 3) in mm."""
        places = np.moveaxis(self._lattice.index(points), -1, 0)
        return ndimage.map_coordinates(self._values, places, order=1, mode="nearest")


def _smoothed_sd(shape: Sequence[int]) -> float:
    """SD of white noise after the smoothing of a lattice, known without measuring the few points of a small one."""
    sd = 1.0
    for n in shape:
        impulse = np.zeros(n)
        impulse[0] = 1.0
        sd *= float(np.sqrt(np.sum(ndimage.gaussian_filter1d(impulse, _LATTICE_SIGMA, mode="wrap") ** 2)))
    return sd
