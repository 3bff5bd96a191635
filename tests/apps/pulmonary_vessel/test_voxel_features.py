"""Voxel features: each column what its name says, at any choice of voxels."""

from __future__ import annotations

import numpy as np
import pytest

from apps.pulmonary_vessel.vesselness.lung_field import LungField
from apps.pulmonary_vessel.voxel_features import FEATURES, voxel_features
from tests.apps.pulmonary_vessel.made_tubes import made_scan


@pytest.fixture(scope="module")
def field() -> LungField:
    scan = made_scan(0)
    return LungField.cut(scan.hu, scan.spacing, scan.lung)


@pytest.fixture(scope="module")
def table(field: LungField) -> np.ndarray:
    return voxel_features(field)


def column(table: np.ndarray, name: str) -> np.ndarray:
    return table[:, FEATURES.index(name)]


def test_one_row_per_lung_voxel_and_one_column_per_name(field: LungField, table: np.ndarray) -> None:
    assert table.shape == (len(field.inside), 22)
    assert len(set(FEATURES)) == len(FEATURES) == 22
    assert table.dtype == np.float32
    assert np.isfinite(table).all()


def test_some_voxels_have_the_features_they_have_among_all(field: LungField, table: np.ndarray) -> None:
    some = np.arange(7, len(field.inside), 41)
    np.testing.assert_allclose(voxel_features(field, field.inside[some]), table[some], rtol=1e-5, atol=1e-3)


def test_columns_are_what_they_are_called(field: LungField, table: np.ndarray) -> None:
    grey = field.hu
    np.testing.assert_array_equal(column(table, "HU"), grey.reshape(-1)[field.inside])
    voxel = len(field.inside) // 2
    z, y, x = np.unravel_index(field.inside[voxel], grey.shape)
    cube = grey[z - 3 : z + 4, y - 4 : y + 5, x - 4 : x + 5].astype(np.float64)  # 7 mm of slices, 6.75 mm in plane
    assert column(table, "mean within 6.0 mm")[voxel] == pytest.approx(cube.mean(), abs=0.1)
    assert column(table, "deviation within 6.0 mm")[voxel] == pytest.approx(cube.std(), rel=1e-2)
    for scale in (0.7, 1.2, 2.0, 3.3):
        lambdas = [column(table, f"lambda {number}, {scale} mm") for number in (1, 2, 3)]
        assert (np.diff(lambdas, axis=0) <= 1e-2).all()


def test_the_darkest_value_tells_an_airway_wall_from_a_vessel(field: LungField, table: np.ndarray) -> None:
    labels = made_scan(0).labels[field.lung]
    darkest = column(table, "darkest within 3.5 mm")
    assert np.median(darkest[labels == 4]) < -900 < np.median(darkest[labels == 2])


def test_a_flat_lung_has_no_slope_no_bend_and_no_deviation() -> None:
    flat = np.full((12, 14, 16), -800, np.int16)
    table = voxel_features(LungField.cut(flat, (1.0, 1.0, 1.0), np.ones(flat.shape)))
    for name, values in zip(FEATURES, table.T, strict=True):
        expected = -800 if "HU" in name or "mean" in name or "darkest" in name else 0
        np.testing.assert_allclose(values, expected, atol=0.5, err_msg=name)
