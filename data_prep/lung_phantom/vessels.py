"""Arteries, veins and airways of one chest, where a window needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data_prep.lung_phantom.airways import AirwayHabit, Tubes, bronchi, trachea
from data_prep.lung_phantom.shape import Chest, Side
from data_prep.lung_phantom.space import Field, Float64, Window, joined
from data_prep.lung_phantom.trees import Habit, Int64, Samples, Tree, Trunk, bent, grow, sampled, scatter

__all__ = ["VesselTraits", "Vessels", "made_vessels"]

_MURRAY = (2.55, 3.3)
"""Exponents that occur."""


@dataclass(frozen=True)
class VesselTraits:
    """What one person's vessels have in common."""

    arteries: Habit
    veins: Habit
    airways: AirwayHabit
    tips: int
    """Ends of each kind of tree in each lung."""
    tip_radius_mm: float
    """Typical calibre of the last branches."""
    bare_rim_mm: float
    """Between the pleura and the nearest tips."""
    lumpy: float
    """SD of the calibre along a vessel, as a share."""

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> VesselTraits:
        """One person's."""
        tips = int(np.exp(rng.uniform(np.log(1500), np.log(10000))))
        root, tip = rng.uniform(4.0, 8.2), rng.uniform(0.22, 0.6)
        murray = float(np.clip(np.log(tips) / np.log(root / tip), *_MURRAY))

        def habit() -> Habit:
            return Habit(
                reach=rng.uniform(0.22, 0.45),
                side_share=rng.uniform(0.18, 0.42),
                tilt=rng.uniform(0.2, 1.3),
                widest_angle=np.deg2rad(rng.uniform(50, 75)),
                murray=murray,
                follow=rng.uniform(0.4, 1.0),
                sway=rng.uniform(0.04, 0.11),
            )

        return cls(
            arteries=habit(),
            veins=habit(),
            airways=AirwayHabit.drawn(rng),
            tips=tips,
            tip_radius_mm=root / tips ** (1 / murray),
            bare_rim_mm=0.2 + 4.5 * rng.random() ** 2.5,
            lumpy=rng.uniform(0.05, 0.2) if rng.random() < 0.4 else 0.03,
        )


@dataclass(frozen=True)
class Vessels:
    """Points along every vessel and airway near the window."""

    arteries: Samples
    veins: Samples
    airways: Tubes


def made_vessels(
    rng: np.random.Generator, chest: Chest, traits: VesselTraits, window: Window, sides: Sequence[Side]
) -> Vessels:
    """Trees of the given lungs, as far as the window shows them."""
    carina = np.array([rng.uniform(15, 30), rng.uniform(8, 22), rng.uniform(-3, 3)])
    arteries, veins, tubes = [], [], [trachea(rng, carina, traits.airways)]
    for side in sides:
        artery = _grown(rng, chest, traits, traits.arteries, side, window)
        line = sampled(artery, traits.arteries, artery.within(window, 4.0))
        bronchus = bronchi(rng, traits.airways, artery, traits.arteries, window, carina)
        vein = _grown(rng, chest, traits, traits.veins, side, window)
        near = vein.within(window, 4.0)
        vein = bent(vein, traits.veins, near, joined([line, bronchus.as_samples()]), rng)
        arteries.append(line)
        veins.append(sampled(vein, traits.veins, near))
        tubes.append(bronchus)
    lumpy_arteries, lumpy_veins = (_lumpy(rng, traits.lumpy, joined(lines), window) for lines in (arteries, veins))
    return Vessels(lumpy_arteries, lumpy_veins, joined(tubes))


def _lumpy(rng: np.random.Generator, sd: float, samples: Samples, window: Window) -> Samples:
    """The same points with calibres that vary along the way."""
    wave = Field(rng, rng.uniform(4.0, 8.0), window.box)
    return replace(samples, radius=samples.radius * np.exp(sd * wave.at(samples.places)))


def _grown(
    rng: np.random.Generator, chest: Chest, traits: VesselTraits, habit: Habit, side: Side, window: Window
) -> Tree:
    """All arteries or all veins of a lung; vessels low and in the back are wider."""
    points = _tips(rng, chest, traits, side)
    lobes = chest.lobe(points, side)
    gravity = 1.0 + 0.15 * points[:, 1] / chest.half_depth - 0.1 * points[:, 0] / chest.apex
    tip_radius = traits.tip_radius_mm * gravity * np.exp(0.25 * rng.normal(size=len(points)))
    if habit is traits.arteries:
        trunks = [_artery_trunk(rng, chest, side, len(points))]
    else:
        trunks = _vein_trunks(rng, chest, side, points, lobes)
    return grow(rng, habit, trunks, points, lobes, tip_radius, window)


def _tips(rng: np.random.Generator, chest: Chest, traits: VesselTraits, side: Side) -> Float64:
    """Ends of the last branches, spread evenly through one lung."""
    outer = side * chest.half_width
    box = np.array([[chest.base, -chest.half_depth, min(0.0, outer)], [chest.apex, chest.half_depth, max(0.0, outer)]])
    rough = scatter(rng, box, 12.0)
    volume = np.prod(box[1] - box[0]) * np.mean(chest.inside(rough, side, 0.0))
    points = scatter(rng, box, (volume / traits.tips) ** (1 / 3))
    return points[chest.inside(points, side, traits.bare_rim_mm)]


def _artery_trunk(rng: np.random.Generator, chest: Chest, side: Side, n_points: int) -> Trunk:
    """One root, from the trunk of the pulmonary artery through the hilum, for all points."""
    start = np.array([rng.uniform(2, 12), -8.0, side * 8.0]) * chest.size
    gate = np.array([rng.uniform(-6, 8), rng.uniform(0, 14), side * rng.uniform(30, 42)]) * chest.size
    return start, gate, np.arange(n_points)


def _vein_trunks(rng: np.random.Generator, chest: Chest, side: Side, points: Float64, lobes: Int64) -> list[Trunk]:
    """Superior and inferior vein, each as one to three trunks that leave the left atrium side by side."""
    trunks = []
    for lower, gate, start in (
        (False, (-8.0, -10.0, side * 28.0), (-14.0, 6.0, side * 8.0)),
        (True, (-26.0, 14.0, side * 26.0), (-24.0, 6.0, side * 8.0)),
    ):
        territory = np.flatnonzero((lobes == 1) == lower)
        order = territory[np.argsort(points[territory] @ rng.normal([1.0, 0.0, 0.0], 0.4))]
        for part in np.array_split(order, rng.integers(1, 4)):
            beside = rng.normal(0.0, (3.0, 5.0), (3, 2)).T
            trunks.append((np.array(start) * chest.size + beside[0], np.array(gate) * chest.size + beside[1], part))
    return trunks
