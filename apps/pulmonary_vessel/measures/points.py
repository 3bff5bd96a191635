"""Scores at sparse points: a reader said of single voxels whether they are vessel, and what else they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.metrics import Metric, Weights
from shared.metrics.binary import ACCURACY, AUC
from shared.metrics.weighted import ratio
from shared.table import Table, require

__all__ = ["POINT_KINDS", "POINT_SCORES", "point_table"]

POINT_KINDS = ("parenchyma", "vessel", "fissure", "airway wall", "other")
"""What a point can be, in the order of the codes."""
Columns = dict[str, npt.NDArray[np.generic]]


def point_table(probability: npt.NDArray[Any], points: npt.NDArray[Any], threshold: float) -> Columns:
    """One row per point.

    Args:
        probability: (z, y, x) probability of vessel, or a mask.
        points: (n, 5) index along z, y, x, 1 for vessel or 0, code of `POINT_KINDS`.
        threshold: a point is called vessel where its probability reaches it.

    Returns:
        Columns `target`, `probability`, `decision`, `kind`, as `shared.metrics.binary` takes them.

    Raises:
        InputError: points have other columns, lie outside the scan, or have an unknown code.
    """
    rows = np.asarray(points)
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise InputError(f"Points are rows of z, y, x, is_vessel, kind; found an array of shape {rows.shape}.")
    index, kind = np.rint(rows[:, :3]).astype(np.int64), rows[:, 4].astype(np.int64)
    if np.any((index < 0) | (index >= np.shape(probability))):
        raise InputError(f"A point lies outside the scan of {np.shape(probability)} voxels: are its axes z, y, x?")
    if np.any((kind < 0) | (kind >= len(POINT_KINDS))):
        raise InputError(f"The kind of a point is a code from 0 to {len(POINT_KINDS) - 1}: {', '.join(POINT_KINDS)}.")
    values = np.asarray(probability)[tuple(index.T)].astype(np.float64)
    return {
        "target": (rows[:, 3] > 0).astype(np.int8),
        "probability": values,
        "decision": (values >= threshold).astype(np.int8),
        "kind": np.array(POINT_KINDS, dtype=object)[kind],
    }


def _called_vessel(kind: str) -> Metric:
    def share(table: Table, weights: Weights) -> float:
        require(table, "kind", "decision")
        of_kind = table["kind"] == kind
        return ratio(weights @ (of_kind & (table["decision"] == 1)), weights @ of_kind)

    return Metric(
        f"{kind} points called vessel",
        share,
        higher_is_better=kind == "vessel",
        percent=True,
        description=f"Share of the {kind} points that were called vessel.",
    )


POINT_SCORES = (AUC, ACCURACY, *(_called_vessel(kind) for kind in POINT_KINDS[:4]))
"""Scores of tables of points; name the number of points beside them."""
