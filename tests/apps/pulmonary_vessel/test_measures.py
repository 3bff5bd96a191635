"""Measures: counts by hand and by MONAI, centrelines on long voxels, scores as functions of the table alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance

from apps.pulmonary_vessel.measures.agreement import AGREEMENT_SCORES, VOLUME_DIFFERENCE, agreement
from apps.pulmonary_vessel.measures.counts import KINDS, Reference, counts
from apps.pulmonary_vessel.measures.grids import isotropic, skeleton, surface_mm
from apps.pulmonary_vessel.measures.points import POINT_SCORES, point_table
from apps.pulmonary_vessel.measures.scores import (
    AIRWAY,
    CENTRELINE_RECALL,
    CLDICE,
    COMPONENTS,
    HD95,
    LARGEST_COMPONENT,
    OVER_SEGMENTATION,
    SCORES,
    SURFACE_DICE,
    UNDER_SEGMENTATION,
    VOLUME_RATIO,
    best_threshold,
)
from shared.errors import InputError
from shared.metrics.dense import MEAN_DICE
from shared.table import Table, concatenate, n_rows, take
from tests.apps.pulmonary_vessel.made_tubes import made_scan

SCAN = made_scan(3)
TRUTH = SCAN.labels == 2


def probability(seed: int = 0) -> np.ndarray:
    """An answer that is right on the whole: the truth with noise."""
    rng = np.random.default_rng(seed)
    return np.clip(0.25 + 0.5 * TRUTH + rng.normal(0, 0.15, TRUTH.shape), 0, 1).astype(np.float32)


def rod(radius: float, length: int = 30, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    """Labels of one straight vessel along x."""
    z, y, _ = np.indices((20, 21, length))
    labels = np.ones((20, 21, length), np.uint8)
    labels[np.hypot((z - 10) * spacing[0], (y - 10) * spacing[1]) <= radius] = 2
    return labels


def test_voxels_are_counted_as_by_hand_at_every_threshold() -> None:
    answer, thresholds = probability(), (0.3, 0.5, 0.2, 0.7)
    table = counts(answer, SCAN.labels, SCAN.spacing, thresholds, ())
    assert n_rows(table) == 4
    np.testing.assert_array_equal(table["threshold"], thresholds)
    for row, threshold in enumerate(thresholds):
        mark, lung = answer >= threshold, SCAN.labels > 0
        assert table["tp"][row] == (mark & TRUTH).sum()
        assert table["fp"][row] == (mark & lung & ~TRUTH).sum()
        assert table["fn"][row] == (~mark & TRUTH).sum()
        assert table["tn"][row] == (~mark & lung & ~TRUTH).sum()
        for kind, code in KINDS.items():
            assert table[f"marked_{kind}"][row] == (mark & (SCAN.labels == code)).sum()
            assert table[f"of_{kind}"][row] == (SCAN.labels == code).sum()


def test_a_threshold_is_reached_by_the_probability_it_names() -> None:
    """Also by float32 probabilities that are a little above or below the number in float64."""
    answer = np.where(TRUTH, np.float32(0.7), np.float32(0.1))
    table = counts(answer, SCAN.labels, SCAN.spacing, np.array([0.1, 0.7]))
    assert table["tp"].tolist() == [TRUTH.sum()] * 2
    assert table["tn"].tolist() == [0, ((SCAN.labels > 0) & ~TRUTH).sum()]
    assert table["largest_component"].tolist() == [
        (SCAN.labels > 0).sum(),
        counts(TRUTH, SCAN.labels, SCAN.spacing, (0.5,))["largest_component"],
    ]


def test_marks_outside_the_lung_are_nobodys() -> None:
    answer = TRUTH.astype(np.float32)
    table = counts(np.where(SCAN.labels == 0, np.float32(1), answer), SCAN.labels, SCAN.spacing, (0.5,))
    without = counts(answer, SCAN.labels, SCAN.spacing, (0.5,))
    np.testing.assert_equal([score(table) for score in SCORES], [score(without) for score in SCORES])


def test_the_truth_itself_scores_best() -> None:
    table = counts(TRUTH, SCAN.labels, SCAN.spacing, (0.5,))
    for score in (MEAN_DICE, CLDICE, *CENTRELINE_RECALL, SURFACE_DICE, VOLUME_RATIO):
        assert score(table) == pytest.approx(1.0), score.name
    for score in (OVER_SEGMENTATION, UNDER_SEGMENTATION, HD95, AIRWAY):
        assert score(table) == 0, score.name


def test_nothing_marked_and_nothing_to_find_raise_nothing() -> None:
    nothing = counts(np.zeros(TRUTH.shape), SCAN.labels, SCAN.spacing, (0.5,))
    assert MEAN_DICE(nothing) == CLDICE(nothing) == CENTRELINE_RECALL[0](nothing) == COMPONENTS(nothing) == 0
    assert np.isnan(HD95(nothing))
    bare = counts(TRUTH, np.ones(TRUTH.shape, np.uint8), SCAN.spacing, (0.5,))
    assert MEAN_DICE(bare) == 0
    assert np.isnan([CLDICE(bare), CENTRELINE_RECALL[0](bare), AIRWAY(bare), VOLUME_RATIO(bare)]).all()


def test_over_and_under_segmentation_by_their_formula() -> None:
    table = {"tp": np.array([60.0]), "fp": np.array([20.0]), "fn": np.array([40.0])}
    assert OVER_SEGMENTATION(table) == pytest.approx(20 / 120)
    assert UNDER_SEGMENTATION(table) == pytest.approx(40 / 120)
    assert VOLUME_RATIO(table) == pytest.approx(0.8)


def test_shapes_are_left_out_where_they_were_not_asked_for() -> None:
    table = counts(probability(), SCAN.labels, SCAN.spacing, (0.4, 0.5, 0.6), (0.5,))
    for name in ("centreline_found", "skeleton", "surface_near", "hd95_mm", "components"):
        np.testing.assert_array_equal(np.isnan(table[name]), [True, False, True])
    alone = counts(probability(), SCAN.labels, SCAN.spacing, (0.5,))
    for name, values in alone.items():
        assert table[name][1] == values[0], name
    assert np.isnan(CLDICE(take(table, np.array([0]))))


def test_centreline_recall_by_radius() -> None:
    """A vessel of 3 mm radius, one of 1.5 mm and one of 0.5 mm, of which only the middle one is marked."""
    labels = np.ones((20, 24, 40), np.uint8)
    z, y, _ = np.indices(labels.shape)
    for radius, middle in ((3.0, 5), (1.5, 13), (0.5, 19)):
        labels[np.hypot(z - 10, y - middle) <= radius] = 2
    mark = (labels == 2) & (np.abs(y - 13) < 3)
    table = counts(mark, labels, (1.0, 1.0, 1.0), (0.5,))
    whole, thin, middling, thick = (score(table) for score in CENTRELINE_RECALL)
    assert (thin, middling, thick) == (0, 1, 0)
    assert whole == pytest.approx(1 / 3, abs=0.1)


def test_cldice_punishes_a_gap_less_than_a_false_branch_of_the_same_length() -> None:
    labels = rod(2.0, 40)
    gap, branch = labels == 2, labels == 2
    gap = gap.copy()
    gap[:, :, 18:22] = False
    assert CLDICE(counts(gap, labels, (1, 1, 1), (0.5,))) == pytest.approx(2 * 0.9 / 1.9, abs=0.03)
    branch = branch.copy()
    branch[10, 12:20, 20] = True
    table = counts(branch, labels, (1, 1, 1), (0.5,))
    assert table["centreline_found"] == table["centreline"]
    assert 0.1 < 1 - table["skeleton_true"] / table["skeleton"] < 0.25


def test_skeletons_of_long_voxels_stay_in_the_middle() -> None:
    """A vessel of 3 mm radius across slices of 2.5 mm, four voxels thick at most: one line on cubes of 0.75 mm."""
    spacing = (2.5, 0.75, 0.75)
    mask = rod(3.0, 60, spacing) == 2
    cubes = isotropic(mask, spacing)
    assert cubes.shape == (int(19 * 2.5 / 0.75) + 1, 21, 60)
    assert cubes.sum() * 0.75**3 == pytest.approx(mask.sum() * np.prod(spacing), rel=0.1)
    points = np.argwhere(skeleton(cubes)) * 0.75
    assert np.abs(points[:, :2] - (25, 7.5)).max() < 1.0
    assert len(points) == pytest.approx(52, abs=8)  # thinning takes the ends off
    assert isotropic(mask, (1.0, 1.0, 1.0)) is mask


def test_hd95_is_that_of_monai() -> None:
    answer = np.roll(TRUTH, (1, 2), (0, 2)) & (SCAN.labels > 0)
    ours = counts(answer, SCAN.labels, SCAN.spacing, (0.5,))["hd95_mm"][0]
    tensors = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (answer, TRUTH))
    theirs = compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=SCAN.spacing)
    assert ours == pytest.approx(theirs.item(), abs=0.05)


def test_surfaces_within_a_millimetre() -> None:
    labels = rod(4.0, 40)
    shifted = np.roll(labels == 2, 1, 0)
    far = np.roll(labels == 2, 4, 0)
    near = counts(shifted, labels, (1.0, 1.0, 1.0), (0.5,))
    assert SURFACE_DICE(near) == pytest.approx(1.0)
    assert HD95(near) == 1.0
    assert SURFACE_DICE(counts(far, labels, (1.0, 1.0, 1.0), (0.5,))) < 0.7
    assert len(surface_mm(np.ones((3, 3, 3), bool), (1, 1, 1))) == 26


def test_components_are_joined_through_corners() -> None:
    labels = np.ones((6, 6, 6), np.uint8)
    labels[1, 1, 1] = 2
    mark = np.zeros(labels.shape)
    mark[1, 1, 1] = mark[2, 2, 2] = mark[5, 5, 5] = 1
    table = counts(mark, labels, (1.0, 1.0, 1.0), (0.5,))
    assert COMPONENTS(table) == 2
    assert LARGEST_COMPONENT(table) == pytest.approx(2 / 3)


def stacked(*tables: Table) -> Table:
    return concatenate(tables)


def test_weights_are_rows_repeated_and_an_undefined_scan_is_left_out() -> None:
    rows = [counts(probability(seed) * scale, SCAN.labels, SCAN.spacing, (0.5,)) for seed, scale in ((0, 1), (1, 0.8))]
    bare = counts(TRUTH, np.ones(TRUTH.shape, np.uint8), SCAN.spacing, (0.5,))
    for score in SCORES:
        twice = score(stacked(rows[0], rows[1], rows[1]))
        assert score(stacked(*rows), np.array([1.0, 2.0])) == pytest.approx(twice, nan_ok=True), score.name
    assert CLDICE(stacked(rows[0], bare)) == pytest.approx(CLDICE(rows[0]))


def test_the_best_threshold_of_a_table_is_one_for_all_its_scans() -> None:
    steps = np.round(np.arange(0.1, 0.95, 0.1), 1)
    table = stacked(*(counts(probability(seed), SCAN.labels, SCAN.spacing, steps, ()) for seed in (0, 1)))
    means = [MEAN_DICE(take(table, table["threshold"] == step)) for step in steps]
    assert best_threshold(table) == steps[int(np.argmax(means))]
    with pytest.raises(InputError, match="undefined at every threshold"):
        best_threshold(table, CLDICE)


def test_labels_that_cannot_be_scored_are_refused() -> None:
    with pytest.raises(InputError, match="one grid"):
        Reference(SCAN.labels, SCAN.spacing).compare(np.zeros((2, 3, 4)), (0.5,))
    with pytest.raises(InputError, match="no lung"):
        counts(np.zeros((2, 3, 4)), np.zeros((2, 3, 4), np.uint8), (1.0, 1.0, 1.0), (0.5,))


def test_points_are_read_where_they_lie() -> None:
    answer = np.zeros((4, 5, 6), np.float32)
    answer[1, 2, 3], answer[3, 4, 5], answer[0, 0, 0] = 0.9, 0.6, 0.4
    points = np.array([[1, 2, 3, 1, 1], [3, 4, 5, 0, 2], [0, 0, 0, 1, 1], [2, 2, 2, 0, 3], [2, 2, 1, 0, 0]], np.float32)
    table = point_table(answer, points, 0.5)
    values = {score.name: score(table) for score in POINT_SCORES}
    assert values == {
        "AUC": pytest.approx(5 / 6),
        "accuracy": pytest.approx(3 / 5),
        "parenchyma points called vessel": 0,
        "vessel points called vessel": 0.5,
        "fissure points called vessel": 1,
        "airway wall points called vessel": 0,
    }


@pytest.mark.parametrize(
    ("points", "reason"),
    [([[0, 0, 9, 1, 1]], "outside the scan"), ([[0, 0, 0, 1, 7]], "code"), ([[0, 0, 0]], "rows of")],
)
def test_points_that_cannot_be_are_refused(points: list[list[int]], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        point_table(np.zeros((4, 5, 6)), np.array(points), 0.5)


def test_two_answers_to_one_scan() -> None:
    lung = np.ones((4, 10, 10))
    one, other = np.zeros(lung.shape), np.zeros(lung.shape)
    one[:, :5], other[:, 1:5] = 1, 1
    lung[:, :, 5:] = 0
    table = agreement(one, other, lung, (5.0, 0.8, 0.8))
    assert MEAN_DICE(table) == pytest.approx(2 * 80 / (100 + 80))
    assert VOLUME_DIFFERENCE(table) == VOLUME_DIFFERENCE(agreement(other, one, lung, (5.0, 0.8, 0.8))) == 0.25
    assert all(score(agreement(one, one, lung, (5.0, 0.8, 0.8))) in (0, 1) for score in AGREEMENT_SCORES)
