"""What surrounds the lungs: bones, muscle, fat, heart, great vessels, liver, stomach, skin and the air outside."""

from __future__ import annotations

import numpy as np

from data_prep.lung_phantom.parenchyma import mix
from data_prep.lung_phantom.shape import Blob, Chest, Grid
from data_prep.lung_phantom.space import Bool, Field, Float32, Window, resample_linear

__all__ = ["draw_body"]

_STEP_MM = 2.0


def draw_body(rng: np.random.Generator, chest: Chest, window: Window, blood: tuple[float, float]) -> Float32:
    """HU (Z,Y,X) of everything but lungs, their vessels and airways.

    Args:
        rng: source of randomness.
        chest: whose body.
        window: what is drawn.
        blood: HU of the blood in the pulmonary arteries, and in the veins, left heart and aorta.
    """
    coarse = Grid(window.coarser(_STEP_MM))
    outward = -np.maximum(chest.cage(coarse, -1), chest.cage(coarse, 1))
    hu = _soft_tissue(rng, coarse, np.asarray(-chest.trunk(coarse), np.float32))
    _draw_organs(rng, chest, coarse, hu, blood)
    _draw_below(rng, chest, coarse, hu, outward)
    full = resample_linear(hu, coarse.window, window)
    outward = resample_linear(np.asarray(outward, np.float32), coarse.window, window)
    _draw_ribs(rng, chest, window, full, outward)
    _draw_spine(rng, chest, window, full)
    return full


def _soft_tissue(rng: np.random.Generator, grid: Grid, outward: Float32) -> Float32:
    """Muscle and fat in layers and patches; skin; air beyond it. `outward`: distance from the trunk in mm."""
    patchy = Field(rng, 14.0, grid.window.box).on(grid.window)
    layer = Field(rng, 60.0, grid.window.box).on(grid.window)
    muscle_mm, fat_mm = rng.uniform(10, 26), rng.uniform(2, 40)
    muscle = muscle_mm * (1 + 0.35 * layer)
    hu = 48.0 + 8.0 * patchy
    outward = np.broadcast_to(outward, hu.shape)
    fatty = np.clip((outward - muscle) / 2.0 + 0.5, 0, 1)
    streaks = np.clip((patchy - rng.uniform(0.9, 2.4)) * 2.0, 0, 1) * (outward > 5.0)
    mix(hu, np.maximum(fatty, streaks), -105.0)
    skin = muscle + fat_mm * (1 + 0.3 * layer)
    mix(hu, np.clip(1.5 - np.abs(outward - skin) / 2.0, 0, 1), 10.0)
    mix(hu, np.clip((outward - skin - 2.0) / 2.0, 0, 1), -1000.0)
    return hu.astype(np.float32)


def _draw_organs(rng: np.random.Generator, chest: Chest, grid: Grid, hu: Float32, blood: tuple[float, float]) -> None:
    """The mediastinum: fat, in it the heart with its chambers, aorta, arch and caval vein."""

    def fill(blob: Blob, value: float, shrink_mm: float = 0.0) -> None:
        mix(hu, np.clip((blob.level(grid) - shrink_mm) / 2.0 + 0.5, 0, 1).astype(np.float32), value)

    fat = np.clip(np.maximum(chest.mediastinum(grid, 1), chest.mediastinum(grid, -1)) / 3.0, 0, 1)
    tissue = Field(rng, 12.0, grid.window.box).on(grid.window)
    mix(hu, fat.astype(np.float32), np.where(tissue > rng.uniform(-0.6, 0.8), 40.0, -90.0).astype(np.float32))
    heart = chest.organs["heart"]
    fill(heart, -80.0 if rng.random() < 0.6 else 40.0, 2.0)
    fill(heart, 60.0 if blood[0] < 100 else 95.0, rng.uniform(3.0, 7.0))
    fill(Blob((heart.centre[0], heart.centre[1] - 12, heart.centre[2] - 22), (38, 28, 26)), blood[0])
    fill(Blob((heart.centre[0] + 4, heart.centre[1] + 12, heart.centre[2] + 14), (36, 26, 24)), blood[1])
    for name in ("aorta", "arch"):
        fill(chest.organs[name], blood[1], 1.5)
    fill(Blob((60.0, -18.0, -20.0), (80.0, 8.0, 8.0)), blood[0] * rng.uniform(0.9, 1.8), 0.0)


