"""Detection metrics against a plain transcription of COCO's procedure and against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from shared.errors import InputError
from shared.metrics import detection
from shared.table import Table


def boxes(image: list[str], corners: list[list[float]], **columns: list[float]) -> dict[str, np.ndarray]:
    matrix = np.array(corners, dtype=float).reshape(-1, 4)
    sides = {name: matrix[:, column] for column, name in enumerate(("x1", "y1", "x2", "y2"))}
    return {
        "image": np.array(image, dtype=object),
        **sides,
        **{k: np.array(v, dtype=float) for k, v in columns.items()},
    }


def made_scenes(n: int = 30, seed: int = 0) -> tuple[Table, Table, Table]:
    """True boxes, jittered finds and loose false alarms in `n` images, some of them empty."""
    rng = np.random.default_rng(seed)
    names = [f"i{number}" for number in range(n)]
    true_in: list[str] = []
    true_boxes: list[list[float]] = []
    found_in: list[str] = []
    found_boxes: list[list[float]] = []
    for name in names:
        for _ in range(rng.integers(0, 4)):
            x, y, w, h = *rng.uniform(0, 80, 2), *rng.uniform(5, 30, 2)
            true_in.append(name)
            true_boxes.append([x, y, x + w, y + h])
            for _ in range(rng.integers(0, 3)):
                found_in.append(name)
                found_boxes.append((np.array([x, y, x + w, y + h]) + rng.normal(0, 1.5, 4)).tolist())
        for _ in range(rng.integers(0, 2)):
            x, y = rng.uniform(0, 80, 2)
            found_in.append(name)
            found_boxes.append([x, y, x + 10, y + 10])
    predictions = boxes(found_in, found_boxes, score=rng.permutation(len(found_in)) / len(found_in))
    scene = np.array([f"s{number // 3}" for number in range(n)], dtype=object)
    return predictions, boxes(true_in, true_boxes), {"image": np.array(names, dtype=object), "scene": scene}


def coco_average_precision(predictions: Table, targets: Table, images: list[str], iou: float) -> float:
    """COCO's accumulation in loops; an image named twice is scored twice."""
    detections: list[tuple[float, bool]] = []
    truth = 0
    for name in images:
        free = [row for row in range(len(targets["image"])) if targets["image"][row] == name]
        truth += len(free)
        mine = [row for row in range(len(predictions["image"])) if predictions["image"][row] == name]
        for row in sorted(mine, key=lambda row: -predictions["score"][row]):
            best = max(free, key=lambda other: overlap(predictions, row, targets, other), default=None)
            hit = best is not None and overlap(predictions, row, targets, best) >= iou
            if hit:
                free.remove(best)
            detections.append((float(predictions["score"][row]), hit))
    detections.sort(key=lambda pair: (-pair[0], pair[1]))
    hits = np.cumsum([hit for _, hit in detections])
    precision = hits / np.arange(1, len(hits) + 1)
    points = [precision[hits / truth >= level].max(initial=0.0) for level in detection.RECALL_POINTS]
    return float(np.mean(points))


def overlap(first: Table, row: int, second: Table, other: int) -> float:
    ax1, ay1, ax2, ay2 = (first[name][row] for name in ("x1", "y1", "x2", "y2"))
    bx1, by1, bx2, by2 = (second[name][other] for name in ("x1", "y1", "x2", "y2"))
    common = max(0.0, min(ax2, bx2) - max(ax1, bx1)) * max(0.0, min(ay2, by2) - max(ay1, by1))
    return common / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - common)


@pytest.mark.parametrize("iou", [0.5, 0.75])
def test_average_precision_equals_cocos_procedure(iou: float) -> None:
    predictions, targets, images = made_scenes()
    table = detection.match(predictions, targets, images, (0.5, 0.75))
    expected = coco_average_precision(predictions, targets, images["image"].tolist(), iou)
    assert 0.1 < expected < 0.95
    assert detection.average_precision(iou)(table) == pytest.approx(expected)


