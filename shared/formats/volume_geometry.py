"""Where the voxels of a volume lie in the patient, and its axes in the order that all apps work in.

Arrays are z,y,x. A file's own geometry is kept in the order of SimpleITK: x,y,z, and patient axes L,P,S (towards the
left, the back, the head). "Standard axes" are array axes that point, as near as the file allows, towards the head, the
back and the left, whatever the order and sign in which the file stores them.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shared.errors import InputError

__all__ = ["Geometry", "checked_spacing"]

Number = TypeVar("Number", bound=np.generic)

SMALLEST_MM, LARGEST_MM = 0.02, 20.0
"""Steps of a clinical or specimen CT; beyond them the unit is not mm, or the header is wrong."""

_ORTHONORMAL = 1e-3
_APART_VOXELS = 0.25
"""Two grids agree where no corner lies further apart than this."""


def checked_spacing(spacing: tuple[float, ...], source: str) -> tuple[float, float, float]:
    """Three steps in mm, in the order given. Raises InputError where they are not three, or no lengths of a CT."""
    if len(spacing) != 3:
        raise InputError(f"{source} has {len(spacing)} voxel sizes; expected three, in mm.")
    if not all(math.isfinite(step) and SMALLEST_MM <= step <= LARGEST_MM for step in spacing):
        steps = " x ".join(f"{step:g}" for step in spacing)
        raise InputError(f"{source} has voxels of {steps} mm; expected {SMALLEST_MM:g} to {LARGEST_MM:g} mm each.")
    first, second, third = map(float, spacing)
    return first, second, third


@dataclass(frozen=True)
class Geometry:
    """The grid of one volume. Raises InputError where the steps are no lengths or the axes not perpendicular."""

    size: tuple[int, int, int]
    """Voxels along x, y, z."""
    spacing: tuple[float, float, float]
    """Step along x, y, z in mm."""
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Centre of the first voxel: L, P, S in mm."""
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    """Unit vectors of x, y, z as the columns of a 3x3 matrix, row by row."""

    def __post_init__(self) -> None:
        checked_spacing(self.spacing, "The volume")
        axes = self._axes
        if not np.allclose(axes.T @ axes, np.eye(3), atol=_ORTHONORMAL):
            raise InputError(
                f"The axes of the volume are no perpendicular unit vectors: {self.direction}. Resample it."
            )

    @classmethod
    def of_array(cls, shape: tuple[int, ...], spacing: tuple[float, float, float]) -> Geometry:
        """The grid of a bare array on standard axes, its origin at 0; shape and spacing are z,y,x."""
        depth, height, width = shape
        return cls((width, height, depth), (spacing[2], spacing[1], spacing[0]))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the array: z,y,x."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Step along the axes of the array as the file has them, in mm."""
        return self.spacing[2], self.spacing[1], self.spacing[0]

    @property
    def standard_spacing(self) -> tuple[float, float, float]:
        """Step along the standard axes, z,y,x, in mm."""
        return self.standard.spacing_zyx

    @property
    def _axes(self) -> npt.NDArray[np.float64]:
        return np.array(self.direction, dtype=np.float64).reshape(3, 3)

    @cached_property
    def _order(self) -> tuple[int, ...]:
        """For each patient axis L,P,S the file axis x,y,z that runs along it."""
        lengths = np.abs(self._axes)
        return max(itertools.permutations(range(3)), key=lambda axes: sum(lengths[row, axes[row]] for row in range(3)))

    @cached_property
    def _flipped(self) -> tuple[bool, ...]:
        """For each patient axis whether the file runs against it."""
        return tuple(bool(self._axes[row, axis] < 0) for row, axis in enumerate(self._order))

    @cached_property
    def standard(self) -> Geometry:
        """The same voxels on standard axes."""
        corner = np.array(self.origin)
        for axis, flipped in zip(self._order, self._flipped, strict=True):
            corner += flipped * (self.size[axis] - 1) * self.spacing[axis] * self._axes[:, axis]
        signs = np.where(self._flipped, -1.0, 1.0)
        first, second, third = self._order
        return Geometry(
            (self.size[first], self.size[second], self.size[third]),
            (self.spacing[first], self.spacing[second], self.spacing[third]),
            (float(corner[0]), float(corner[1]), float(corner[2])),
            tuple((self._axes[:, self._order] * signs).ravel().tolist()),
        )

    def to_standard(self, array: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """An array on this grid, seen on standard axes: a view."""
        turned = array.transpose([2 - axis for axis in reversed(self._order)])
        return turned[self._flips]

    def from_standard(self, array: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """The inverse of `to_standard`: a view."""
        return array[self._flips].transpose(np.argsort([2 - axis for axis in reversed(self._order)]))

    @property
    def _flips(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flipped else 1) for flipped in reversed(self._flipped))

    def index_of(self, point: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Points (n, 3) in the patient (L, P, S, mm) as fractional array indices (n, 3): z,y,x."""
        steps = (np.asarray(point) - np.array(self.origin)) @ self._axes / np.array(self.spacing)
        return steps[:, ::-1]

    def point_of(self, index: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The inverse of `index_of`."""
        return np.asarray(index)[:, ::-1] * np.array(self.spacing) @ self._axes.T + np.array(self.origin)

    def agrees(self, other: Geometry) -> bool:
        """Whether both have the same size and no corner lies more than a quarter of a voxel apart."""
        if self.size != other.size:
            return False
        corners = np.array(list(itertools.product(*((0.0, length - 1.0) for length in self.shape))))
        apart = other.index_of(self.point_of(corners)) - corners
        return bool(np.abs(apart).max() <= _APART_VOXELS)
