"""The parts of a phantom, each against what is known of it: fields, trees, tubes, shapes, statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from data_prep.lung_phantom.anatomy import measured
from data_prep.lung_phantom.drawing import stamp, tubes, visible_radius
from data_prep.lung_phantom.imaging import Scanner
from data_prep.lung_phantom.shape import Chest, Grid, Points, smooth_minimum
from data_prep.lung_phantom.space import Field, Window, joined, resample_linear
from data_prep.lung_phantom.trees import Habit, bent, grow, sampled, scatter

CUBE = Window((-20.0, -20.0, -20.0), (1.0, 1.0, 1.0), (41, 41, 41))
HABIT = Habit(reach=0.4, side_share=0.35, tilt=0.5, widest_angle=1.0, murray=3.0, follow=0.5, sway=0.0)


@pytest.fixture(scope="module")
def tree():
    rng = np.random.default_rng(0)
    points = scatter(rng, np.array([[-15.0] * 3, [15.0] * 3]), 6.0)
    trunk = (np.array([-20.0, 0.0, 0.0]), np.array([-16.0, 0.0, 0.0]), np.arange(len(points)))
    lobes = np.zeros(len(points), dtype=np.int64)
    return points, grow(rng, HABIT, [trunk], points, lobes, np.full(len(points), 0.3), CUBE)


def test_a_field_has_mean_0_and_sd_1_and_is_the_same_on_a_grid_and_at_points() -> None:
    field = Field(np.random.default_rng(0), 5.0, CUBE.box)
    values = field.on(CUBE)
    assert values.mean() == pytest.approx(0, abs=0.25)
    assert values.std() == pytest.approx(1, abs=0.25)
    corner = np.stack(np.meshgrid(*CUBE.axes, indexing="ij"), axis=-1)[3:5, 7:9, 30]
    np.testing.assert_allclose(field.at(corner), values[3:5, 7:9, 30], atol=1e-4)


def test_linear_resampling_keeps_a_plane() -> None:
    z, y, x = CUBE.mesh
    fine = Window((-10.0, -5.0, 0.0), (0.7, 1.3, 0.4), (20, 12, 30))
    fz, fy, fx = fine.mesh
    values = resample_linear(z + 2 * y - x, CUBE, fine)
    np.testing.assert_allclose(values, np.broadcast_to(fz + 2 * fy - fx, fine.shape), atol=1e-4)


def test_finer_slices_fill_the_same_slab() -> None:
    fine = CUBE.finer(4)
    np.testing.assert_allclose(fine.axes[0].reshape(-1, 4).mean(axis=1), CUBE.axes[0])


def test_every_point_is_the_end_of_one_branch(tree) -> None:
    points, made = tree
    leaves = np.setdiff1d(np.arange(len(made.parent)), made.parent)
    ends = made.end[leaves]
    assert len(leaves) == len(points)
    np.testing.assert_allclose(np.sort(ends, axis=0), np.sort(points, axis=0))


def test_calibres_follow_murrays_law_and_branches_hang_together(tree) -> None:
    _, made = tree
    for branch in range(len(made.parent)):
        children = np.flatnonzero(made.parent == branch)
        if len(children):
            assert made.radius[branch] ** 3 == pytest.approx(np.sum(made.radius[children] ** 3))
            np.testing.assert_allclose(made.start[children] - made.end[branch], 0)


def test_a_window_prunes_branches_but_not_calibres(tree) -> None:
    points, whole = tree
    rng = np.random.default_rng(0)
    scatter(rng, np.array([[-15.0] * 3, [15.0] * 3]), 6.0)
    trunk = (np.array([-20.0, 0.0, 0.0]), np.array([-16.0, 0.0, 0.0]), np.arange(len(points)))
    corner = Window((-15.0, -15.0, -15.0), (1.0, 1.0, 1.0), (3, 3, 3))
    part = grow(rng, HABIT, [trunk], points, np.zeros(len(points), dtype=np.int64), np.full(len(points), 0.3), corner)
    assert len(part.parent) < len(whole.parent)
    assert part.radius[0] == pytest.approx(whole.radius[0])


def test_samples_run_from_start_to_end_in_small_steps(tree) -> None:
    _, made = tree
    line = sampled(made, HABIT, np.ones(len(made.parent), dtype=bool))
    for branch in (0, 5, len(made.parent) - 1):
        places = line.places[line.branch == branch]
        np.testing.assert_allclose(places[[0, -1]], [made.start[branch], made.end[branch]], atol=1e-6)
        assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 1.0


def test_bending_makes_room_between_two_trees(tree) -> None:
    _, made = tree
    everything = np.ones(len(made.parent), dtype=bool)
    same = sampled(made, HABIT, everything)
    moved = bent(made, HABIT, everything, same, np.random.default_rng(1))
    assert np.mean(np.any(moved.bend != made.bend, axis=1)) > 0.5


@pytest.mark.parametrize("radius", [0.2, 0.5, 1.0, 3.0])
def test_a_drawn_tube_holds_its_volume(radius: float) -> None:
    canvas = np.zeros(CUBE.shape, np.float32)
    path = np.stack([np.linspace(-15, 15, 200), np.linspace(-4.3, 5, 200), np.linspace(2.1, 7, 200)], axis=1)
    stamp(canvas, CUBE, path, *tubes(np.full(200, radius), CUBE.spacing))
    length = np.linalg.norm(path[-1] - path[0])
    assert canvas.sum() == pytest.approx(np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3, rel=0.1)
    assert canvas.max() <= 1.0


def test_balls_beyond_the_rim_touch_only_what_is_there() -> None:
    canvas = np.zeros(CUBE.shape, np.float32)
    stamp(canvas, CUBE, np.array([[-21.0, 0.0, 0.0], [90.0, 0.0, 0.0]]), np.full((2, 3), 2.0))
    assert canvas[0, 20, 20] == pytest.approx(1.0)
    assert canvas[5:].max() == 0


def test_thicker_sections_hide_wider_vessels() -> None:
    assert visible_radius(0.7, 4.0) == pytest.approx(2 * visible_radius(0.7, 1.0))


def test_the_rounded_minimum_is_below_both() -> None:
    first, second = np.linspace(-5, 5, 11), np.linspace(5, -5, 11)
    lowest = smooth_minimum(first, second, 1.0)
    assert np.all(lowest <= np.minimum(first, second))
    np.testing.assert_allclose(lowest[[0, -1]], -5)


@pytest.mark.parametrize("seed", range(4))
def test_chests_are_as_large_as_adults(seed: int) -> None:
    chest = Chest(np.random.default_rng(seed))
    grid = Grid(Window((-200.0, -130.0, -170.0), (4.0, 4.0, 4.0), (80, 66, 86)))
    lungs = {side: np.asarray(chest.lung(grid, side)) > 0 for side in (-1, 1)}
    assert not np.any(lungs[-1] & lungs[1])
    for side, lung in lungs.items():
        assert 1.0 < lung.sum() * 0.064 / 1000 < 6.0  # litres
        places = np.argwhere(lung)[::50] * 4.0 + grid.window.origin
        assert set(chest.lobe(places, side)) == ({0, 1, 2} if side < 0 else {0, 1})
        np.testing.assert_allclose(chest.lung(Points(places), side), chest.lung(grid, side)[lung][::50], atol=0.8)


def test_edge_enhancement_overshoots_and_a_soft_kernel_does_not() -> None:
    hu = np.full((8, 64, 64), -800.0, np.float32)
    hu[:, :, 32:] = 50.0
    window = Window((0.0, 0.0, 0.0), (1.0, 0.7, 0.7), hu.shape)
    rows = {
        edge: Scanner(1.0, 0.7, edge, 1e-3, 0.4, 0.0).scan(np.random.default_rng(0), hu, window, 1)[4, 32, 8:56]
        for edge in (0.0, 1.5)
    }
    assert rows[0.0].max() < 75
    assert rows[1.5].max() > 130
    assert rows[1.5][:4].mean() == pytest.approx(-800, abs=5)


def test_statistics_of_a_known_tube() -> None:
    z, y, x = np.ogrid[:60, :60, :60]
    lung = np.ones((60, 60, 60), dtype=bool)
    tube = ((y - 30) ** 2 + (x - 30) ** 2 <= 9) & (z >= 0)
    found = measured(tube, lung, (0.8, 0.8, 0.8))
    assert found.vessel_share == pytest.approx(tube.mean(), rel=0.02)
    assert found.forks_per_ml == 0
    assert found.largest_part == 1.0
    assert np.argmax(found.radius_shares) == 4  # 2 to 3 mm
    assert found.lung_ml == pytest.approx(lung.sum() * 0.8**3 / 1000)


def test_a_tree_has_forks_and_ends_where_a_tube_has_none(tree) -> None:
    _, made = tree
    line = sampled(made, HABIT, np.ones(len(made.parent), dtype=bool))
    canvas = np.zeros(CUBE.shape, np.float32)
    stamp(canvas, CUBE, line.places, np.full((len(line.places), 3), 0.8))
    found = measured(canvas > 0.5, ndimage.binary_dilation(canvas > 0.5, iterations=4), (1.0, 1.0, 1.0))
    assert found.forks_per_ml > 0
    assert found.ends_per_ml > found.forks_per_ml
    assert found.radius_shares.sum() == pytest.approx(1)


def test_joined_records_keep_their_order(tree) -> None:
    _, made = tree
    line = sampled(made, HABIT, np.arange(len(made.parent)) < 3)
    twice = joined([line, line])
    np.testing.assert_array_equal(twice.places, np.concatenate([line.places] * 2))
