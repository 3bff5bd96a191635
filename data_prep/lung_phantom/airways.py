"""Airways: trachea and main bronchi, then one bronchus beside each artery down to where CT loses sight of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.lung_phantom.space import Bool, Float64, Window
from data_prep.lung_phantom.trees import Habit, Int64, Samples, Tree, sampled

__all__ = ["AirwayHabit", "Tubes", "bronchi", "trachea"]


@dataclass(frozen=True)
class AirwayHabit:
    """How one person's airways are."""

    lumen_share: float
    """Radius of the lumen over that of the artery beside it."""
    wall_base_mm: float
    wall_share: float
    """Thickness of the wall: base + share of the lumen's radius."""
    thinnest_mm: float
    """Radius of the lumen where the drawn airways end."""
    gap_mm: float
    """Tissue between bronchus and artery."""
    plugged: float
    """Share of the small bronchi that are full of mucus."""

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> AirwayHabit:
        """One person's: mostly normal, some with thick walls (bronchitis) or wide lumens (bronchiectasis)."""
        wide, thick = rng.random() < 0.12, rng.random() < 0.2
        return cls(
            lumen_share=rng.uniform(1.0, 1.4) if wide else rng.uniform(0.5, 0.9),
            wall_base_mm=rng.uniform(0.5, 0.8) if thick else rng.uniform(0.15, 0.45),
            wall_share=rng.uniform(0.2, 0.3) if thick else rng.uniform(0.12, 0.24),
            thinnest_mm=rng.uniform(0.6, 1.4),
            gap_mm=rng.uniform(-0.1, 0.4),
            plugged=rng.uniform(0.03, 0.15) if rng.random() < 0.2 else 0.0,
        )


@dataclass(frozen=True)
class Tubes:
    """Airways as points along their middle lines."""

    places: Float64
    """(N, 3) in mm."""
    lumen: Float64
    """Radius of the lumen (N,) in mm."""
    wall: Float64
    """Thickness of the wall (N,) in mm."""
    plugged: Bool
    """Whether mucus fills it (N,)."""

    def as_samples(self) -> Samples:
        """The tubes with their walls, to keep other vessels away from them."""
        nothing = np.zeros(len(self.places))
        return Samples(self.places, self.lumen + self.wall, nothing.astype(np.int64), nothing)


def bronchi(
    rng: np.random.Generator, habit: AirwayHabit, arteries: Tree, growth: Habit, window: Window, carina: Float64
) -> Tubes:
    """The bronchi of the arteries in a window.

    At each fork the bronchus stands beside the plane of the fork, so that it need not cross the artery's branches.

    Args:
        rng: source of randomness.
        habit: calibres and walls.
        arteries: trees; the root's bronchus comes from the carina instead.
        growth: habit the arteries were grown with.
        window: what is drawn.
        carina: fork of the trachea (3,) in mm.
    """
    lumen = habit.lumen_share * arteries.radius * np.exp(0.08 * rng.normal(size=len(arteries.radius)))
    first, last = _sides(rng, arteries)
    chosen = arteries.within(window, 14.0) & (lumen > habit.thinnest_mm)
    line = sampled(arteries, growth, chosen)
    share = line.share[:, None]
    beside = (1 - share) * first[line.branch] + share * last[line.branch]
    beside /= np.maximum(np.linalg.norm(beside, axis=1, keepdims=True), 1e-9)
    parent = np.maximum(arteries.parent, 0)[line.branch]
    before = np.minimum(lumen[parent], 1.2 * lumen[line.branch])
    calibre = lumen[line.branch] + (before - lumen[line.branch]) * np.maximum(1 - 3 * line.share, 0)
    wall = habit.wall_base_mm + habit.wall_share * calibre
    tube = arteries.radius[line.branch] + calibre + wall
    parent_tube = arteries.radius[parent] + lumen[parent] * (1 + habit.wall_share) + habit.wall_base_mm
    distance = habit.gap_mm + tube + (np.minimum(parent_tube, 1.6 * tube) - tube) * (1 - line.share) ** 3
    places = line.places + distance[:, None] * beside
    roots = arteries.parent[line.branch] < 0
    places[roots] = _main_bronchus(carina, places[roots], line.branch[roots], line.share[roots])
    small = (lumen < 2.2) & (rng.random(len(lumen)) < habit.plugged)
    return Tubes(places, calibre, wall, small[line.branch])


def _sides(rng: np.random.Generator, tree: Tree) -> tuple[Float64, Float64]:
    """Unit vectors (B, 3) from the artery to its bronchus at the start and at the end of each branch."""
    heading = tree.heading
    fork = np.zeros_like(heading)
    for child, parent in enumerate(tree.parent):
        if parent >= 0:
            normal = np.cross(heading[parent], heading[child])
            fork[parent] += normal if fork[parent] @ normal >= 0 else -normal
    first, last = np.zeros_like(heading), np.zeros_like(heading)
    for branch, parent in enumerate(tree.parent):
        inherited = last[parent] if parent >= 0 else rng.normal(size=3)
        first[branch] = _across(inherited, heading[branch])
        normal = fork[branch]
        if np.linalg.norm(normal) < 1e-3:
            last[branch] = first[branch]
            continue
        normal = _across(normal, heading[branch])
        last[branch] = normal if normal @ first[branch] >= 0 else -normal
    return first, last


def _across(vector: Float64, heading: Float64) -> Float64:
    """The part of a vector across a heading, of length 1."""
    aside = vector - (vector @ heading) * heading
    length = np.linalg.norm(aside)
    if length < 1e-6:
        aside = np.cross(heading, np.array([0.31, 0.87, 0.38]))
        length = np.linalg.norm(aside)
    return aside / length


def _main_bronchus(carina: Float64, places: Float64, branch: Int64, share: Float64) -> Float64:
    """Points of the roots' bronchi, led from the carina to where each root's bronchus ends."""
    led = places.copy()
    for root in np.unique(branch):
        rows = branch == root
        end = places[rows][np.argmax(share[rows])]
        t = share[rows][:, None]
        led[rows] = carina + t * (end - carina) + np.sin(np.pi * t) * np.array([-3.0, 1.0, 0.0])
    return led


def trachea(rng: np.random.Generator, carina: Float64, habit: AirwayHabit) -> Tubes:
    """From the carina up to the neck."""
    height = np.arange(0.0, 150.0, 0.8)
    lean = rng.uniform(-0.06, 0.06, 2)
    places = carina + np.stack([height, -0.18 * height + lean[0] * height, lean[1] * height], axis=1)
    radius = np.full(len(height), rng.uniform(6.5, 10.0))
    wall = np.full(len(height), habit.wall_base_mm + 1.0)
    return Tubes(places, radius, wall, np.zeros(len(height), dtype=bool))
