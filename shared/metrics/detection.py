"""Metrics of objects found in images, one class at a time.

A detection table has two kinds of rows, told apart by `score`:

* one row per image: `score` NaN, `truth` the number of true objects in it (0 is a valid number);
* one row per detection: `score`, and `matched_50` 1 where it claimed a true object at IoU 0.50, 0 where it is a false
  alarm; one such column for each IoU asked for; `truth` 0.

All rows of an image share one weight, so an image that the bootstrap drew twice brings its objects, its detections and
itself twice. `match` makes this table from boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.metrics import Metric, Weights
from shared.metrics.weighted import RankedCounts, ranked_counts, ratio
from shared.table import Table, n_rows, require

__all__ = [
    "average_precision",
    "false_alarms_per_image",
    "match",
    "matched_column",
    "mean_average_precision",
    "precision",
    "recall",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RECALL_POINTS = np.linspace(0.0, 1.0, 101)
"""Where COCO reads the precision-recall curve."""


def matched_column(iou: float) -> str:
    """The column that says which detections claimed an object at this IoU: "matched_50"."""
    return f"matched_{100 * iou:.0f}"


def match(predictions: Table, targets: Table, images: Table, ious: Sequence[float] = (0.5,)) -> Table:
    """Assign detections to true boxes and make a detection table.

    COCO's rule: in each image, from the highest score down, a detection claims the free true box it overlaps most, if
    their IoU reaches the threshold.

    Args:
        predictions: columns image, score, x1, y1, x2, y2; one row per detection.
        targets: columns image, x1, y1, x2, y2; one row per true box.
        images: column image, every scored image once, those without boxes too; other columns (the scene, the flight)
            are carried to all rows of the image.
        ious: thresholds, each giving a column `matched_column(iou)`.

    Returns:
        The rows of the images, then those of the detections.

    Raises:
        InputError: a box lies in an image that `images` does not name, or `images` names one twice.
    """
    place = {name: row for row, name in enumerate(images["image"].tolist())}
    if len(place) < n_rows(images):
        raise InputError("The images of a detection table must be named once each; found one twice.")
    predicted_in, true_in = _images_of(predictions, place), _images_of(targets, place)
    predicted_boxes, true_boxes = _boxes(predictions), _boxes(targets)
    score = np.asarray(predictions["score"], dtype=np.float64)
    matched = np.zeros((len(ious), len(score)))
    for image in np.unique(predicted_in):
        rows = np.flatnonzero(predicted_in == image)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        overlap = _pairwise_iou(predicted_boxes[rows], true_boxes[true_in == image])
        for level, iou in enumerate(ious):
            matched[level, rows] = _claim(overlap, iou)
    origin = np.concatenate([np.arange(n_rows(images)), predicted_in])
    truth = np.bincount(true_in, minlength=n_rows(images)).astype(np.float64)
    none = np.full(n_rows(images), np.nan)
    return {
        **{name: column[origin] for name, column in images.items()},
        "score": np.concatenate([none, score]),
        "truth": np.concatenate([truth, np.zeros(len(score))]),
        **{matched_column(iou): np.concatenate([none, matched[level]]) for level, iou in enumerate(ious)},
    }


def _images_of(boxes: Table, place: dict[object, int]) -> IntArray:
    require(boxes, "image", "x1", "y1", "x2", "y2")
    unknown = next((name for name in boxes["image"].tolist() if name not in place), None)
    if unknown is not None:
        raise InputError(f"A box lies in image {unknown!r}, which the table of images does not name.")
    return np.array([place[name] for name in boxes["image"].tolist()], dtype=np.int64)


def _boxes(table: Table) -> FloatArray:
    return np.stack([np.asarray(table[name], dtype=np.float64) for name in ("x1", "y1", "x2", "y2")], axis=1)


def _pairwise_iou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of every box of (d, 4) with every box of (t, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    area_first, area_second = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second))
    union = area_first[:, None] + area_second[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _claim(overlap: FloatArray, threshold: float) -> FloatArray:
    """Which detections (rows, best score first) claim a true box (columns)."""
    free = overlap.copy()
    claimed = np.zeros(len(overlap))
    for row in range(len(overlap) if overlap.shape[1] else 0):
        best = int(np.argmax(free[row]))
        if free[row, best] >= threshold:
            claimed[row] = 1
            free[:, best] = -1
    return claimed


def _ranking(table: Table, weights: Weights, matched: str) -> tuple[RankedCounts, float]:
    """Cumulative hits and false alarms of the detections, and the weight of all true objects."""
    require(table, "score", "truth", matched)
    score = np.asarray(table["score"], dtype=np.float64)
    found = ~np.isnan(score)
    counts = ranked_counts(score[found], table[matched][found] == 1, weights[found])
    return counts, float(weights @ table["truth"].astype(np.float64))


def _interpolated(table: Table, weights: Weights, matched: str) -> float:
    counts, truth = _ranking(table, weights, matched)
    if truth <= 0:
        return float("nan")
    envelope = np.maximum.accumulate(counts.precision[::-1])[::-1]
    reached = np.searchsorted(counts.positives / truth, RECALL_POINTS, side="left")
    return float(np.append(envelope, 0.0)[reached].mean())


def average_precision(iou: float = 0.5) -> Metric:
    """COCO's average precision at one IoU: interpolated precision at 101 recalls. NaN without true objects.

    Detections of equal score are one step of the curve, where COCO's tool goes by their order.
    """
    return mean_average_precision((iou,), name=f"AP{100 * iou:.0f}")


def mean_average_precision(ious: Sequence[float], name: str = "AP") -> Metric:
    """Average precision averaged over several IoUs (COCO: 0.50 to 0.95 in steps of 0.05)."""
    columns = [matched_column(iou) for iou in ious]
    text = ", ".join(f"{iou:.2f}" for iou in ious)
    return Metric(
        name,
        lambda table, weights: float(np.mean([_interpolated(table, weights, column) for column in columns])),
        percent=True,
        description=f"Average precision at IoU {text}, read at 101 recalls.",
        sort_by="score",
    )


def recall(threshold: float, iou: float = 0.5) -> Metric:
    """Share of the true objects that were found with a score of `threshold` or more. NaN without true objects."""

    def found(table: Table, weights: Weights) -> float:
        hits, _ = _at(table, weights, threshold, iou)
        return ratio(hits, weights @ table["truth"].astype(np.float64))

    return Metric("recall", found, percent=True, description=f"Share of objects found at score {threshold:g}.")


def precision(threshold: float, iou: float = 0.5) -> Metric:
    """Share of the detections with a score of `threshold` or more that are true objects. NaN without detections."""

    def right(table: Table, weights: Weights) -> float:
        hits, alarms = _at(table, weights, threshold, iou)
        return ratio(hits, hits + alarms)

    return Metric("precision", right, percent=True, description=f"Share of detections right at score {threshold:g}.")


def _at(table: Table, weights: Weights, threshold: float, iou: float) -> tuple[float, float]:
    """Weights of hits and of false alarms with a score of `threshold` or more."""
    matched = matched_column(iou)
    require(table, "score", "truth", matched)
    shown = table["score"] >= np.float64(threshold)  # False for the NaN of an image row
    hit = table[matched] == 1
    return float(weights @ (shown & hit)), float(weights @ (shown & ~hit))


def false_alarms_per_image(recall: float, iou: float = 0.5) -> Metric:
    """False alarms per image at the highest threshold that reaches a recall. NaN where none reaches it."""
    matched = matched_column(iou)

    def alarms(table: Table, weights: Weights) -> float:
        counts, truth = _ranking(table, weights, matched)
        reaches = np.flatnonzero(counts.positives >= recall * truth)
        if truth <= 0 or len(reaches) == 0:
            return float("nan")
        return ratio(counts.negatives[reaches[0]], weights @ np.isnan(table["score"].astype(np.float64)))

    return Metric(
        f"false alarms per image at recall {100 * recall:g} %",
        alarms,
        higher_is_better=False,
        description=f"False alarms per image at the threshold that finds {100 * recall:g} % of the objects.",
        sort_by="score",
    )
