"""The scores of a prediction table, each a pure function (table, weights) of the columns that `counts` makes.

A table holds one row per scan: keep the rows of one region and one threshold, then measure. Unless its name says
otherwise a score is the mean over the scans in which it is defined, so that every scan counts alike. R is the number of
true vessel voxels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.metrics import Metric, Weights
from shared.metrics.dense import MEAN_DICE
from shared.metrics.weighted import ratio
from shared.table import Table, require, take

__all__ = ["AIRWAY", "CENTRELINE_RECALL", "CLDICE", "SCORES", "best_threshold", "mean_over_scans"]

FloatArray = npt.NDArray[np.float64]
PerScan = Callable[..., FloatArray]


def mean_over_scans(columns: tuple[str, ...], score: PerScan) -> Callable[[Table, Weights], float]:
    """The weighted mean of a score of single scans, over the scans in which it is finite; NaN where there is none.

    Args:
        columns: what the score is made of.
        score: these columns as float64 (n,) -> (n,), not finite where it is undefined.
    """

    def mean(table: Table, weights: Weights) -> float:
        require(table, *columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = score(*(np.asarray(table[name], np.float64) for name in columns))
        defined = np.isfinite(values)
        return ratio(weights[defined] @ values[defined], weights[defined].sum())

    return mean


def _share(part: str, whole: str) -> Callable[[Table, Weights], float]:
    return mean_over_scans((part, whole), np.divide)


def _cldice(skeleton: FloatArray, true: FloatArray, centreline: FloatArray, found: FloatArray) -> FloatArray:
    """The clDice of each scan; 0 where nothing is marked, undefined where there is no vessel."""
    precision = np.divide(true, skeleton, out=np.where(np.isnan(skeleton), np.nan, 0.0), where=skeleton > 0)
    sensitivity = found / centreline
    total = precision + sensitivity
    return np.where(total == 0, 0.0, 2 * precision * sensitivity / total)


def _called_vessel(what: str, *kinds: str) -> Metric:
    columns = (*(f"marked_{kind}" for kind in kinds), *(f"of_{kind}" for kind in kinds))

    def of_scan(*values: FloatArray) -> FloatArray:
        return sum(values[: len(kinds)], np.zeros(1)) / sum(values[len(kinds) :], np.zeros(1))

    return Metric(
        f"{what} called vessel",
        mean_over_scans(columns, of_scan),
        higher_is_better=False,
        percent=True,
        description=f"Share of the {what} voxels of a scan that were marked.",
    )


def _recall(radius: str, suffix: str) -> Metric:
    name = f"centreline{suffix}"
    return Metric(
        f"centreline recall{radius}",
        _share(f"{name}_found", name),
        percent=True,
        description=f"Share of the points of the true vessels' skeleton{radius} that were marked.",
    )


CLDICE = Metric(
    "mean clDice",
    mean_over_scans(("skeleton", "skeleton_true", "centreline", "centreline_found"), _cldice),
    description="Harmonic mean of the share of the marked skeleton that lies in vessels and of the share of the true "
    "skeleton that was marked (Shit et al. 2021), on cubes of the smallest voxel side.",
)
OVER_SEGMENTATION = Metric(
    "over-segmentation",
    mean_over_scans(("fp", "tp", "fn"), lambda fp, tp, fn: fp / (tp + fn + fp)),
    higher_is_better=False,
    percent=True,
    description="FP / (R + FP).",
)
UNDER_SEGMENTATION = Metric(
    "under-segmentation",
    mean_over_scans(("fp", "tp", "fn"), lambda fp, tp, fn: fn / (tp + fn + fp)),
    higher_is_better=False,
    percent=True,
    description="FN / (R + FP).",
)
CENTRELINE_RECALL = (
    _recall("", ""),
    _recall(" up to 1 mm radius", "_0_1"),
    _recall(" of 1 to 2 mm radius", "_1_2"),
    _recall(" above 2 mm radius", "_2_up"),
)
HD95 = Metric(
    "HD95, mm",
    mean_over_scans(("hd95_mm",), np.asarray),
    higher_is_better=False,
    description="95th percentile of the distances between the two surfaces, the larger of both directions; scans in "
    "which nothing was marked are left out.",
)
SURFACE_DICE = Metric(
    "surface Dice at 1 mm",
    mean_over_scans(
        ("surface", "surface_near", "marked_surface", "marked_surface_near"),
        lambda surface, near, marked, marked_near: (near + marked_near) / (surface + marked),
    ),
    description="Share of both surfaces that has the other within 1 mm.",
)
VOLUME_RATIO = Metric(
    "volume ratio",
    mean_over_scans(("tp", "fp", "fn"), lambda tp, fp, fn: (tp + fp) / (tp + fn)),
    description="Marked volume over true volume.",
)
COMPONENTS = Metric(
    "components",
    mean_over_scans(("components",), np.asarray),
    higher_is_better=False,
    description="Connected pieces of what was marked.",
)
LARGEST_COMPONENT = Metric(
    "largest component",
    mean_over_scans(("largest_component", "tp", "fp"), lambda largest, tp, fp: largest / (tp + fp)),
    percent=True,
    description="Share of the marked voxels that lies in the largest connected piece.",
)
AIRWAY = _called_vessel("airway lumen and wall", "airway_lumen", "airway_wall")

SCORES = (
    MEAN_DICE,
    CLDICE,
    OVER_SEGMENTATION,
    UNDER_SEGMENTATION,
    *CENTRELINE_RECALL,
    AIRWAY,
    _called_vessel("airway wall", "airway_wall"),
    _called_vessel("fissure", "fissure"),
    _called_vessel("nodule", "nodule"),
    _called_vessel("opacity", "opacity"),
    HD95,
    SURFACE_DICE,
    VOLUME_RATIO,
    COMPONENTS,
    LARGEST_COMPONENT,
)
"""Every score of a scan with labelled voxels."""


def best_threshold(table: Table, metric: Metric = MEAN_DICE) -> float:
    """The one threshold of a table that is best by a metric; the lowest of equals.

    Raises:
        InputError: the metric is defined at none.
    """
    require(table, "threshold")
    steps = np.unique(table["threshold"]).tolist()
    values = np.array([metric(take(table, table["threshold"] == step)) for step in steps])
    if np.isnan(values).all():
        raise InputError(f"{metric.name} is undefined at every threshold: the table has no scan with vessels.")
    return float(steps[int(np.nanargmax(values if metric.higher_is_better else -values))])
