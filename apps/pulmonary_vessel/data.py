"""Prepared scans as they are learnt from and scored; `grid` holds what brings any scan to the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from apps.pulmonary_vessel.baselines import LabelledScan
from apps.pulmonary_vessel.lung_mask import find_lungs
from shared.errors import ConfigError, InputError
from shared.prepared import PreparedSet

__all__ = ["FIELDS", "PreparedScan", "Truth", "check_set", "held_back", "labelled_scans", "read_scans"]

FIELDS = ("ct", "labels", "lung", "points")
COLUMNS = ("item", "patient", "origin", "contrast", "section_mm", "noise_hu", "labelled", "pair")
UNLABELLED, LUNG = 0, 1
LARGEST_SHARE = 3
"""At most a third of the patients are held back."""

Rows = npt.NDArray[np.integer[Any]]
Truth = Literal["labels", "silver", "none"]
"""Whether each voxel's code is known, was made by a rule, or is unknown."""


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """One scan with what is known of it, on axes towards head, back and left."""

    hu: npt.NDArray[np.int16]
    """(z, y, x) HU."""
    lung: npt.NDArray[np.uint8]
    """The same grid, above 0 in the lung: as it came with the scan, or found."""
    labels: npt.NDArray[np.uint8]
    """The same grid, codes; all 0 where the truth is "none"."""
    truth: Truth
    points: npt.NDArray[np.float32]
    """(n, 5): z, y, x in voxels, 1 for vessel, kind."""
    spacing: tuple[float, float, float]
    """mm along z, y, x."""
    facts: Mapping[str, Any]
    """Columns of the index that tell which scan it is."""

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing))


def check_set(prepared: PreparedSet) -> None:
    """Raise InputError where a set is none of chest CT."""
    missing = [name for name in FIELDS if name not in [spec.name for spec in prepared.manifest.fields]]
    missing += [name for name in COLUMNS if name not in prepared.index]
    if missing:
        raise InputError(
            f"{prepared.manifest.name!r} is no set of chest CT: it lacks {', '.join(missing)}. Prepare one with "
            "`python -m data_prep prepare pulmonary_vessel SCANS --out DIR`."
        )


def read_scans(prepared: PreparedSet, rows: Iterable[int]) -> Iterator[PreparedScan]:
    """The scans of some rows, one at a time."""
    return (_read(prepared, int(row)) for row in rows)


def _read(prepared: PreparedSet, row: int) -> PreparedScan:
    index = prepared.index
    hu, labels, lung = (np.asarray(prepared.read(name, row)) for name in ("ct", "labels", "lung"))
    spacing = (float(index["spacing_z"][row]), float(index["spacing_y"][row]), float(index["spacing_x"][row]))
    if not lung.any():
        lung = find_lungs(hu, spacing).mask
        if labels.any() and lung.any():  # vessels alone are known: what lies in the lung is scored
            labels = np.where(lung > 0, np.maximum(labels, LUNG), UNLABELLED).astype(np.uint8)
    truth: Truth = "labels" if index["labelled"][row] else ("silver" if labels.any() else "none")
    facts = {name: index[name][row] for name in COLUMNS if name != "labelled"}
    points = np.asarray(prepared.read("points", row))
    return PreparedScan(hu, lung, labels, truth, points, spacing, {**facts, "spacing_z": spacing[0]})


def labelled_scans(prepared: PreparedSet, rows: Iterable[int]) -> Iterator[LabelledScan]:
    """The scans of some rows for a classical model. Raises InputError where one has no labels."""
    for scan in read_scans(prepared, rows):
        if scan.truth != "labels":
            raise InputError(f"{scan.facts['item']!r} has no labels to learn from: leave it out of the split.")
        yield LabelledScan(scan.hu, scan.labels, scan.lung, scan.spacing)


def held_back(prepared: PreparedSet, rows: Rows, wanted: int) -> npt.NDArray[np.bool_]:
    """Which of the rows belong to patients that nothing learns from; the same ones whatever the seed.

    Args:
        prepared: a set of chest CT.
        rows: training rows.
        wanted: patients; a third of all where these are fewer than three times as many.

    Returns:
        (rows,) true for those held back: patients evenly spread over the set.

    Raises:
        ConfigError: there is one patient, of whom nothing can be held back.
    """
    patients = prepared.index["patient"][rows].astype(str)
    names = np.unique(patients)
    if len(names) < 2:
        raise ConfigError(
            f"The training rows are of {len(names)} patient; a threshold is chosen on patients that nothing learns "
            "from: give at least two, or name validation rows with --split.validation."
        )
    count = min(wanted, max(1, len(names) // LARGEST_SHARE))
    places = np.linspace(0, len(names), count, endpoint=False) + len(names) / (2 * count)
    return np.isin(patients, names[places.astype(int)])
