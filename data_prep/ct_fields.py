"""The fields that every prepared set of chest CT has, read from files or made up."""

from __future__ import annotations

from shared.prepared import FieldSpec

__all__ = ["CODES", "FIELDS", "POINT_KINDS"]

CODES = {
    "outside": 0, "lung": 1, "vessel": 2, "airway lumen": 3, "airway wall": 4, "nodule": 5, "fissure": 6, "opacity": 7,
}  # fmt: skip
"""Numbers in `labels`."""
POINT_KINDS = {"parenchyma": 0, "vessel": 1, "fissure": 2, "airway wall": 3, "other": 4}
"""Last column of `points`."""


def _listed(codes: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in codes.items())


_GRID = (None, None, None)
FIELDS = (
    FieldSpec("ct", "ragged", "int16", _GRID, "HU", "(z, y, x) towards the head, the back and the left"),
    FieldSpec("labels", "ragged", "uint8", _GRID, "1", f"{_listed(CODES)}; all 0 where unknown"),
    FieldSpec("artery_vein", "ragged", "uint8", _GRID, "1", "1 artery, 2 vein; all 0 where unknown"),
    FieldSpec("lung", "ragged", "uint8", _GRID, "1", "1 in the lungs; all 0 where no mask came with the scan"),
    FieldSpec(
        "points", "ragged", "float32", (None, 5), "1",
        f"z, y, x in voxels, 1 for vessel, kind: {_listed(POINT_KINDS)}; no row where there are none",
    ),
    FieldSpec(
        "centreline", "ragged", "float32", (None, 5), "1",
        "z, y, x in voxels, radius in mm, kind: 1 artery, 2 vein, 3 airway; no row where unknown",
    ),
)  # fmt: skip
"""One item is one scan."""
