"""What is wrong with a lung: each lesion as a strength and a HU in a box of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from data_prep.lung_phantom.shape import Chest
from data_prep.lung_phantom.space import Field, Float32, Float64, Window

__all__ = ["Lesion", "drawn_lesions"]

Place = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Lesion:
    """Tissue that replaces a share of the lung in a part of the window."""

    place: Place
    strength: Float32
    """0 to 1, of the part's shape."""
    hu: Float32 | float
    kind: Literal["opacity", "nodule", "texture"]
    """What its voxels are called where its strength is above half."""
    only_adds: bool = True
    """Leave tissue that is denser as it is."""


@dataclass(frozen=True)
class _Bed:
    """Where lesions may lie: the window, the lung's level on it, and sites to choose from."""

    rng: np.random.Generator
    window: Window
    level: Float32
    sites: Float64
    """Voxel centres (N, 3) in mm inside the lung."""
    depth: Float32
    """Level at the sites."""

    def site(self, deepest_mm: float = np.inf, least_mm: float = 0.0, low: float = 0.0) -> Float64:
        """A place in the lung, at most so deep below the surface; `low` prefers the back and the base."""
        fit = np.flatnonzero((self.depth <= deepest_mm) & (self.depth >= least_mm))
        if not len(fit):
            fit = np.arange(len(self.sites))
        tries = self.sites[fit[self.rng.integers(len(fit), size=4)]]
        dependent = tries[:, 1] - 0.7 * tries[:, 0]
        return tries[np.argmax(dependent)] if self.rng.random() < low else tries[0]

    def part(self, centre: Float64, reach: Float64) -> Place | None:
        """Voxels within `reach` (3,) mm of a place; None when the window has none."""
        low = np.floor(self.window.index(centre - reach)).astype(int)
        high = np.ceil(self.window.index(centre + reach)).astype(int) + 1
        low, high = np.clip(low, 0, self.window.shape), np.clip(high, 0, self.window.shape)
        if np.any(high - low < 2):
            return None
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return z, y, x

    def local(self, place: Place) -> Window:
        """The part as a window of its own."""
        z, y, x = (float(axis[cut.start]) for axis, cut in zip(self.window.axes, place, strict=True))
        shape = tuple(cut.stop - cut.start for cut in place)
        return Window((z, y, x), self.window.spacing, (shape[0], shape[1], shape[2]))


def drawn_lesions(rng: np.random.Generator, chest: Chest, window: Window, level: Float32) -> Iterator[Lesion]:
    """The lesions of one person, in the order in which they are drawn."""
    step = tuple(max(1, round(4.0 / s)) for s in window.spacing)
    thin = level[:: step[0], :: step[1], :: step[2]]
    inside = np.argwhere(thin > 0)
    if not len(inside):
        return
    sites = np.array(window.origin) + inside * step * np.array(window.spacing)
    bed = _Bed(rng, window, level, sites, thin[thin > 0])
    litres = len(sites) * float(np.prod(np.array(step) * window.spacing)) / 1e6
    for make, chance, least, most in _KINDS:
        if rng.random() < chance:
            for _ in range(max(1, round(rng.uniform(least, most) * min(1.0, litres / 1.5)))):
                yield from make(bed)


def _ellipsoid(
    bed: _Bed, centre: Float64, axes: Float64, rough: Sequence[tuple[float, float]]
) -> tuple[Place, Float32] | None:
    """A lumpy ellipsoid turned at random.

    Args:
        bed: where it may lie.
        centre: (3,) in mm.
        axes: half axes (3,) in mm.
        rough: scale in mm and SD, as a share of the radius, of each wave on its surface.

    Returns:
        Its part of the window, and there 1 - distance / radius; None outside the window.
    """
    place = bed.part(centre, np.full(3, 1.5 * axes.max() + 2.0))
    if place is None:
        return None
    local = bed.local(place)
    turn, _ = np.linalg.qr(bed.rng.normal(size=(3, 3)))
    z, y, x = (m - c for m, c in zip(local.mesh, centre.astype(np.float32), strict=True))
    turned = (
        (z * t[0] + y * t[1] + x * t[2]) / np.float32(a) for t, a in zip(turn.astype(np.float32), axes, strict=True)
    )
    rho = np.sqrt(sum(component**2 for component in turned))
    level = 1.0 - rho
    for scale, share in rough:
        level = level + np.float32(share) * Field(bed.rng, scale, local.box).on(local)
    return place, np.minimum(level, 6.0 * (1.4 - rho)).astype(np.float32)


def _blob(bed: _Bed, centre: Float64, size: float, hu: float, softness: float, grain: float) -> Iterator[Lesion]:
    """An opacity of any density; `softness` is the width of its rim as a share of its size."""
    rng = bed.rng
    rough = ((max(size, 6.0), rng.uniform(0.1, 0.35)), (12.0, rng.uniform(0.1, 0.35)), (4.0, rng.uniform(0.04, 0.22)))
    shaped = _ellipsoid(bed, centre, size * rng.uniform(0.55, 1.3, 3), rough)
    if shaped is None:
        return
    place, level = shaped
    local = bed.local(place)
    strength = np.clip(level / np.float32(softness) + np.float32(0.5), 0, 1)
    texture = np.float32(hu) + np.float32(grain) * Field(rng, rng.uniform(2.5, 6.0), local.box).on(local)
    yield Lesion(place, strength, texture, "opacity")


