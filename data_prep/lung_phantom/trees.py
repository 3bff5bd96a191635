"""Volume-filling vessel trees: from the hilum towards the middle of a territory, which splits, down to single points.

The principle is that of Tawhai et al. (2000, doi 10.1114/1.1289457) and Kitaoka et al. (1999); calibres follow Murray's
law (1926) in the form r^g = sum of the branches' r^g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from data_prep.lung_phantom.space import Bool, Float64, Window

__all__ = ["Habit", "Int64", "Samples", "Tree", "Trunk", "bent", "grow", "sampled", "scatter"]

Int64 = npt.NDArray[np.int64]
Trunk = tuple[Float64, Float64, Int64]
"""Where a root starts and where it enters the lung, (3,) in mm each, and the rows of the points it feeds."""

_LONGEST_STEP_MM = 38.0
"""Of a branch with a radius of 2 mm; shorter for thicker ones, which fork soon after the hilum."""
_TIP_TAPER = 0.4
"""How much thinner the last branches become on their way."""
_BEND_SHARES = np.array([0.25, 0.5, 0.75])


@dataclass(frozen=True)
class Habit:
    """How one person's trees of one kind grow."""

    reach: float
    """Share of the way to the territory's centre that a branch goes, on average."""
    side_share: float
    """Share of a territory that the smaller branch of a fork gets, on average."""
    tilt: float
    """How far the plane between two branches leans: 0 holds the parent, 1 cuts off what lies beside it at 45 deg."""
    widest_angle: float
    """Between a branch and its parent, in radians."""
    murray: float
    """Exponent g."""
    follow: float
    """How far a branch leaves its parent in the parent's direction: 0 angular forks, 1 smooth ones."""
    sway: float
    """SD of the sideways bend, as a share of the length."""


@dataclass(frozen=True)
class Tree:
    """Branches as curves between two points; every branch comes after its parent."""

    start: Float64
    """(B, 3) in mm."""
    end: Float64
    """(B, 3) in mm."""
    parent: Int64
    """Row of the parent, -1 for a root."""
    radius: Float64
    """(B,) in mm."""
    bend: Float64
    """(B, 3): how far the middle of the branch lies beside the smooth curve, in mm."""

    @property
    def heading(self) -> Float64:
        """Unit vectors (B, 3) from start to end."""
        return _unit(self.end - self.start)

    def within(self, window: Window, margin_mm: float) -> Bool:
        """Which branches may be seen in a window: those whose box, grown by the margin, touches it."""
        low, high = window.box
        margin = margin_mm + self.radius[:, None]
        first, last = np.minimum(self.start, self.end) - margin, np.maximum(self.start, self.end) + margin
        return np.all((last >= low) & (first <= high), axis=1)


@dataclass(frozen=True)
class Samples:
    """Points along the curves of a tree."""

    places: Float64
    """(N, 3) in mm."""
    radius: Float64
    """(N,) in mm."""
    branch: Int64
    """(N,) row of the branch."""
    share: Float64
    """(N,) of the way from the branch's start to its end."""

    def take(self, chosen: Bool) -> Samples:
        """The chosen ones."""
        return Samples(self.places[chosen], self.radius[chosen], self.branch[chosen], self.share[chosen])


def scatter(rng: np.random.Generator, box: Float64, step_mm: float) -> Float64:
    """Points (N, 3) that fill a box (2, 3) evenly but not in order: a lattice, each point moved within its cell."""
    counts = np.maximum(np.round((box[1] - box[0]) / step_mm), 1).astype(int)
    lattice = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1).reshape(-1, 3)
    cell = (box[1] - box[0]) / counts
    return box[0] + (lattice + rng.uniform(0.02, 0.98, lattice.shape)) * cell


