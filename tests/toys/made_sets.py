"""Made-up prepared sets for the toys, each from a seed; for the apps themselves `data_prep.synth` does this."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shared.prepared import Column, FieldSpec, PreparedWriter
from shared.splits import Split

__all__ = ["clicks", "rectangles", "volumes"]

ORIGIN = {"source": "drawn from a seed", "licence": "CC0-1.0", "synthetic": True}
Item = tuple[Mapping[str, Any], Mapping[str, str]]


def rectangles(folder: Path) -> None:
    """24 pictures of 8 scenes, each with 0 to 3 rectangles."""
    fields = (
        FieldSpec("picture", "array", "float32", (24, 24), "1"),
        FieldSpec("boxes", "ragged", "float32", (None, 4), "px"),
        FieldSpec("labels", "ragged", "int64", (None,), "1"),
    )
    _write(folder, "rectangles", "scene", fields, map(_picture, range(24)))


def _picture(number: int) -> Item:
    rng = np.random.default_rng(number)
    pixels = rng.normal(0, 0.1, (24, 24)).astype(np.float32)
    corners = rng.integers(0, 15, (number % 4, 2))
    boxes = np.hstack([corners, corners + rng.integers(4, 9, corners.shape)])
    for x1, y1, x2, y2 in boxes:
        pixels[y1:y2, x1:x2] += 1
    values = {"picture": pixels, "boxes": boxes.astype(np.float32), "labels": np.zeros(len(boxes), np.int64)}
    return values, {"image": f"i{number:02d}", "scene": f"scene {number % 8}"}


def volumes(folder: Path) -> None:
    """12 scans of 4 patients, of differing shapes, each with one blob; the scans are files, the masks on their grid."""
    fields = (FieldSpec("scan", "file"), FieldSpec("mask", "ragged", "uint8", (None, None, None), "1"))
    with tempfile.TemporaryDirectory() as scans:
        _write(folder, "blobs", "patient", fields, (_scan(number, Path(scans)) for number in range(12)))


def _scan(number: int, folder: Path) -> Item:
    rng = np.random.default_rng(number)
    shape = rng.integers(6, 12, 3)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    mask = np.linalg.norm(places - shape / 2, axis=-1) < rng.uniform(1.5, 3)
    path = folder / f"v{number:02d}.npy"
    np.save(path, (mask + rng.normal(0, 0.2, shape)).astype(np.float32))
    return {"scan": path, "mask": mask.astype(np.uint8)}, {"item": path.stem, "patient": f"patient {number % 4}"}


def _write(folder: Path, name: str, group: str, fields: Iterable[FieldSpec], items: Iterable[Item]) -> None:
    """Write items with the split "folds", which deals the values of the group's column in turn."""
    dealt: dict[str, int | str] = {}
    with PreparedWriter(folder, name=name, title=f"Made-up {name}", groups=(group,), **ORIGIN) as writer:
        for spec in fields:
            writer.declare(spec)
        for values, columns in items:
            dealt.setdefault(columns[group], len(dealt) % 2)
            writer.add(values, **columns)
        writer.add_split(Split("folds", group, dealt, f"{group}s in turn"))


def clicks(folder: Path) -> None:
    """2000 impressions of 40 users on 4 days: a table without items, split by the day."""
    rng = np.random.default_rng(0)
    user, ad = rng.integers(0, 40, 2000), rng.integers(0, 20, 2000)
    columns = {
        "day": np.sort(rng.integers(0, 4, 2000)),
        "user": user,
        "ad": ad,
        "click": (rng.uniform(size=2000) < 0.1 + 0.4 * (user % 2) + 0.4 * (ad % 2)).astype(np.int64),
    }
    schema = [
        Column("day", "integer", "time"),
        Column("user", "category", "user"),
        Column("ad", "category", "item"),
        Column("click", "integer", "label"),
    ]
    with PreparedWriter(folder, name="clicks", title="Made-up clicks", groups=("day",), **ORIGIN) as writer:
        writer.table("log", schema, rows_per_group=100).write(pa.table(columns))
        writer.add_split(Split("folds", "day", {str(day): day % 2 for day in range(4)}, "days in turn"))
