"""What one scan adds to the prediction table: counts of voxels, centreline points, surface points and components.

Everything is counted inside the lung as labelled (code above 0): beyond it the hilum of a plain CT shows no vessels.
A row belongs to one threshold. Its columns:

* `region` ("lung"), `threshold`, `voxel_mm3`;
* `tp`, `fp`, `fn`, `tn`: voxels;
* `of_KIND`, `marked_KIND` for the kinds of `KINDS`: voxels of that kind, and how many of them were called vessel;
* `centreline`, `centreline_found`, and the same with a radius ("centreline_0_1" ...): points of the true skeleton, and
  how many of them were marked; `skeleton`, `skeleton_true`: points of the marked skeleton, and how many lie in vessels;
* `surface`, `surface_near`, `marked_surface`, `marked_surface_near`: surface voxels of truth and of marks, and how many
  have the other's within `NEAR_MM`; `hd95_mm`: the 95th percentile of those distances, the larger of both directions;
* `components`, `largest_component`: connected (26) marks and the voxels of the largest.

The last three items are NaN at thresholds they were not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import generate_binary_structure, label
from scipy.spatial import cKDTree

from apps.pulmonary_vessel.measures.grids import Mask, Points, bounding_box, isotropic, radii_mm, skeleton, surface_mm
from shared.errors import InputError

__all__ = ["KINDS", "NEAR_MM", "RADIUS_BINS", "REGION", "VESSEL", "Reference", "counts"]

Spacing = tuple[float, float, float]
Columns = dict[str, npt.NDArray[np.generic]]

REGION = "lung"
"""Where voxels are counted: label above 0."""
VESSEL = 2
KINDS = {"parenchyma": 1, "airway_lumen": 3, "airway_wall": 4, "nodule": 5, "fissure": 6, "opacity": 7}
"""What else a voxel of the lung can be, and its code in a label volume."""
RADIUS_BINS = {"0_1": (0.0, 1.0), "1_2": (1.0, 2.0), "2_up": (2.0, np.inf)}
"""Radii of centreline points in mm: above the first, up to and with the second."""
NEAR_MM = 1.0
"""Distance within which surfaces count as the same."""


def counts(
    prediction: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    spacing: Spacing,
    thresholds: Sequence[float],
    shapes_at: Sequence[float] | None = None,
) -> Columns:
    """Count one scan at several thresholds.

    Args:
        prediction: (z, y, x) probability of vessel, or a mask of 0 and 1.
        labels: the same grid, codes of `KINDS`, 0 outside the lung, 2 vessel.
        spacing: mm along z, y, x.
        thresholds: a voxel is marked where its probability reaches them.
        shapes_at: those of them at which centrelines, surfaces and components are counted, which takes seconds each;
            None: all.

    Returns:
        One row per threshold, columns as the module describes.

    Raises:
        InputError: the grids differ, or no voxel is lung.
    """
    return Reference(np.asarray(labels), spacing).compare(prediction, thresholds, shapes_at)


@dataclass(frozen=True, eq=False)
class Reference:
    """The truth of one scan, whose skeleton and surface serve every prediction it is compared with."""

    labels: npt.NDArray[Any]
    """(z, y, x) codes."""
    spacing: Spacing
    """mm along z, y, x."""

    def compare(
        self, prediction: npt.NDArray[Any], thresholds: Sequence[float], shapes_at: Sequence[float] | None = None
    ) -> Columns:
        """Count a prediction; see `counts`."""
        if np.shape(prediction) != self.labels.shape or self.labels.ndim != 3:
            raise InputError(
                f"Prediction and labels need one grid z, y, x; found {np.shape(prediction)} and {self.labels.shape}."
            )
        if not self._region.size:
            raise InputError("The labels hold no lung (no code above 0), so there is nothing to score.")
        answer = np.asarray(prediction)[self._box]
        answer = answer if np.issubdtype(answer.dtype, np.floating) else answer.astype(np.float32)
        wanted = set(thresholds if shapes_at is None else shapes_at)
        rows = []
        for threshold, voxels in zip(thresholds, self._voxels(answer, thresholds), strict=True):
            shapes = dict.fromkeys(_SHAPES, np.nan)
            if threshold in wanted:
                shapes = self._shapes((answer >= answer.dtype.type(threshold)) & self._region)
            rows.append({"threshold": threshold, **voxels, **shapes})
        columns: Columns = {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
        regions = np.full(len(rows), REGION, dtype=object)
        return {"region": regions, "voxel_mm3": np.full(len(rows), np.prod(self.spacing)), **columns}

    @cached_property
    def _box(self) -> tuple[slice, ...]:
        """Around the lung; all that follows is on its grid."""
        return bounding_box(self.labels > 0)

    @cached_property
    def _region(self) -> Mask:
        return self.labels[self._box] > 0

    @cached_property
    def _vessel(self) -> Mask:
        return self.labels[self._box] == VESSEL

    @cached_property
    def _cubes(self) -> Mask:
        return isotropic(self._vessel, self.spacing)

    @cached_property
    def _centreline(self) -> tuple[Mask, Points]:
        """The true skeleton on cubes, and the radius in mm at each of its points."""
        line = skeleton(self._cubes)
        return line, radii_mm(self._cubes, min(self.spacing), line)

    @cached_property
    def _surface(self) -> Points:
        return surface_mm(self._vessel, self.spacing)

    def _voxels(self, answer: npt.NDArray[Any], thresholds: Sequence[float]) -> list[dict[str, float]]:
        """Voxel counts at each threshold from one pass: how many thresholds each voxel reaches, by its code."""
        limits = np.asarray(thresholds, answer.dtype)  # compared as the voxels are kept, or 0.7 would not reach 0.7
        steps = np.sort(limits)
        codes = self.labels[self._box][self._region].astype(np.int64)
        reached = np.searchsorted(steps, answer[self._region], side="right")
        n_codes, n_steps = 1 + max(int(codes.max(initial=0)), *KINDS.values()), len(steps) + 1
        table = np.bincount(codes * n_steps + reached, minlength=n_codes * n_steps).reshape(n_codes, n_steps)
        whole = table.sum(axis=1)
        rows = []
        for limit in limits:
            marked = table[:, np.searchsorted(steps, limit) + 1 :].sum(axis=1)
            tp, fn, fp = marked[VESSEL], whole[VESSEL] - marked[VESSEL], marked.sum() - marked[VESSEL]
            row = {"tp": tp, "fp": fp, "fn": fn, "tn": whole.sum() - tp - fp - fn}
            row |= {f"of_{kind}": whole[code] for kind, code in KINDS.items()}
            rows.append(row | {f"marked_{kind}": marked[code] for kind, code in KINDS.items()})
        return rows

    def _shapes(self, marked: Mask) -> dict[str, float]:
        return self._lines(marked) | self._surfaces(marked) | _components(marked)

    def _lines(self, marked: Mask) -> dict[str, float]:
        line, radius = self._centreline
        cubes = isotropic(marked, self.spacing)
        found, thin = cubes[line], skeleton(cubes)
        row: dict[str, float] = {"centreline": len(radius), "centreline_found": int(found.sum())}
        for name, (above, up_to) in RADIUS_BINS.items():
            of_size = (radius > above) & (radius <= up_to)
            row |= {f"centreline_{name}": int(of_size.sum()), f"centreline_{name}_found": int(found[of_size].sum())}
        return row | {"skeleton": int(thin.sum()), "skeleton_true": int(self._cubes[thin].sum())}

    def _surfaces(self, marked: Mask) -> dict[str, float]:
        ours, truth = surface_mm(marked, self.spacing), self._surface
        there, back = _distances(truth, ours), _distances(ours, truth)
        both = len(ours) and len(truth)
        return {
            "surface": len(truth),
            "surface_near": int((there <= NEAR_MM).sum()),
            "marked_surface": len(ours),
            "marked_surface_near": int((back <= NEAR_MM).sum()),
            "hd95_mm": float(max(np.percentile(there, 95), np.percentile(back, 95))) if both else float("nan"),
        }


def _distances(points: Points, others: Points) -> Points:
    """From each point to the nearest of the others, in mm; infinite where there are none."""
    if not (len(points) and len(others)):
        return np.full(len(points), np.inf)
    return np.asarray(cKDTree(others).query(points)[0], np.float64)


def _components(marked: Mask) -> dict[str, float]:
    numbered, count = label(marked, generate_binary_structure(3, 3))
    return {"components": count, "largest_component": int(np.bincount(numbered[marked], minlength=1).max())}


_SHAPES = (
    "centreline", "centreline_found",
    *(f"centreline_{name}{part}" for name in RADIUS_BINS for part in ("", "_found")),
    "skeleton", "skeleton_true",
    "surface", "surface_near", "marked_surface", "marked_surface_near", "hd95_mm",
    "components", "largest_component",
)  # fmt: skip
"""Columns that are not counts of voxels."""