class _Grower:
    def __init__(
        self, rng: np.random.Generator, habit: Habit, points: Float64, lobes: Int64, flow: Float64, window: Window
    ) -> None:
        self.rng, self.habit, self.points, self.lobes, self.flow = rng, habit, points, lobes, flow
        self._low, self._high = window.box[0] - 12.0, window.box[1] + 12.0
        self.start: list[Float64] = []
        self.end: list[Float64] = []
        self.parent: list[int] = []
        self.power: list[float] = []

    def add(self, start: Float64, end: Float64, parent: int, power: float) -> int:
        self.start.append(start)
        self.end.append(end)
        self.parent.append(parent)
        self.power.append(power)
        return len(self.parent) - 1

    def fill(self, start: Float64, heading: Float64, parent: int, territory: Int64) -> None:
        """Grow until every point of the territory has its own branch; parts far from the window stay bare."""
        todo = [(start, heading, parent, territory)]
        while todo:
            start, heading, parent, territory = todo.pop()
            points = self.points[territory]
            if np.any(np.minimum(points.min(0), start) > self._high) or np.any(
                np.maximum(points.max(0), start) < self._low
            ):
                continue
            if len(territory) == 1:
                self.add(start, points[0], parent, self.flow[territory[0]])
                continue
            flow = float(self.flow[territory].sum())
            step = self._step(start, heading, points.mean(0), flow ** (1 / self.habit.murray))
            branch = self.add(start, start + step, parent, flow)
            fork, onward = start + step, _unit(step)
            todo += [(fork, onward, branch, part) for part in self._split(territory, fork, step)]

    def _step(self, start: Float64, heading: Float64, goal: Float64, radius: float) -> Float64:
        """From the start some of the way to the goal, not turning more than the habit allows."""
        way = goal - start
        length = float(np.linalg.norm(way)) + 1e-6
        turned = np.arccos(np.clip(way @ heading / length, -1, 1))
        if turned > self.habit.widest_angle:
            way = _turned(heading, way, self.habit.widest_angle)
        reach = self.habit.reach * self.rng.uniform(0.65, 1.35)
        longest = _LONGEST_STEP_MM * self.rng.uniform(0.7, 1.3) * min(2.0 / radius, 1.0) ** 1.2
        return _unit(way) * max(min(reach * length, longest), 0.5)

    def _split(self, territory: Int64, fork: Float64, step: Float64) -> list[Int64]:
        """By lobes as long as there are several, else by a plane that holds the branch."""
        lobes = np.unique(self.lobes[territory])
        if len(lobes) > 1:
            alone = self.lobes[territory] == lobes[0]
            return [territory[alone], territory[~alone]]
        spread = self.points[territory] - fork
        _, vectors = np.linalg.eigh(spread.T @ spread)
        along = _unit(step)
        normal = vectors[:, -1] + 0.5 * vectors[:, 1] * self.rng.normal() + 0.25 * self.rng.normal(size=3)
        normal = _unit(normal - (normal @ along) * along)
        tilt = self.habit.tilt * self.rng.uniform(0.3, 1.7)
        side = spread @ (normal * self.rng.choice([-1.0, 1.0]) + tilt * along)
        share = np.clip(self.habit.side_share * np.exp(0.5 * self.rng.normal()), 0.04, 0.5)
        count = int(np.clip(round(share * len(territory)), 1, len(territory) - 1))
        order = np.argpartition(side, count)
        return [territory[order[:count]], territory[order[count:]]]


def grow(
    rng: np.random.Generator,
    habit: Habit,
    trunks: Sequence[Trunk],
    points: Float64,
    lobes: Int64,
    tip_radius: Float64,
    window: Window,
) -> Tree:
    """One tree, or several that share a kind.

    Args:
        rng: source of randomness.
        habit: how it grows.
        trunks: one for each root.
        points: ends of the last branches (N, 3) in mm.
        lobes: lobe of each point (N,).
        tip_radius: of the last branches (N,) in mm.
        window: what will be drawn; only branches near it are grown, with the calibre they have in the whole tree.
    """
    grower = _Grower(rng, habit, points, lobes, tip_radius**habit.murray, window)
    for start, gate, territory in trunks:
        if len(territory):
            root = grower.add(start, gate, -1, float(grower.flow[territory].sum()))
            grower.fill(gate, _unit(gate - start), root, territory)
    start, end = np.array(grower.start).reshape(-1, 3), np.array(grower.end).reshape(-1, 3)
    radius = np.array(grower.power) ** (1.0 / habit.murray)
    bend = rng.normal(size=start.shape) * (habit.sway * np.linalg.norm(end - start, axis=1))[:, None]
    return Tree(start, end, np.array(grower.parent, dtype=np.int64), radius, bend)


