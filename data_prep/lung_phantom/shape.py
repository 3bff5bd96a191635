"""The shape of a chest: lungs between rib cage, diaphragm and mediastinum, and the fissures that cut them.

A shape is a level: a number at each place, positive inside, that is about the distance to the surface in mm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from data_prep.lung_phantom.space import Bool, Field, Float32, Float64, Window

__all__ = ["Blob", "Chest", "Grid", "Points", "Side", "smooth_minimum"]

Side = int
"""1 the left lung, -1 the right one: the sign of x."""

_SIDES = (-1, 1)


@dataclass(frozen=True)
class Points:
    """Places (N, 3) in mm at which shapes and fields are asked for."""

    places: Float64

    @property
    def mesh(self) -> tuple[Float64, Float64, Float64]:
        """z, y and x, (N,) each."""
        return self.places[:, 0], self.places[:, 1], self.places[:, 2]

    def value(self, field: Field) -> Float32:
        """A field at the places."""
        return field.at(self.places)


@dataclass(frozen=True)
class Grid:
    """The same for the voxels of a window."""

    window: Window

    @property
    def mesh(self) -> tuple[Float32, Float32, Float32]:
        """z, y and x, each of a shape that broadcasts to the grid's."""
        return self.window.mesh

    def value(self, field: Field) -> Float32:
        """A field on the grid."""
        return field.on(self.window)


Where = Points | Grid
Level = TypeVar("Level", bound=npt.NDArray[np.floating])


def smooth_minimum(first: Level, second: Level, radius_mm: float) -> Level:
    """Minimum of two levels whose edge is rounded (the polynomial one: Quilez, "Smooth minimum", eq. for k = 4 r)."""
    k = max(4.0 * radius_mm, 1e-3)
    overlap = np.maximum(k - np.abs(first - second), 0.0)
    return np.minimum(first, second) - overlap * overlap / np.float32(4.0 * k)


