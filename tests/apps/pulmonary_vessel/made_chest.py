"""A chest of ellipsoids, whose lungs are known: what is told apart by shape and place needs no more."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

SHAPE, SPACING = (88, 104, 128), (3.0, 2.5, 2.5)
_APART = 62.0


@dataclass(frozen=True, eq=False)
class Chest:
    """A CT of 264 x 260 x 320 mm, axes towards head, back and left, and where its parts are."""

    hu: npt.NDArray[np.int16]
    lungs: npt.NDArray[np.uint8]
    """1 right, 2 left, whole: with vessels and what is consolidated."""
    parts: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)


def ball(centre: tuple[float, float, float], axes: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    """An ellipsoid in mm from the middle of the scan: z, y, x."""
    places = np.meshgrid(
        *[(np.arange(n) - (n - 1) / 2) * step for n, step in zip(SHAPE, SPACING, strict=True)], indexing="ij"
    )
    return sum(((p - c) / a) ** 2 for p, c, a in zip(places, centre, axes, strict=True)) <= 1


def make_chest(
    *,
    touching: bool = False,
    stomach: bool = False,
    consolidated: tuple[tuple[float, float, float], float] | None = None,
    emphysema: bool = False,
    couch: bool = False,
    noise_hu: float = 30.0,
    seed: int = 0,
) -> Chest:
    """Draw it.

    Args:
        touching: the lungs meet in front of the heart and behind it, so that slices show a ring around it.
        stomach: gas below the left lung, 5 mm of tissue between, and bowel gas with its content at the right.
        consolidated: centre (z, y, x) and radius in mm of a ball without air in the lung.
        emphysema: pockets of gas in the lung.
        couch: foam and a table top under the back, a blanket with folds on the chest.
        noise_hu: standard deviation.
        seed: of noise and texture.
    """
    rng = np.random.default_rng(seed)
    hu = np.full(SHAPE, -1000.0)
    body = ball((0, 0, 0), (1e4, 105, 145))
    hu[body] = 40
    lungs, heart = _lungs_and_heart(touching)
    hu[lungs > 0] = -860 + rng.normal(0, 20, SHAPE)[lungs > 0]
    parts = {"heart": heart, "trachea": ball((75, 5, 0), (45, 9, 9)) & (lungs == 0)}
    for z in range(-60, 90, 12):
        for side in (-_APART, _APART):
            hu[ball((z, 0, side), (2.5, 45, 2.5)) & (lungs > 0)] = 40
    if emphysema:
        for _ in range(60):
            place = rng.uniform((-40, -60, -100), (90, 60, 100))
            hu[ball(tuple(place), (11, 11, 11)) & (lungs > 0)] = -995
    hu[parts["trachea"]] = -995
    if stomach:
        parts["stomach"] = ball((-75, -20, 62), (22, 40, 40)) & ~_grown(lungs > 0)
        parts["bowel"] = ball((-95, -60, -60), (18, 22, 35)) & ~_grown(lungs > 0)
        hu[parts["stomach"]], hu[parts["bowel"]] = -990, -850
        hu[parts["bowel"] & (rng.random(SHAPE) < 0.5)] = 20
    if consolidated is not None:
        centre, radius = consolidated
        parts["consolidated"] = ball(centre, (radius, radius, radius)) & (lungs > 0)
        hu[parts["consolidated"]] = 30
    if couch:
        parts["couch"] = _add_couch(hu, body, rng)
    hu += rng.normal(0, noise_hu, SHAPE)
    return Chest(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), lungs, parts)


def _lungs_and_heart(touching: bool) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    right, left = ball((15, 0, -_APART), (95, 80, 52)), ball((15, 0, _APART), (95, 80, 52))
    if touching:
        bridges = (ball((20, -52, 0), (30, 5, 30)) | ball((20, 42, 0), (30, 5, 30))) & ~(right | left)
        half = np.arange(SHAPE[2]) < SHAPE[2] / 2
        right, left = right | (bridges & half), left | (bridges & ~half)
    dome = ball((-130, 10, -60), (90, 110, 85)) | ball((-130, 10, 60), (80, 110, 85))
    heart = ball((-5, -5, 5), (48, 40, 48))
    spine = ball((0, 70, 0), (1e4, 24, 22))
    right, left = (lung & ~dome & ~heart & ~spine for lung in (right, left))
    return np.where(right, 1, np.where(left, 2, 0)).astype(np.uint8), heart


def _add_couch(
    hu: npt.NDArray[np.float64], body: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Draw it into the scan; what is foam."""
    foam = np.zeros(SHAPE, dtype=bool)
    foam[:, 95:101, 10:118] = True
    hu[foam & ~body] = -900
    hu[:, 101:103] = 60
    blanket = ball((0, 0, 0), (1e4, 118, 150)) & ~body & (rng.random(SHAPE) < 0.3)
    hu[blanket & (np.arange(SHAPE[1])[None, :, None] < 30)] = -700
    return foam


def _grown(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage

    return ndimage.binary_dilation(mask, iterations=2)
