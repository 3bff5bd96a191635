"""A small made lung with straight vessels of known radius, an airway, a fissure and a nodule."""

from __future__ import annotations

import numpy as np

from apps.pulmonary_vessel.baselines import LabelledScan

SPACING = (1.0, 0.75, 0.75)
RADII_MM = (0.9, 1.2, 1.6, 2.2, 3.0, 0.9, 1.2)


def made_scan(seed: int, shape: tuple[int, int, int] = (32, 56, 56)) -> LabelledScan:
    """Vessels oblique to the slices at 40 HU in parenchyma of -860 HU, the chest wall around, noise of 30 HU."""
    rng = np.random.default_rng(seed)
    z, y, x = (axis * step for axis, step in zip(np.indices(shape), SPACING, strict=True))
    hu, labels = np.full(shape, -860.0), np.ones(shape, np.uint8)

    def draw(where: np.ndarray, code: int, value: float) -> None:
        hu[where], labels[where] = value, code

    draw(np.abs(x - 0.3 * y - 20) < 0.5, 6, -620)
    draw((z - 16) ** 2 + (y - 32) ** 2 + (x - 30) ** 2 < 3.0**2, 5, 20)
    ring = np.hypot(y - 12, x - 32)
    draw(ring < 3.5, 4, -100)
    draw(ring < 2.2, 3, -985)
    for radius in RADII_MM:
        middle, lean = rng.uniform(6, 36, 2), rng.uniform(-0.4, 0.4, 2)
        draw(np.hypot(y - middle[0] - lean[0] * z, x - middle[1] - lean[1] * z) < radius, 2, 40)
    outside = np.minimum.reduce([y, x, 41.25 - y, 41.25 - x]) < 3
    draw(outside, 0, 45)
    hu += rng.normal(0, 30, shape)
    return LabelledScan(hu.astype(np.int16), labels, (labels > 0).astype(np.uint8), SPACING)
