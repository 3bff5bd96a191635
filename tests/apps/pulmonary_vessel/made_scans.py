"""A prepared set of small scans with tubes in them, for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.prepared import FieldSpec, PreparedSet, PreparedWriter
from shared.splits import Split

SHAPE = (24, 40, 40)


def tubes(seed: int, shape: tuple[int, int, int] = SHAPE) -> dict[str, np.ndarray]:
    """Straight vessels (even ones arteries) along z in a lung with a margin, an airway beside the first."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices(shape)
    lung = (np.minimum.reduce([y, x, shape[1] - 1 - y, shape[2] - 1 - x]) >= 4).astype(np.uint8)
    labels, artery_vein = lung.copy(), np.zeros(shape, np.uint8)
    for number in range(6):
        middle = rng.uniform(8, np.array(shape[1:]) - 8)
        distance = np.hypot(y - middle[0] - 0.1 * z, x - middle[1])
        inside = (distance <= rng.uniform(0.8, 2.5)) & (lung > 0)
        labels[inside], artery_vein[inside] = 2, 1 + number % 2
    ring = np.hypot(y - 12, x - 28)
    wall = (ring <= 4) & (ring > 2)
    labels[wall], labels[ring <= 2] = 4, 3
    artery_vein[(wall | (ring <= 2))] = 0
    means = np.array([40, -860, 45, -990, 0, 0, 0, -100])
    ct = means[labels] + rng.normal(0, 25, shape)
    return {"ct": ct.astype(np.int16), "labels": labels, "artery_vein": artery_vein, "lung": lung}


def prepared(
    folder: Path,
    n: int = 3,
    *,
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = (1.0, 0.75, 0.75),
    labelled: bool = True,
) -> PreparedSet:
    """`n` scans of patients "phantom 0", "phantom 1" ..."""
    facts = {"name": "tubes", "title": "Tubes", "source": "made", "licence": "none", "groups": ("patient",)}
    with PreparedWriter(folder, **facts, synthetic=True) as writer:
        for field, dtype in (("ct", "int16"), ("labels", "uint8"), ("artery_vein", "uint8"), ("lung", "uint8")):
            unit = "HU" if field == "ct" else "code"
            writer.declare(FieldSpec(field, "ragged", dtype, (None, None, None), unit, field))
        for number in range(n):
            columns = {f"spacing_{axis}": value for axis, value in zip("zyx", spacing, strict=True)}
            patient = f"phantom {number}"
            writer.add(tubes(number, shape), item=patient, patient=patient, labelled=labelled, **columns)
        writer.add_split(Split("folds", "patient", {f"phantom {number}": number for number in range(n)}))
    return PreparedSet(folder)
