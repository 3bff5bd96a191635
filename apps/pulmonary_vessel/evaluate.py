"""Scored scans as a table: what is counted of each at each threshold, and what is measured on the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.pulmonary_vessel.cleaning import vessel_mask
from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from apps.pulmonary_vessel.data import PreparedScan
from apps.pulmonary_vessel.error_picture import picture_name, write_error_picture
from apps.pulmonary_vessel.measures.agreement import agreement
from apps.pulmonary_vessel.measures.counts import KINDS, Reference
from apps.pulmonary_vessel.measures.points import POINT_KINDS, point_table
from apps.pulmonary_vessel.measures.scores import SCORES, best_threshold
from shared.atomic import atomic_path
from shared.metrics import Metric
from shared.table import Table, concatenate, take

__all__ = [
    "CHOICE",
    "LIMITS",
    "METRICS",
    "PUBLISHED",
    "REPORTED",
    "Scoring",
    "chosen_threshold",
    "point_column",
    "scored",
]

METRICS: tuple[Metric, ...] = SCORES
"""Of scans whose every voxel is labelled, inside the lung."""

CHOICE = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds that a model's own is chosen from."""
REPORTED = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Thresholds at which voxels are counted, beside the model's own."""

LIMITS = (
    "Vessels are found inside the lungs only: hilum and mediastinum are not segmented.",
    "The weights were trained on phantoms, made-up scans with exact labels, not on scans of patients.",
    "Where a lung is consolidated, or its mask leaves something out, the vessels there are missed.",
    "Not a medical device: no reader study was done.",
)

Probability = Callable[[npt.NDArray[Any], tuple[float, float, float], npt.NDArray[Any]], npt.NDArray[np.float32]]
"""(HU, spacing, lung) -> probability of vessel: a network or a classical model."""
Columns = dict[str, npt.NDArray[np.generic]]

_NAMES = ("item", "patient", "origin", "contrast", "section_mm", "noise_hu", "spacing_z", "pair")
_VOXELS = ("tp", "fp", "fn", "tn", *(f"{part}_{kind}" for kind in KINDS for part in ("of", "marked")))
_LINES = tuple(f"centreline{part}{end}" for part in ("", "_0_1", "_1_2", "_2_up") for end in ("", "_found"))
_SHAPES = (
    *_LINES, "skeleton", "skeleton_true", "surface", "surface_near", "marked_surface", "marked_surface_near",
    "hd95_mm", "components", "largest_component",
)  # fmt: skip
COUNTS = (*_VOXELS, *_SHAPES)
"""Columns of `measures.counts` that scores are made of."""
PUBLISHED = ("origin", "contrast", "section_mm", "noise_hu", "threshold", *COUNTS)
"""Columns of the out-of-fold predictions that the metrics need, and what kind of scan it was."""


def point_column(kind: str, part: str = "") -> str:
    """Name of the column with the points of a kind, or with those of them that were marked (part "_marked")."""
    return f"points_{kind.replace(' ', '_')}{part}"


_POINTS = (
    "points", "points_right", "point_pairs", "point_pairs_right",
    *(point_column(kind, part) for kind in POINT_KINDS for part in ("", "_marked")),
)  # fmt: skip
_PAIR = ("pair_tp", "pair_fp", "pair_fn")