@dataclass(frozen=True)
class Blob:
    """An ellipsoid; an infinite half axis makes it a cylinder."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    lean: tuple[float, float] = (0.0, 0.0)
    """How far (y, x) move for each mm of z."""

    def level(self, where: Where) -> npt.NDArray[np.floating]:
        """About the distance to the surface in mm, positive inside."""
        z, y, x = where.mesh
        dz, dy, dx = z - self.centre[0], y - self.centre[1], x - self.centre[2]
        a, b, c = self.axes
        rho = np.sqrt((dz / a) ** 2 + ((dy - self.lean[0] * dz) / b) ** 2 + ((dx - self.lean[1] * dz) / c) ** 2)
        return (1.0 - rho) * np.float32(min(self.axes))


@dataclass(frozen=True)
class Fissure:
    """A curved sheet that cuts a lung; its level is positive above it (the oblique one: in front of it)."""

    height: float
    slope_y: float
    slope_x: float
    bend: tuple[float, float]
    wave: Field
    wave_mm: float

    def level(self, where: Where) -> npt.NDArray[np.floating]:
        """Distance to the sheet in mm."""
        z, y, x = where.mesh
        sheet = self.height + self.slope_y * y + self.slope_x * np.abs(x)
        sheet = sheet + self.bend[0] * (y / 50.0) ** 2 + self.bend[1] * ((np.abs(x) - 70.0) / 50.0) ** 2
        steep = np.float32(1.0 / np.sqrt(1.0 + self.slope_y**2 + self.slope_x**2))
        return (z - sheet) * steep + np.float32(self.wave_mm) * where.value(self.wave)


class Chest:
    """One made-up person's chest, without vessels.

    Args:
        rng: source of randomness.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        size = rng.normal(1.0, 0.07)
        self.size = float(np.clip(size, 0.82, 1.18))
        self.half_width = self.size * rng.uniform(118, 145)
        self.half_depth = self.size * rng.uniform(78, 108)
        self.apex = self.size * rng.uniform(88, 118)
        self.base = -self.size * rng.uniform(125, 170)
        self._squareness = rng.uniform(2.1, 3.0)
        self._apex_x = self.size * rng.uniform(42, 56)
        self._taper = rng.uniform(1.8, 3.0)
        self.dome_top = {side: -self.size * rng.uniform(50, 100) + 6.0 * side for side in _SIDES}
        self._dome_drop = {side: self.size * rng.uniform(45, 105) for side in _SIDES}
        self._rounding = rng.uniform(0.8, 5.0)
        self._effusion = {side: rng.uniform(8, 40) if rng.random() < 0.08 else 0.0 for side in _SIDES}
        self._organs(rng)
        self._waves = [
            (Field(rng, scale), sd) for scale, sd in ((55.0, rng.uniform(1.5, 4.5)), (16.0, rng.uniform(0.2, 0.9)))
        ]
        self.rib_pitch = self.size * rng.uniform(24, 30)
        self.rib_slope = rng.uniform(0.3, 0.7)
        self.rib_phase = rng.uniform(0, 2 * np.pi)
        self._rib_relief = rng.uniform(0.0, 1.6)
        self.fissures: Mapping[Side, Sequence[Fissure]] = {side: self._fissures(rng, side) for side in _SIDES}

    def _organs(self, rng: np.random.Generator) -> None:
        """Everything between the lungs, as blobs; `self.organs` by name."""
        s, tall = self.size, 1e4
        depth = self.half_depth
        jitter = rng.uniform(0.85, 1.15, 12)
        spine_y = depth * rng.uniform(0.62, 0.80)
        heart = s * rng.uniform(0.8, 1.25)
        self.spine = Blob((0.0, spine_y, 0.0), (tall, 21 * s * jitter[0], 20 * s * jitter[1]))
        self.organs: Mapping[str, Blob] = {
            "heart": Blob(
                (-62 * s, -depth * rng.uniform(0.25, 0.45), 20 * s * jitter[2]),
                (58 * heart, 50 * heart, 58 * heart), (rng.uniform(-0.1, 0.2), rng.uniform(-0.35, -0.05)),
            ),
            "aorta": Blob(
                (-10.0, spine_y - 26 * s, 20 * s * jitter[3]), (tall, *(2 * (12.5 * s * jitter[4],))),
                (0.0, rng.uniform(-0.05, 0.1)),
            ),
            "arch": Blob((42 * s, rng.uniform(-5, 15), 14 * s), (12 * s, 40 * s * jitter[5], 16 * s)),
            "great vessels": Blob((70 * s, -15 * s, 0.0), (60 * s * jitter[6], 26 * s, 32 * s * jitter[7])),
            "centre": Blob((0.0, 8.0, 0.0), (75 * s, 42 * s * jitter[8], 30 * s * jitter[9])),
            "gullet": Blob((0.0, spine_y - 25 * s, -3.0), (tall, 16 * s, 17 * s)),
            "cava": Blob((30 * s, -18 * s, -22 * s), (70 * s, 10 * s, 10 * s)),
            "thymus": Blob((20.0, -depth * 0.75, 0.0), (90 * s, 30 * s, 9 * s * jitter[10])),
            "muscle": Blob((-100 * s, spine_y - 18 * s, 0.0), (90 * s, 26 * s, 24 * s * jitter[11])),
        }  # fmt: skip
        self.hilum_bulge = {
            side: Blob(
                (rng.uniform(-14, 8), rng.uniform(0, 14), side * 30 * s),
                (30 * s, 20 * s, 17 * s * rng.uniform(0.6, 1.3)),
            )
            for side in _SIDES
        }

    def _fissures(self, rng: np.random.Generator, side: Side) -> Sequence[Fissure]:
        """The oblique fissure, and on the right the horizontal one."""

        def sheet(height: float, slope: float, lean: float) -> Fissure:
            bend = (rng.uniform(-6, 6), rng.uniform(-7, 7))
            return Fissure(height, slope, lean, bend, Field(rng, rng.uniform(25, 45)), rng.uniform(0.5, 2.0))

        oblique = sheet(self.size * rng.uniform(-50, -12), rng.uniform(0.55, 1.25), rng.uniform(-0.3, 0.3))
        if side > 0:
            return (oblique,)
        return oblique, sheet(self.size * rng.uniform(-8, 18), rng.uniform(-0.15, 0.25), rng.uniform(-0.25, 0.15))

    def cage(self, where: Where, side: Side) -> npt.NDArray[np.floating]:
        """Level of the inside of the rib cage, for the half of the chest on this side."""
        z, y, x = where.mesh
        rise = np.clip((z + 30.0) / (self.apex + 30.0), 0.0, 1.5)
        narrow = np.sqrt(np.maximum(1.0 - rise**self._taper, 0.0))
        centre = side * self._apex_x * np.minimum(rise, 1.0) ** 1.5
        p = self._squareness
        width = narrow * (self.half_width - np.abs(centre)) + 1e-3
        rho = (
            np.abs((x - centre) / width) ** p + np.abs((y - 8.0 * rise) / (narrow * self.half_depth + 1e-3)) ** p
        ) ** (1 / p)
        level = (1.0 - rho) * np.minimum(width, self.half_depth)
        above = (self.apex - z) * np.float32(0.8)
        return np.maximum(np.minimum(level, above), np.float32(-60.0))

    def trunk(self, where: Where) -> npt.NDArray[np.floating]:
        """Level of the cage at its widest, at every height: what muscle and fat lie around."""
        _, y, x = where.mesh
        p = self._squareness
        rho = (np.abs(x / self.half_width) ** p + np.abs(y / self.half_depth) ** p) ** (1 / p)
        return (1.0 - rho) * np.float32(min(self.half_width, self.half_depth))

    def mediastinum(self, where: Where, side: Side) -> npt.NDArray[np.floating]:
        """Level of what lies between the lungs, as seen from one side."""
        level = self.spine.level(where)
        for organ in (*self.organs.values(), self.hilum_bulge[side]):
            level = -smooth_minimum(-level, -organ.level(where), 3.0)
        return level

    def above_diaphragm(self, where: Where, side: Side) -> npt.NDArray[np.floating]:
        """Level of the space over the dome of one side; the dome meets the cage in a deep, thin recess."""
        z, y, x = where.mesh
        wide, deep = 0.5 * self.half_width, 0.9 * self.half_depth
        across, back = side * x - 0.5 * self.half_width, y + 6.0
        across, back = np.where(across < 0, 0.4 * across, across), np.where(back < 0, 0.75 * back, back)
        rho = (across / wide) ** 2 + (back / deep) ** 2
        drop = self._dome_drop[side]
        steep = 1.0 / np.sqrt(1.0 + (2.0 * drop / deep) ** 2 * np.minimum(rho, 2.0))
        dome = (z - self.dome_top[side] + drop * rho) * steep
        return np.minimum(dome, z - self.base)

    def rib_angle(self, where: Where) -> npt.NDArray[np.floating]:
        """Phase of the ribs, 2 pi from one to the next; they fall towards the front."""
        z, y, _ = where.mesh
        return (z - self.rib_slope * y) * (2 * np.pi / self.rib_pitch) + self.rib_phase

    def lung(self, where: Where, side: Side) -> npt.NDArray[np.floating]:
        """Level of one lung."""
        cage = self.cage(where, side)
        relief = np.float32(0.5 * self._rib_relief) * np.cos(self.rib_angle(where)) * (cage < 12.0)
        level = smooth_minimum(cage - relief, -self.mediastinum(where, side), self._rounding)
        level = smooth_minimum(level, self.above_diaphragm(where, side), self._rounding)
        if self._effusion[side]:
            z, y, _ = where.mesh
            fluid = (0.75 * self.half_depth - self._effusion[side] - y) + 0.35 * np.maximum(z + 30.0, 0.0)
            level = smooth_minimum(level, fluid, self._rounding)
        for wave, sd in self._waves:
            level = level + np.float32(sd) * where.value(wave)
        return np.minimum(level, side * where.mesh[2] - 1.5)

    def lobe(self, places: Float64, side: Side) -> npt.NDArray[np.int64]:
        """Lobe of points (N, 3) in mm of one lung: 0 upper, 1 lower, 2 middle (right lung only)."""
        levels = [fissure.level(Points(places)) for fissure in self.fissures[side]]
        lobes = np.where(levels[0] > 0, 0, 1)
        if side < 0:
            lobes[(levels[0] > 0) & (levels[1] < 0)] = 2
        return lobes

    def inside(self, places: Float64, side: Side, margin_mm: float) -> Bool:
        """Which points (N, 3) lie in one lung, at least `margin_mm` from its surface."""
        return np.asarray(self.lung(Points(places), side) > margin_mm)
