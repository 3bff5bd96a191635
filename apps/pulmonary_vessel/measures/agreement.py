"""How well two answers to one acquisition agree, as with two reconstruction kernels: no truth is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from apps.pulmonary_vessel.measures.counts import VESSEL, Reference
from apps.pulmonary_vessel.measures.scores import mean_over_scans
from shared.metrics import Metric
from shared.metrics.dense import MEAN_DICE

__all__ = ["AGREEMENT_SCORES", "VOLUME_DIFFERENCE", "agreement"]

Columns = dict[str, npt.NDArray[np.generic]]


def agreement(
    one: npt.NDArray[Any], other: npt.NDArray[Any], lung: npt.NDArray[Any], spacing: tuple[float, float, float]
) -> Columns:
    """One row of voxel counts of a pair, the first of them in the place of the truth (`measures.counts`).

    Args:
        one: (z, y, x) mask, 0 or 1.
        other: the same grid.
        lung: the same grid, non-zero where voxels count.
        spacing: mm along z, y, x.
    """
    labels = np.where(np.asarray(lung) != 0, np.where(np.asarray(one) != 0, VESSEL, 1), 0).astype(np.uint8)
    return Reference(labels, spacing).compare(np.asarray(other) != 0, (1.0,), ())


VOLUME_DIFFERENCE = Metric(
    "vessel volumes differ by",
    mean_over_scans(("tp", "fp", "fn"), lambda tp, fp, fn: np.abs(fp - fn) / (tp + np.minimum(fp, fn))),
    higher_is_better=False,
    percent=True,
    description="Difference of the two volumes as a share of the smaller one.",
)
AGREEMENT_SCORES = (MEAN_DICE, VOLUME_DIFFERENCE)
"""Scores of tables of pairs."""
