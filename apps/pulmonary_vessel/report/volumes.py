"""Vessel volumes by calibre of each lung, as numbers for JSON and as tables for the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.pulmonary_vessel.report.calibre import CALIBRES, LIMITS_MM2, METHOD, THICK_SECTION_MM, Calibre
from apps.pulmonary_vessel.report.centreline import FloatArray, Spacing
from apps.pulmonary_vessel.report.thinning import BoolArray
from shared.report import ReportTable

__all__ = ["BOTH", "RADIUS_EDGES_MM", "RegionVolumes", "VesselVolumes", "lung_names", "measure_volumes"]

BOTH = "both lungs"

RADIUS_EDGES_MM = np.concatenate([np.arange(0, 6.01, 0.25), [np.inf]])
"""Of the histograms. The radius is that of the circle with the branch's cross-section."""


def lung_names(lung: npt.NDArray[np.uint8]) -> dict[int, str]:
    """Names of the labels in a lung mask: 1 right and 2 left, or one label alone, of which the side is not known.

    Args:
        lung: any shape; 0 outside.
    """
    labels = [label for label in (1, 2) if (lung == label).any()]
    if len(labels) == 2:
        return {1: "right lung", 2: "left lung"}
    return dict.fromkeys(labels, "lung field")


@dataclass(frozen=True)
class RegionVolumes:
    """What was measured in one lung, or in both; volumes in mL, of the mask inside the lung field."""

    region: str
    lung_ml: float
    """With all that lies in the lung field."""
    tbv_ml: float
    """Total blood volume: all vessels."""
    bv5_ml: float
    bv5_10_ml: float
    bv10_ml: float
    centreline_m: float
    """Length of all centrelines in metres."""
    components: int
    """Pieces that do not touch, not even at a corner."""
    largest_component: float
    """Share of the vessel volume in the largest piece; 0 without vessels."""
    histogram_ml: tuple[float, ...]
    """Vessel volume by radius, between `RADIUS_EDGES_MM`."""
    histogram_mm: tuple[float, ...]
    """Length of centreline by radius."""

    @property
    def bv5_share(self) -> float:
        """BV5 over TBV; 0 without vessels."""
        return _share(self.bv5_ml, self.tbv_ml)

    @property
    def vessel_share(self) -> float:
        """TBV over the volume of the lung."""
        return _share(self.tbv_ml, self.lung_ml)


@dataclass(frozen=True)
class VesselVolumes:
    """The volumes of a scan with the way they were measured."""

    regions: tuple[RegionVolumes, ...]
    """Each lung, then both where there are two."""
    spacing: Spacing
    """z,y,x in mm."""

    @property
    def caution(self) -> str:
        """What thick slices do to the calibres; empty where they are thin enough."""
        if max(self.spacing) <= THICK_SECTION_MM:
            return ""
        return (
            f"Slices are {max(self.spacing):g} mm apart: vessels under 5 mm2 break up between them and are partly "
            f"counted with wider ones or missed. Compare calibres only with scans of the same spacing; up to "
            f"{THICK_SECTION_MM:g} mm is reliable."
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the last radius edge, infinity, is left out."""
        return {
            "method": METHOD,
            "caution": self.caution,
            "spacing_zyx_mm": list(self.spacing),
            "cross_section_limits_mm2": list(LIMITS_MM2),
            "radius_edges_mm": RADIUS_EDGES_MM[:-1].tolist(),
            "regions": [
                {**asdict(region), "bv5_share": region.bv5_share, "vessel_share": region.vessel_share}
                for region in self.regions
            ],
        }

    def table(self) -> ReportTable:
        """One line for each quantity, one column for each region."""
        columns = [_cells(region) for region in self.regions]
        return ReportTable(
            "Vessel volumes by cross-section",
            ("quantity", *(region.region for region in self.regions)),
            list(zip(_TITLES, *columns, strict=True)),
            f"{METHOD} {self.caution}".strip(),
        )


_TITLES = (
    "TBV, mL",
    *(f"{name}, mL (share of TBV)" for name in CALIBRES),
    "lung field, mL",
    "vessels, % of the lung field",
    "length of centrelines, m",
    "pieces (share of the largest)",
)


def _cells(region: RegionVolumes) -> tuple[str, ...]:
    by_calibre = (region.bv5_ml, region.bv5_10_ml, region.bv10_ml)
    return (
        f"{region.tbv_ml:.1f}",
        *(f"{volume:.1f} ({_share(volume, region.tbv_ml):.0%})" for volume in by_calibre),
        f"{region.lung_ml:.0f}",
        f"{100 * region.vessel_share:.1f}",
        f"{region.centreline_m:.1f}",
        f"{region.components} ({region.largest_component:.0%})",
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def measure_volumes(calibre: Calibre, mask: BoolArray, lung: npt.NDArray[np.uint8], spacing: Spacing) -> VesselVolumes:
    """Volumes by calibre in each lung and in both.

    Args:
        calibre: of the mask.
        mask: (z, y, x) vessels, inside the lung field only.
        lung: same shape, labels as `lung_names` reads them.
        spacing: z,y,x in mm.
    """
    fields = {name: lung == label for label, name in lung_names(lung).items()}
    if len(fields) == 2:
        fields[BOTH] = lung > 0
    voxel_ml = float(np.prod(spacing)) / 1000
    return VesselVolumes(
        tuple(_region(name, calibre.inside(field, mask), field, mask, voxel_ml) for name, field in fields.items()),
        spacing,
    )


def _region(name: str, calibre: Calibre, field: BoolArray, mask: BoolArray, voxel_ml: float) -> RegionVolumes:
    by_class = np.bincount(calibre.classes, minlength=len(CALIBRES) + 1)[1:] * voxel_ml
    pieces = _piece_sizes(field & mask)
    by_radius = _histogram(calibre.area, np.full(len(calibre.area), voxel_ml))
    return RegionVolumes(
        region=name,
        lung_ml=int(field.sum()) * voxel_ml,
        tbv_ml=len(calibre.area) * voxel_ml,
        bv5_ml=float(by_class[0]),
        bv5_10_ml=float(by_class[1]),
        bv10_ml=float(by_class[2]),
        centreline_m=float(calibre.point_length.sum()) / 1000,
        components=len(pieces),
        largest_component=_share(float(pieces.max(initial=0)), float(pieces.sum())),
        histogram_ml=by_radius,
        histogram_mm=_histogram(calibre.point_area, calibre.point_length),
    )


def _piece_sizes(mask: BoolArray) -> npt.NDArray[np.int64]:
    """Voxels of each connected piece."""
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    return np.bincount(labels[mask])[1:].astype(np.int64)


def _histogram(area: FloatArray, amount: FloatArray) -> tuple[float, ...]:
    return tuple(np.histogram(np.sqrt(area / np.pi), RADIUS_EDGES_MM, weights=amount)[0].tolist())
