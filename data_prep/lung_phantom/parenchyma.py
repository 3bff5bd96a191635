"""Lung tissue without vessels: air and texture, emphysema, ground glass, consolidation, bands, nodules, fissures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_prep.lung_phantom.lesions import Lesion, drawn_lesions
from data_prep.lung_phantom.shape import Chest, Grid, Side
from data_prep.lung_phantom.space import Bool, Field, Float32, Window, resample_linear

__all__ = ["Parenchyma", "made_parenchyma", "mix"]


@dataclass(frozen=True)
class Parenchyma:
    """A lung without its vessels."""

    hu: Float32
    """(Z,Y,X)"""
    opacity: Float32
    """Strength of opacities, 0 to 1."""
    nodule: Float32
    """Coverage by nodules and masses, 0 to 1."""
    fissure: Float32
    """Coverage by a fissure as wide as a voxel, 0 to 1."""
    fissure_tissue: Float32
    """Share of each voxel that is pleura of a fissure, which is thinner."""


def mix(hu: Float32, cover: npt.NDArray[np.floating], value: npt.NDArray[np.floating] | float) -> None:
    """Replace the share `cover` of each voxel by tissue of `value` HU, in place."""
    hu += cover * (value - hu)


def made_parenchyma(
    rng: np.random.Generator, chest: Chest, window: Window, level: Float32, sides: Sequence[Side]
) -> Parenchyma:
    """Draw it over the whole window; `level` is that of the lungs (Z,Y,X)."""
    hu = _texture(rng, chest, window)
    opacity, nodule = np.zeros_like(hu), np.zeros_like(hu)
    for lesion in drawn_lesions(rng, chest, window, level):
        _put(lesion, hu, opacity, nodule)
    fissure, tissue = np.zeros_like(hu), np.zeros_like(hu)
    for side in sides:
        _draw_fissures(rng, chest, window, side, level, fissure, tissue)
    mix(hu, tissue, 10.0)
    return Parenchyma(hu, opacity, nodule, fissure, tissue)


def _texture(rng: np.random.Generator, chest: Chest, window: Window) -> Float32:
    """Aerated lung: denser below (in the back) and at the base, patchy at several scales."""
    z, y, _ = window.mesh
    base = rng.uniform(-905, -815)
    gravity, height = rng.uniform(10, 110), rng.uniform(-10, 30)
    hu = np.empty(window.shape, np.float32)
    hu[...] = base + np.float32(gravity) * (y / np.float32(2 * chest.half_depth)) - np.float32(height) * z / 200.0
    for scale, sd in ((60.0, rng.uniform(4, 18)), (14.0, rng.uniform(4, 18)), (4.0, rng.uniform(3, 24))):
        hu += np.float32(sd) * Field(rng, scale, window.box).on(window)
    if rng.random() < 0.25:  # lobules that are ventilated unevenly
        hu += np.float32(rng.uniform(20, 60)) * np.tanh(3.0 * Field(rng, rng.uniform(12, 25), window.box).on(window))
    return np.clip(hu, -990.0, None)


def _put(lesion: Lesion, hu: Float32, opacity: Float32, nodule: Float32) -> None:
    """Mix a lesion into its part of the lung."""
    part = hu[lesion.place]
    denser = lesion.hu > part if lesion.only_adds else np.ones_like(part, dtype=bool)
    strength = lesion.strength * denser
    mix(part, strength, lesion.hu)
    if lesion.kind in ("opacity", "nodule"):
        record = nodule if lesion.kind == "nodule" else opacity
        np.maximum(record[lesion.place], strength, out=record[lesion.place])


def _draw_fissures(
    rng: np.random.Generator,
    chest: Chest,
    window: Window,
    side: Side,
    level: Float32,
    fissure: Float32,
    tissue: Float32,
) -> None:
    """Sheets of pleura, here and there missing, as fissures mostly are incomplete."""
    coarse = Grid(window.coarser(1.5))
    own = side * window.mesh[2] > 0
    oblique: Float32 | None = None
    for sheet in chest.fissures[side]:
        distance = resample_linear(np.asarray(sheet.level(coarse), np.float32), coarse.window, window)
        present: Bool = np.asarray(own & (np.abs(distance) < 3.0) & (level > -2.0))
        if oblique is not None:
            present &= oblique > 0
        else:
            oblique = distance
        gaps = Field(rng, 30.0, window.box).on(window) > rng.uniform(0.8, 2.5)
        present &= ~gaps
        voxel = np.float32(np.cbrt(np.prod(window.spacing)))
        thickness = np.float32(rng.uniform(0.1, 0.5) if rng.random() < 0.88 else rng.uniform(0.6, 1.6))
        away = np.abs(distance[present])
        tissue[present] = np.maximum(
            tissue[present], np.clip((thickness + voxel) / 2 - away, 0, min(thickness, voxel)) / voxel
        )
        fissure[present] = np.maximum(fissure[present], np.clip(1.05 - away / max(voxel, thickness), 0, 1))
