"""Lung CT phantoms as a prepared set: the scans on which vessel segmentation is trained."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from data_prep.lung_phantom.phantom import Phantom, render
from shared.errors import ConfigError
from shared.prepared import FieldSpec, PreparedWriter
from shared.progress import counted
from shared.splits import Split

__all__ = ["FIELDS", "grid_of", "phantom_of", "prepare", "write_phantoms"]

FOLDS = 5
_SEEDS_PER_SET = 100_000
_FEWEST_PER_WORKER = 4
_SLICES_MM = ((0.7, 1.3), (1.3, 2.5), (3.0, 5.0))
_SLICE_SHARES = (0.6, 0.32, 0.08)

FIELDS = (
    FieldSpec("ct", "ragged", "int16", (None, None, None), "HU", "(z,y,x): to the head, to the back, to the left"),
    FieldSpec(
        "labels", "ragged", "uint8", (None, None, None), "1",
        "0 outside, 1 lung, 2 vessel, 3 airway lumen, 4 airway wall, 5 nodule, 6 fissure, 7 opacity",
    ),
    FieldSpec("artery_vein", "ragged", "uint8", (None, None, None), "1", "1 artery, 2 vein, where labels say vessel"),
    FieldSpec("lung", "ragged", "uint8", (None, None, None), "1", "1 where labels are above 0"),
    FieldSpec("points", "ragged", "float32", (None, 5), "1", "z, y, x in voxels, vessel or not, kind: none here"),
    FieldSpec(
        "centreline", "ragged", "float32", (None, 5), "1",
        "z, y, x in voxels, radius in mm, kind: 1 artery, 2 vein, 3 airway",
    ),
)  # fmt: skip


def prepare(out: Path, items: int = 100, seed: int = 0) -> None:
    """Write a prepared set of phantoms on grids like those of clinical scans; see `write_phantoms`."""
    write_phantoms(out, items, seed)


def write_phantoms(
    out: Path, items: int, seed: int, *, shape: tuple[int, int, int] | None = None, workers: int | None = None
) -> None:
    """Write a prepared set of phantoms, one person each.

    Phantom k of seed s is the same in every set, and no other set has it.

    Args:
        out: folder to create.
        items: how many.
        seed: of the set, 0 to 9999.
        shape: voxels (z,y,x) of every phantom; None: about 110 x 165 x 140 mm, so about 5 million voxels.
        workers: processes; None: one per processor, as long as each has a few phantoms to make.

    Raises:
        ConfigError: `out` is not empty, or fewer items than folds are asked for.
    """
    if items < FOLDS:
        raise ConfigError(f"A synthetic set of {items} phantoms was asked for; expected at least {FOLDS}, one a fold.")
    numbers = [seed * _SEEDS_PER_SET + item for item in range(items)]
    patients = [f"phantom {number:05d}" for number in numbers]
    with PreparedWriter(
        out, name="pulmonary_vessel", title="Lung CT phantoms with artery, vein and airway trees",
        source=f"phantoms generated from seed {seed}", licence="CC0-1.0", groups=("patient",), synthetic=True,
        created_by=__name__,
    ) as writer:  # fmt: skip
        for field in FIELDS:
            writer.declare(field)
        made = _rendered(numbers, shape, workers)
        for patient, phantom in zip(counted(patients, "phantoms"), made, strict=True):
            writer.add(_fields(phantom), **_columns(phantom, patient))
        assignment: dict[str, int | str] = {patient: k % FOLDS for k, patient in enumerate(patients)}
        writer.add_split(Split("folds", "patient", assignment, "phantoms in turn"))


def phantom_of(number: int, shape: tuple[int, int, int] | None = None) -> Phantom:
    """The phantom of a number, on its own grid or on one of another shape."""
    usual, spacing = grid_of(number)
    return render(number, shape or usual, spacing)


def grid_of(number: int) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape and spacing (z,y,x), in mm, like those of clinical scans: mostly thin slices, some of 3 to 5 mm."""
    rng = np.random.default_rng((number, 1))
    low, high = _SLICES_MM[rng.choice(len(_SLICES_MM), p=_SLICE_SHARES)]
    spacing = (round(rng.uniform(low, high), 3), *(2 * (round(rng.uniform(0.58, 0.88), 3),)))
    z, y, x = (round(mm / s) for mm, s in zip(rng.uniform((98, 145, 120), (125, 185, 160)), spacing, strict=True))
    return (z, y, x), spacing


def _rendered(numbers: list[int], shape: tuple[int, int, int] | None, workers: int | None) -> Iterator[Phantom]:
    """In order; from several processes where that is worth it."""
    if workers is None:
        free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = min(free, len(numbers) // _FEWEST_PER_WORKER)
    shapes = itertools.repeat(shape)
    if workers < 2:
        yield from map(phantom_of, numbers, shapes)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(phantom_of, numbers, shapes)


def _fields(phantom: Phantom) -> dict[str, np.ndarray]:
    return {
        "ct": phantom.ct,
        "labels": phantom.labels,
        "artery_vein": phantom.artery_vein,
        "lung": (phantom.labels > 0).astype(np.uint8),
        "points": np.zeros((0, 5), np.float32),
        "centreline": phantom.centreline,
    }


def _columns(phantom: Phantom, patient: str) -> dict[str, str | float | bool]:
    z, y, x = phantom.spacing
    return {
        "item": patient,
        "patient": patient,
        "origin": "phantom",
        "contrast": str(phantom.facts["contrast"]),
        "spacing_z": z,
        "spacing_y": y,
        "spacing_x": x,
        "section_mm": float(phantom.facts["section_mm"]),
        "noise_hu": float(phantom.facts["noise_hu"]),
        "labelled": True,
        "pair": "",
    }