def _ground_glass(bed: _Bed) -> Iterator[Lesion]:
    size = float(np.exp(bed.rng.uniform(np.log(6), np.log(38))))
    centre = bed.site(deepest_mm=bed.rng.choice([8.0, 25.0, np.inf]), low=0.5)
    yield from _blob(
        bed, centre, size, bed.rng.uniform(-760, -450), bed.rng.uniform(0.15, 0.9), bed.rng.uniform(10, 70)
    )


def _consolidation(bed: _Bed) -> Iterator[Lesion]:
    """Dense, mostly against the pleura of the back, with a rim of ground glass and ragged borders."""
    rng = bed.rng
    size = float(np.exp(rng.uniform(np.log(5), np.log(30))))
    centre = bed.site(deepest_mm=6.0 if rng.random() < 0.75 else np.inf, low=0.7)
    if rng.random() < 0.7:
        yield from _blob(bed, centre, 1.4 * size, rng.uniform(-700, -450), rng.uniform(0.3, 0.9), rng.uniform(20, 80))
    yield from _blob(bed, centre, size, rng.uniform(-250, 50), rng.uniform(0.08, 0.5), rng.uniform(10, 110))


def _dependent(bed: _Bed) -> Iterator[Lesion]:
    """A veil along the pleura, thicker in the back."""
    rng, window = bed.rng, bed.window
    z, y, _ = window.mesh
    deep = np.float32(rng.uniform(3, 16)) * (1.0 + 0.4 * Field(rng, 25.0, window.box).on(window))
    deep = deep * np.clip((y - np.float32(rng.uniform(0, 50))) / 25.0 - z / 120.0, 0, 1)
    strength = np.clip(1.0 - bed.level / np.maximum(deep, 1.0), 0, 1) * (deep > 1.0)
    everywhere = (slice(None), slice(None), slice(None))
    yield Lesion(everywhere, strength.astype(np.float32), rng.uniform(-720, -250), "opacity")


def _band(bed: _Bed) -> Iterator[Lesion]:
    """Plate of atelectasis or scar: thin, long, mostly reaching the pleura."""
    rng = bed.rng
    axes = np.array([rng.uniform(0.6, 2.0), rng.uniform(4, 18), rng.uniform(10, 35)])
    shaped = _ellipsoid(bed, bed.site(deepest_mm=15.0, low=0.6), axes, ((10.0, 0.2),))
    if shaped is not None:
        place, level = shaped
        strength = np.clip(level * np.float32(axes[0] / 0.7) + np.float32(0.4), 0, 1)
        yield Lesion(place, strength, rng.uniform(-350, 30), "opacity")


def _pleural_thickening(bed: _Bed) -> Iterator[Lesion]:
    """A plaque or an apical cap that bulges into the lung."""
    rng = bed.rng
    flat = rng.uniform(1.0, 4.5)
    yield from _blob(bed, bed.site(deepest_mm=2.5), flat * rng.uniform(1.0, 3.0), rng.uniform(-50, 60), 0.25, 15.0)


def _septa(bed: _Bed) -> Iterator[Lesion]:
    """Thickened walls between lobules, in a region, with or without ground glass."""
    rng = bed.rng
    centre, size = bed.site(deepest_mm=12.0, low=0.6), rng.uniform(10, 24)
    shaped = _ellipsoid(bed, centre, size * rng.uniform(0.6, 1.3, 3), ((12.0, 0.3),))
    if shaped is None:
        return
    place, level = shaped
    local = bed.local(place)
    inside = (level > 0) & (bed.level[place] > -1)
    if inside.sum() > 400_000:
        return
    low, high = local.box
    seeds = rng.uniform(low, high, (max(8, int(np.prod(high - low) / rng.uniform(250, 1500))), 3))
    places = low + np.argwhere(inside) * local.spacing
    distance, nearest = (np.asarray(answer).T for answer in cKDTree(seeds).query(places, k=2))
    apart = np.linalg.norm(seeds[nearest[1]] - seeds[nearest[0]], axis=1)
    from_wall = (distance[1] ** 2 - distance[0] ** 2) / (2 * apart)
    strength = np.zeros_like(level)
    strength[inside] = np.clip((rng.uniform(0.4, 1.0) - from_wall) / 0.8 + 0.5, 0, 1) * np.minimum(level[inside] * 4, 1)
    yield Lesion(place, np.float32(rng.uniform(0.25, 0.8)) * strength, rng.uniform(-200, 20), "texture")