def test_a_weight_of_two_is_the_image_twice() -> None:
    predictions, targets, images = made_scenes()
    times = np.random.default_rng(3).integers(0, 3, len(images["image"]))
    table = detection.match(predictions, targets, images)
    place = {name: row for row, name in enumerate(images["image"])}
    weights = np.array([times[place[name]] for name in table["image"]], dtype=float)
    drawn = [name for name, count in zip(images["image"], times, strict=True) for _ in range(count)]
    value = detection.average_precision(0.5)(table, weights)
    assert value == pytest.approx(coco_average_precision(predictions, targets, drawn, 0.5), abs=0.01)
    assert value == pytest.approx(detection.average_precision(0.5)(repeat(table, weights)))


def repeat(table: Table, weights: np.ndarray) -> Table:
    rows = np.repeat(np.arange(len(weights)), weights.astype(int))
    return {name: column[rows] for name, column in table.items()}


def test_the_best_score_claims_the_box_and_the_second_is_a_false_alarm() -> None:
    predictions = boxes(["a", "a", "a"], [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]], score=[0.6, 0.9, 0.3])
    targets = boxes(["a", "b"], [[0, 0, 10, 10], [0, 0, 5, 5]])
    images = {"image": np.array(["a", "b", "c"], dtype=object), "scene": np.array(["s", "s", "t"], dtype=object)}
    table = detection.match(predictions, targets, images, (0.5, 0.95))
    assert table["truth"].tolist() == [1, 1, 0, 0, 0, 0]
    assert table["scene"].tolist() == ["s", "s", "t", "s", "s", "s"]
    assert np.isnan(table["score"][:3]).all()
    assert table["matched_50"][3:].tolist() == [0, 1, 0]
    assert table["matched_95"][3:].tolist() == [1, 0, 0]
    assert detection.recall(0.5)(table) == 0.5
    assert detection.precision(0.5)(table) == 0.5
    assert detection.precision(0.95)(table) != detection.precision(0.5)(table)


def test_operating_points_count_images_without_boxes() -> None:
    predictions = boxes(["a", "c", "c"], [[0, 0, 10, 10], [0, 0, 9, 9], [20, 20, 30, 30]], score=[0.8, 0.9, 0.1])
    targets = boxes(["a"], [[0, 0, 10, 10]])
    table = detection.match(predictions, targets, {"image": np.array(["a", "b", "c", "d"], dtype=object)})
    assert detection.false_alarms_per_image(1.0)(table) == pytest.approx(1 / 4)
    weights = np.array([1.0, 0, 2, 1, 1, 2, 2])
    assert detection.false_alarms_per_image(1.0)(table, weights) == pytest.approx(2 / 4)


def test_the_mean_over_ious_is_their_mean() -> None:
    predictions, targets, images = made_scenes()
    ious = (0.5, 0.75)
    table = detection.match(predictions, targets, images, ious)
    parts = [detection.average_precision(iou)(table) for iou in ious]
    assert detection.mean_average_precision(ious)(table) == pytest.approx(np.mean(parts))
    assert detection.average_precision(0.75).name == "AP75"


def test_undefined_is_nan_and_nothing_found_is_zero() -> None:
    nothing, images = boxes([], [], score=[]), {"image": np.array(["a"], dtype=object)}
    empty = detection.match(nothing, boxes([], []), images)
    missed = detection.match(nothing, boxes(["a"], [[0, 0, 1, 1]]), images)
    assert detection.average_precision()(missed) == 0.0
    assert detection.recall(0.5)(missed) == 0.0
    for metric in (detection.average_precision(), detection.recall(0.5), detection.false_alarms_per_image(0.5)):
        assert np.isnan(metric(empty)), metric.name
    assert np.isnan(detection.precision(0.5)(missed))
    assert np.isnan(detection.false_alarms_per_image(0.5)(missed))


def test_boxes_of_unknown_images_are_refused() -> None:
    images = {"image": np.array(["a"], dtype=object)}
    with pytest.raises(InputError, match="image 'b', which the table of images does not name"):
        detection.match(boxes(["b"], [[0, 0, 1, 1]], score=[0.5]), boxes([], []), images)
    twice = {"image": np.array(["a", "a"], dtype=object)}
    with pytest.raises(InputError, match="named once each"):
        detection.match(boxes([], [], score=[]), boxes([], []), twice)
