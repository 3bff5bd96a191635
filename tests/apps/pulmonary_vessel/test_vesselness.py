"""Line filters: eigenvalues exact, derivatives and responses those of scikit-image, no answer outside the lung."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.filters import frangi

from apps.pulmonary_vessel.vesselness.filters import (
    RIDGE_POWER,
    Frangi,
    Jerman,
    LineFilter,
    Sato,
    scaled_eigenvalues,
    vesselness,
)
from apps.pulmonary_vessel.vesselness.hessian import eigenvalues, gradient_magnitude_at, hessian_at, smoothed
from apps.pulmonary_vessel.vesselness.lung_field import LungField
from shared.errors import InputError
from tests.apps.pulmonary_vessel.made_tubes import made_scan

CUBES = (1.0, 1.0, 1.0)
FILTERS: dict[str, LineFilter] = {"sato": Sato(), "frangi": Frangi(), "jerman": Jerman()}


def matrices(rows: np.ndarray) -> np.ndarray:
    """(n, 3, 3) of (6, n) zz, yy, xx, zy, zx, yx."""
    zz, yy, xx, zy, zx, yx = rows
    return np.stack([np.stack([zz, zy, zx], -1), np.stack([zy, yy, yx], -1), np.stack([zx, yx, xx], -1)], -2)


def tubes(side: int = 40) -> np.ndarray:
    """Three smooth bright tubes and noise on cubes."""
    rng = np.random.default_rng(0)
    z, y, x = np.indices((side,) * 3)
    hu = rng.normal(-860, 20, (side,) * 3)
    for width, (middle_y, middle_x) in zip((1.5, 2.0, 3.0), ((10, 12), (28, 14), (20, 30)), strict=True):
        distance = np.hypot(y - middle_y - 0.15 * z, x - middle_x)
        hu += 800 * np.exp(-0.5 * (distance / width) ** 2)
    return hu.astype(np.float32)


def whole(hu: np.ndarray, spacing: tuple[float, float, float] = CUBES) -> LungField:
    return LungField.cut(hu, spacing, np.ones(hu.shape))


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, (6, 5), elements=st.floats(-1000, 1000, width=32)))
def test_eigenvalues_are_those_of_lapack(rows: np.ndarray) -> None:
    exact = np.linalg.eigvalsh(matrices(rows.astype(np.float64)))[:, ::-1].T
    size = np.abs(exact).max(axis=0)
    assert (np.abs(eigenvalues(rows) - exact) <= 1e-3 * size + 1e-6).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("diagonal", [(0, 0, 0), (1, 1, 1), (-2, -2, 0), (-2, 0, 0), (5, 5, -5)])
def test_eigenvalues_of_lines_sheets_and_balls(diagonal: tuple[float, ...], scale: float) -> None:
    rows = np.zeros((6, 1), np.float32)
    rows[:3, 0] = np.multiply(diagonal, scale)
    np.testing.assert_allclose(eigenvalues(rows)[:, 0], np.sort(rows[:3, 0])[::-1], atol=1e-3 * scale)


def test_derivatives_of_a_parabola_are_exact_on_long_voxels() -> None:
    spacing = (2.0, 0.5, 0.7)
    z, y, x = (axis * step for axis, step in zip(np.indices((7, 9, 8)), spacing, strict=True))
    volume = (1.5 * z**2 - 2 * y**2 + 0.5 * x**2 + z * y - 3 * z * x + 2 * y * x).astype(np.float32)
    where = np.ravel_multi_index(([3, 2], [4, 5], [4, 3]), volume.shape)
    expected = np.array([3.0, -4.0, 1.0, 1.0, -3.0, 2.0])
    np.testing.assert_allclose(hessian_at(volume, spacing, where), np.tile(expected, (2, 1)).T, atol=1e-3)
    slope = (4 * y - z).astype(np.float32)
    np.testing.assert_allclose(gradient_magnitude_at(slope, spacing, where), np.sqrt(17.0), rtol=1e-5)


@pytest.mark.parametrize(("sigma", "tolerance"), [(1.5, 0.12), (2.0, 0.07), (3.0, 0.03)])
def test_eigenvalues_are_those_of_scikit_image(sigma: float, tolerance: float) -> None:
    """Central differences blur a little more than derivatives of the Gaussian do, the less the wider it is."""
    hu = tubes()
    ours = scaled_eigenvalues(whole(hu), sigma).reshape(3, *hu.shape) / sigma**RIDGE_POWER
    theirs = hessian_matrix_eigvals(hessian_matrix(hu, sigma, mode="nearest", use_gaussian_derivatives=True))
    inner = (slice(None), *(slice(6, -6),) * 3)
    difference = np.abs(ours - theirs)[inner].max() / np.abs(theirs[inner]).max()
    assert difference < tolerance


@pytest.mark.parametrize("sigma", [2.0, 3.0])
def test_frangi_is_that_of_scikit_image(sigma: float) -> None:
    hu = tubes()
    ours = vesselness(whole(hu), Frangi(structure=60.0), (sigma,)).reshape(hu.shape)
    gamma = 60.0 / sigma**RIDGE_POWER  # theirs has no factor for the scale
    theirs = frangi(hu, sigmas=(sigma,), gamma=gamma, black_ridges=False, mode="nearest")
    inner = (slice(6, -6),) * 3
    # single voxels differ more, where an eigenvalue changes its sign
    assert np.quantile(np.abs(ours - theirs)[inner], 0.999) < 0.05
    assert np.corrcoef(ours[inner].ravel(), theirs[inner].ravel())[0, 1] > 0.999


@pytest.mark.parametrize("name", FILTERS)
def test_a_line_answers_and_a_sheet_does_less(name: str) -> None:
    z, y, x = np.indices((32, 32, 32)) - 16.0
    line = -860 + 700 * np.exp(-0.5 * (y**2 + x**2) / 1.5**2)
    sheet = -860 + 700 * np.exp(-0.5 * x**2 / 1.5**2)
    middle = np.ravel_multi_index((16, 16, 16), (32, 32, 32))
    both = np.where(z < 0, line, sheet).astype(np.float32)  # one volume: Jerman's filter looks at its strongest voxel
    response = vesselness(whole(both), FILTERS[name]).reshape(both.shape)
    assert response[8, 16, 16] > 5 * response[24, 16, 16]
    dark = vesselness(whole((-1000 - line).astype(np.float32)), FILTERS[name])
    assert dark[middle] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", ["sato", "jerman"])
def test_thin_and_thick_vessels_both_answer(name: str) -> None:
    """The middle of a vessel answers at some scale, whatever its width from 0.8 to 4 mm."""
    y, x = np.indices((40, 120))
    hu = np.full((24, 40, 120), -860, np.float32)
    middles = {0.8: 12, 1.5: 30, 2.5: 55, 4.0: 90}
    for radius, middle in middles.items():
        hu[:, np.hypot(y - 20, x - middle) <= radius] = 40
    response = vesselness(whole(hu), FILTERS[name]).reshape(hu.shape)
    answers = [response[12, 20, middle] for middle in middles.values()]
    assert min(answers) > 0.3 * max(answers)
    assert max(answers) > 10 * response[12, 20, 72]


def test_frangi_by_its_formula() -> None:
    values = np.array([[-10.0], [-150.0], [-200.0]], np.float32)
    sheet, ball, size = 150 / 200, 10 / np.sqrt(150 * 200), np.sqrt(10**2 + 150**2 + 200**2)
    expected = (1 - np.exp(-2 * sheet**2)) * np.exp(-2 * ball**2) * (1 - np.exp(-0.5 * (size / 200) ** 2))
    assert Frangi()(values, 0.0)[0] == pytest.approx(expected, rel=1e-4)
    assert Frangi()(np.array([[300.0], [150.0], [-200.0]], np.float32), 0.0)[0] == 0


def test_jerman_by_its_formula() -> None:
    columns = np.array([[0, -30, -300], [0, -200, -300], [10, 5, -300], [0, -30, -100]], np.float32).T
    answers = Jerman(0.5)(columns, strongest=300.0)
    assert answers[0] == pytest.approx(30**2 * (300 - 30) * (3 / 330) ** 3, rel=1e-4)
    assert answers[1] == 1
    assert answers[2] == 0
    assert answers[3] == pytest.approx(30**2 * (150 - 30) * (3 / 180) ** 3, rel=1e-4)  # raised to half of 300


def test_a_scan_in_millimetres_answers_the_same_on_any_voxels() -> None:
    def tube(spacing: tuple[float, float, float]) -> float:
        shape = tuple(round(24 / step) for step in spacing)
        _, y, x = np.indices(shape)
        hu = -860 + 700 * np.exp(-0.5 * ((spacing[1] * y - 12) ** 2 + (spacing[2] * x - 12) ** 2) / 1.6**2)
        return float(vesselness(whole(hu.astype(np.float32), spacing), Sato()).max())

    assert tube((2.0, 0.5, 0.5)) == pytest.approx(tube((0.75, 0.75, 0.75)), rel=0.05)


def test_only_the_lung_is_answered_and_padding_changes_nothing() -> None:
    scan = made_scan(0)
    hu = np.where(scan.labels == 0, np.int16(45), scan.hu)
    padded = hu.copy()
    padded[:, :1] = -3024
    fields = [LungField.cut(values, scan.spacing, scan.lung) for values in (hu, padded)]
    volume = fields[0].on_scan(vesselness(fields[0], Sato()))
    assert volume.dtype == np.float32
    assert volume.shape == scan.hu.shape
    assert (volume[scan.lung == 0] == 0).all()
    assert volume[scan.labels == 2].mean() > 8 * volume[scan.labels == 1].mean()
    assert np.min([field.hu.min() for field in fields]) >= -1000
    assert (hu == np.where(scan.labels == 0, 45, scan.hu)).all()  # the input is as it was


def test_lung_voxels_at_the_border_of_a_crop_have_neighbours() -> None:
    hu = tubes(24)
    field = whole(hu)
    assert field.hu.shape == (26, 26, 26)
    np.testing.assert_array_equal(field.on_scan(field.hu.reshape(-1)[field.inside]), np.clip(hu, -1000, 200))


def test_half_a_lung_answers_as_the_whole_but_at_the_cut() -> None:
    scan = made_scan(1)
    right = scan.lung.copy()
    right[:, :, 28:] = 0
    all_of_it, half = (
        (field := LungField.cut(scan.hu, scan.spacing, mask)).on_scan(vesselness(field, Sato()))
        for mask in (scan.lung, right)
    )
    np.testing.assert_allclose(half[:, :, :20], all_of_it[:, :, :20], rtol=0.02, atol=0.5)


def test_smoothing_is_in_millimetres() -> None:
    point = np.zeros((21, 41, 41), np.float32)
    point[10, 20, 20] = 1
    blurred = smoothed(point, (2.0, 1.0, 1.0), 3.0)
    assert blurred.dtype == np.float32
    assert blurred[13, 20, 20] == pytest.approx(blurred[10, 26, 20], rel=1e-3)


@pytest.mark.parametrize("mask", [np.zeros((4, 5, 6)), np.ones((4, 5, 5)), np.ones((4, 5))])
def test_a_mask_that_is_no_lung_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(InputError, match="lung mask"):
        LungField.cut(np.zeros((4, 5, 6)), CUBES, mask)