def _emphysema(bed: _Bed) -> Iterator[Lesion]:
    """Holes of 2 to 12 mm in the tissue; those at the pleura may have a thin wall."""
    rng = bed.rng
    for _ in range(int(rng.uniform(20, 90))):
        bulla = rng.random() < 0.08
        size = rng.uniform(5, 16) if bulla else rng.uniform(1.5, 6)
        shaped = _ellipsoid(
            bed, bed.site(deepest_mm=8.0 if bulla else np.inf), size * rng.uniform(0.7, 1.3, 3), ((4.0, 0.12),)
        )
        if shaped is None:
            continue
        place, level = shaped
        if bulla:
            wall = np.clip(1.2 - np.abs(level) * np.float32(size) / rng.uniform(0.4, 0.8), 0, 1)
            yield Lesion(place, np.float32(rng.uniform(0.3, 0.8)) * wall, -100.0, "texture")
        hole = np.clip(level * np.float32(size / 1.5) + 0.4, 0, 1) * np.float32(rng.uniform(0.4, 1.0))
        yield Lesion(place, hole, rng.uniform(-1000, -940), "texture", only_adds=False)


def _nodule(bed: _Bed) -> Iterator[Lesion]:
    """Solid, part-solid, calcified; some with spicules."""
    rng = bed.rng
    size = float(np.exp(rng.uniform(np.log(1.2), np.log(9.0))))
    kind = rng.choice(["solid", "ground glass", "calcified"], p=[0.75, 0.17, 0.08])
    low, high = {"solid": (-80, 80), "ground glass": (-700, -400), "calcified": (200, 900)}[kind]
    hu = rng.uniform(low, high)
    centre = bed.site(deepest_mm=rng.choice([3.0, np.inf], p=[0.25, 0.75]))
    if size > 3.5 and rng.random() < 0.3:
        yield from _spicules(bed, centre, size)
    yield from _ball(bed, centre, size, hu)


def _ball(bed: _Bed, centre: Float64, size: float, hu: float) -> Iterator[Lesion]:
    rng = bed.rng
    shaped = _ellipsoid(bed, centre, size * rng.uniform(0.75, 1.3, 3), ((max(3.0, size), rng.uniform(0.02, 0.2)),))
    if shaped is not None:
        place, level = shaped
        strength = np.clip(level * np.float32(size / 0.8) + np.float32(0.5), 0, 1)
        yield Lesion(place, strength, hu, "nodule")


def _spicules(bed: _Bed, centre: Float64, size: float) -> Iterator[Lesion]:
    """Fine lines that run from a nodule into the lung."""
    rng = bed.rng
    place = bed.part(centre, np.full(3, 2.4 * size))
    if place is None:
        return
    local = bed.local(place)
    z, y, x = (m - c for m, c in zip(local.mesh, centre.astype(np.float32), strict=True))
    strength = np.zeros(local.shape, np.float32)
    for heading in rng.normal(size=(int(rng.integers(5, 16)), 3)):
        heading /= np.linalg.norm(heading)
        along = z * heading[0] + y * heading[1] + x * heading[2]
        aside = np.sqrt(np.maximum(z * z + y * y + x * x - along * along, 0))
        width = 0.7 * (1 - along / (size * rng.uniform(1.4, 2.3)))
        np.maximum(strength, np.clip((width - aside) / 0.7 + 0.5, 0, 1) * (along > 0) * (width > 0), out=strength)
    yield Lesion(place, np.float32(rng.uniform(0.3, 0.8)) * strength, 0.0, "texture")


def _mass(bed: _Bed) -> Iterator[Lesion]:
    rng = bed.rng
    centre, size = bed.site(deepest_mm=rng.choice([8.0, np.inf])), rng.uniform(10, 26)
    yield from _spicules(bed, centre, size)
    yield from _blob(bed, centre, size, rng.uniform(-20, 60), 0.1, 10.0)


def _small_nodules(bed: _Bed) -> Iterator[Lesion]:
    """Centrilobular or scattered nodules of about 1 mm, in a cluster: dots much like the ends of vessels."""
    rng = bed.rng
    centre, wide = bed.site(), rng.uniform(8, 30)
    hu, size = rng.uniform(-450, 20), rng.uniform(0.8, 1.6)
    for offset in rng.normal(size=(int(rng.integers(6, 40)), 3)) * wide / 2:
        yield from _ball(bed, centre + offset, size * rng.uniform(0.7, 1.4), hu)


_KINDS: Sequence[tuple[Callable[[_Bed], Iterator[Lesion]], float, float, float]] = (
    (_emphysema, 0.25, 1, 3),
    (_ground_glass, 0.55, 1, 6),
    (_dependent, 0.3, 1, 1),
    (_consolidation, 0.5, 1, 5),
    (_band, 0.35, 1, 5),
    (_pleural_thickening, 0.45, 1, 8),
    (_septa, 0.3, 1, 4),
    (_mass, 0.08, 1, 1),
    (_nodule, 0.85, 1, 6),
    (_small_nodules, 0.15, 1, 3),
)
"""Maker, share of the persons that have it, least and most of it in 1.5 litres of lung."""