def sampled(tree: Tree, habit: Habit, chosen: Bool, step_mm: float = 0.4) -> Samples:
    """Points along the chosen branches, at most `step_mm` or a third of the radius apart.

    A branch is a Hermite curve that leaves its parent more or less in the parent's direction.
    """
    rows = np.flatnonzero(chosen)
    chord = tree.end[rows] - tree.start[rows]
    length = np.linalg.norm(chord, axis=1)
    count = np.maximum(np.ceil(length / np.maximum(step_mm, tree.radius[rows] / 3)).astype(int), 2) + 1
    which = np.repeat(np.arange(len(rows)), count)
    share = (np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)) / np.repeat(count - 1, count)
    places = _curve(tree, habit, rows[which], share)
    parent = tree.parent[rows]
    before = np.where(parent < 0, tree.radius[rows], np.minimum(tree.radius[parent], 1.15 * tree.radius[rows]))
    radius = tree.radius[rows][which] + (before - tree.radius[rows])[which] * np.maximum(1 - 3 * share, 0)
    tip = ~np.isin(rows, tree.parent)[which]
    return Samples(places, np.where(tip, radius * (1 - _TIP_TAPER * share), radius), rows[which], share)


def _curve(tree: Tree, habit: Habit, branch: Int64, share: Float64) -> Float64:
    t = share[:, None]
    chord = tree.end[branch] - tree.start[branch]
    parent = tree.parent[branch]
    before = np.where(parent[:, None] < 0, _unit(chord), tree.heading[parent])
    calibre = np.where(parent < 0, 1.0, np.minimum(tree.radius[branch] / tree.radius[np.maximum(parent, 0)], 1.0))
    follow = (habit.follow * calibre)[:, None]
    leaving = follow * before * np.linalg.norm(chord, axis=1, keepdims=True) + (1 - follow) * chord
    hermite = (t - 2 * t**2 + t**3) * leaving + (3 * t**2 - 2 * t**3) * chord + (t**3 - t**2) * chord
    return tree.start[branch] + hermite + (np.sin(np.pi * t) ** 2) * tree.bend[branch]


def bent(tree: Tree, habit: Habit, chosen: Bool, others: Samples, rng: np.random.Generator) -> Tree:
    """The tree with branches bent so that they pass beside the tubes of others, as far as a few tries can do it."""
    rows = np.flatnonzero(chosen)
    if not len(rows) or not len(others.places):
        return tree
    known = cKDTree(others.places)
    length = np.linalg.norm(tree.end[rows] - tree.start[rows], axis=1)
    best_gap, bend = np.full(len(rows), -np.inf), tree.bend.copy()
    for attempt in range(5):
        trial = tree.bend.copy()
        if attempt:
            size = np.minimum(0.22 * length, 1.0 + 2.5 * tree.radius[rows])
            trial[rows] += rng.normal(size=(len(rows), 3)) * size[:, None]
        moved = replace(tree, bend=trial)
        places = _curve(moved, habit, np.repeat(rows, 3), np.tile(_BEND_SHARES, len(rows)))
        distance, nearest = known.query(places)
        gap = distance - others.radius[nearest] - np.repeat(tree.radius[rows], 3)
        gap = np.minimum(gap.reshape(-1, 3).min(axis=1), 1.0)
        better = gap > best_gap + 0.2
        best_gap[better], bend[rows[better]] = gap[better], trial[rows[better]]
    return replace(tree, bend=bend)


def _turned(heading: Float64, way: Float64, angle: float) -> Float64:
    """Unit vector between heading and way, at an angle from the heading."""
    aside = way - (way @ heading) * heading
    return np.cos(angle) * heading + np.sin(angle) * _unit(aside)


def _unit(vectors: Float64) -> Float64:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