def _draw_below(rng: np.random.Generator, chest: Chest, grid: Grid, hu: Float32, outward: Float32) -> None:
    """Liver on the right, stomach with its gas and fat on the left."""
    inside = np.clip(-outward / 2.0, 0, 1)
    for side, value in ((-1, rng.uniform(40, 75)), (1, rng.uniform(20, 50))):
        below = np.clip(-chest.above_diaphragm(grid, side) / 2.0 - 0.5, 0, 1) * (side * grid.mesh[2] > 0)
        mix(hu, (below * inside).astype(np.float32), value)
        if side > 0:
            lumps = Field(rng, 25.0, grid.window.box).on(grid.window)
            mix(hu, (below * inside * (lumps > rng.uniform(0.2, 1.2))).astype(np.float32), -95.0)
    if rng.random() < 0.7:
        top = chest.dome_top[1] - rng.uniform(8, 25)
        gas = Blob(
            (top - 12, -chest.half_depth * 0.3, 62.0), (rng.uniform(8, 22), rng.uniform(15, 40), rng.uniform(15, 38))
        )
        level = np.minimum(gas.level(grid), -grid.mesh[1] - 5.0)
        mix(hu, (np.clip(level / 2.0, 0, 1) * inside).astype(np.float32), -960.0)


def _draw_ribs(rng: np.random.Generator, chest: Chest, window: Window, hu: Float32, outward: Float32) -> None:
    """Ribs around the cage: a shell of cortex about marrow."""
    offset, thick, tall = rng.uniform(4.5, 7.5), rng.uniform(3.0, 4.5), rng.uniform(5.0, 7.5)
    near = (np.abs(outward - offset) < thick + 1.0) & (window.mesh[0] < chest.apex - 3.0)
    z, y, x = (np.broadcast_to(axis, window.shape)[near] for axis in window.mesh)
    phase = (z - chest.rib_slope * y) / chest.rib_pitch + chest.rib_phase / (2 * np.pi)
    dz = (phase - np.round(phase)) * chest.rib_pitch / np.sqrt(1 + chest.rib_slope**2)
    shell = np.sqrt(((outward[near] - offset) / thick) ** 2 + (dz / tall) ** 2)
    bony = (np.abs(x) > 18.0) | (y < 0)
    cartilage = (y < -0.6 * chest.half_depth) & (np.abs(x) < 80.0)
    rim = rng.uniform(0.25, 0.4)
    values = hu[near]
    mix(values, np.clip((1.0 - shell) * 4.0 + 0.5, 0, 1) * bony, np.where(cartilage, 110.0, rng.uniform(450, 900)))
    mix(values, np.clip((1.0 - rim - shell) * 4.0 + 0.5, 0, 1) * bony, np.where(cartilage, 90.0, rng.uniform(80, 300)))
    hu[near] = values


def _draw_spine(rng: np.random.Generator, chest: Chest, window: Window, hu: Float32) -> None:
    """Vertebral bodies with discs, the canal and the arches behind it, and the sternum."""
    low, high = chest.spine.centre[1] - 30.0, chest.spine.centre[1] + 70.0
    rows = slice(*np.searchsorted(window.axes[1], [low, high]))
    part = hu[:, rows]
    if part.shape[1]:
        z, y, x = window.mesh
        y = y[:, rows] - np.float32(chest.spine.centre[1])
        body = 1.0 - np.sqrt((x / 17.0) ** 2 + (y / 15.0) ** 2)
        disc: Bool = np.asarray(np.abs(((z / 24.0) % 1.0) - 0.5) > 0.40)
        for level, cortex, marrow in ((body, 420.0, rng.uniform(120, 240)), (_arches(x, y), 600.0, 250.0)):
            mix(part, np.clip(level * 15.0 + 0.5, 0, 1), cortex)
            mix(part, np.clip(level * 15.0 - 1.5, 0, 1), marrow)
        mix(part, np.clip(body * 15.0, 0, 1) * disc, 80.0)
        mix(part, np.clip((1.0 - np.sqrt((x / 9.0) ** 2 + ((y - 25.0) / 8.0) ** 2)) * 8.0, 0, 1), 35.0)
    _draw_sternum(chest, window, hu)


def _arches(x: Float32, y: Float32) -> Float32:
    ring = 1.0 - np.abs(np.sqrt((x / 14.0) ** 2 + ((y - 25.0) / 13.0) ** 2) - 1.0) * 3.0
    process = 1.0 - np.sqrt((x / 5.0) ** 2 + ((y - 48.0) / 16.0) ** 2)
    wings = 1.0 - np.sqrt((x / 38.0) ** 2 + ((y - 22.0) / 7.0) ** 2)
    return np.maximum(np.maximum(ring, process), wings)


def _draw_sternum(chest: Chest, window: Window, hu: Float32) -> None:
    y, x = window.mesh[1] + chest.half_depth + 8.0, window.mesh[2]
    level = 1.0 - np.sqrt((x / 19.0) ** 2 + (y / 6.0) ** 2)
    upper = window.mesh[0] > -60.0
    mix(hu, np.clip(level * 6.0 + 0.5, 0, 1) * upper, 450.0)
    mix(hu, np.clip(level * 6.0 - 1.0, 0, 1) * upper, 150.0)