@dataclass
class Scoring:
    """A model with its threshold, asked about scan after scan."""

    probability: Probability
    threshold: float
    """Its own."""
    cleaning: CleaningConfig
    thresholds: tuple[float, ...] = REPORTED
    """At which voxels are counted too."""
    shapes: bool = True
    """Whether skeletons, surfaces and pieces are counted at its own threshold."""
    outputs: Path | None = None
    """Folder for a picture of the errors on each labelled scan; None: no pictures."""
    keep_maps: bool = False
    """Whether probabilities are kept there too."""
    _partners: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)

    def table(self, scans: Iterable[PreparedScan]) -> Table:
        """One row for each scan and threshold; `chosen` tells the model's own. What is not known of a scan is NaN.

        Columns: names and facts of the scan; `truth`; `threshold`; the voxels, centreline points, surface points and
        pieces of `measures.counts`; of sparse points, how many, how many were called rightly, of each kind how many and
        how many were marked, and of the pairs of a vessel's point and another how many were ranked rightly; of the
        second scan of a pair, voxels marked in both, here only and there only.
        """
        return concatenate([self._rows(scan) for scan in scans])

    def _rows(self, scan: PreparedScan) -> Columns:
        found = self.probability(scan.hu, scan.spacing, scan.lung)
        reference = Reference(scan.labels, scan.spacing)
        known = scan.truth != "none" or len(scan.points) > 0
        own = float(self.threshold)
        rows = []
        for threshold in sorted({own, *(self.thresholds if known else ())}):
            mask = vessel_mask(found, scan.lung, threshold, scan.voxel_mm3, self.cleaning)
            row = {"threshold": threshold, "chosen": threshold == own}
            row |= _counted(scan, reference, mask, self.shapes and threshold == own)
            row |= _points(scan, found, mask) | dict.fromkeys(_PAIR, np.nan)
            if threshold == own:
                row |= self._pair(scan, mask)
                self._keep(scan, found, mask)
            rows.append(row)
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        facts = {**{name: scan.facts[name] for name in _NAMES}, "truth": scan.truth}
        named = {name: _constant(value, len(rows)) for name, value in facts.items()}
        return {**named, **columns}

    def _pair(self, scan: PreparedScan, mask: npt.NDArray[np.uint8]) -> dict[str, float]:
        """What the mask and that of the scan's partner, the first of the two, agree on."""
        pair = str(scan.facts["pair"] or "")
        if not pair:
            return {}
        if pair not in self._partners:
            self._partners[pair] = mask
            return {}
        first = self._partners[pair]
        if first.shape != mask.shape:
            return {}
        counts = agreement(first, mask, scan.lung, scan.spacing)
        return {f"pair_{name}": float(counts[name][0]) for name in ("tp", "fp", "fn")}

    def _keep(self, scan: PreparedScan, found: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> None:
        if self.outputs is None:
            return
        picture = self.outputs / picture_name(str(scan.facts["item"]))
        if scan.truth != "none":
            write_error_picture(picture, scan, mask)
        if self.keep_maps:
            with atomic_path(picture.with_suffix(".npz")) as path, path.open("wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, probability=found.astype(np.float16))


def _constant(value: Any, count: int) -> npt.NDArray[np.generic]:
    return np.full(count, value, dtype=object if isinstance(value, str) else np.float64)


def _counted(scan: PreparedScan, reference: Reference, mask: npt.NDArray[np.uint8], shapes: bool) -> dict[str, float]:
    if scan.truth == "none":
        return dict.fromkeys(COUNTS, np.nan)
    counts = reference.compare(mask, (1.0,), (1.0,) if shapes else ())
    return {name: float(counts[name][0]) for name in COUNTS}


def _points(scan: PreparedScan, found: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Counts of sparse points; decisions are those of the finished mask."""
    if not len(scan.points):
        return dict.fromkeys(_POINTS, np.nan)
    ranked, decided = point_table(found, scan.points, 0.5), point_table(mask, scan.points, 0.5)
    vessel, called, kind = decided["target"] == 1, decided["decision"] == 1, decided["kind"]
    above = ranked["probability"][vessel][:, None] - ranked["probability"][~vessel]
    row = {
        "points": len(vessel),
        "points_right": np.count_nonzero(vessel == called),
        "point_pairs": above.size,
        "point_pairs_right": np.count_nonzero(above > 0) + np.count_nonzero(above == 0) / 2,
    }
    for name in POINT_KINDS:
        row |= {
            point_column(name): np.count_nonzero(kind == name),
            point_column(name, "_marked"): np.count_nonzero((kind == name) & called),
        }
    return {name: float(value) for name, value in row.items()}


def chosen_threshold(table: Table) -> float:
    """The threshold with the best mean Dice of those at which every scan of the table was counted."""
    known = take(table, table["truth"] == "labels")
    steps, counts = np.unique(known["threshold"], return_counts=True)
    return best_threshold(take(known, np.isin(known["threshold"], steps[counts == counts.max()])))


def scored(table: Table) -> Table:
    """The rows at each model's own threshold; counts against labels that a rule made are blanked."""
    rows = take(table, table["chosen"].astype(bool))
    by_rule = rows["truth"] != "labels"
    return {name: np.where(by_rule, np.nan, column) if name in COUNTS else column for name, column in rows.items()}
