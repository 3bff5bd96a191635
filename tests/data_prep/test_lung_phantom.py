"""The phantom as a whole: repeatable, its labels exact and its grey values those of a CT."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from data_prep.lung_phantom.phantom import LABELS, Phantom, render
from shared.errors import ConfigError

SHAPE = (64, 64, 64)
SPACING = (1.0, 0.8, 0.8)


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return [render(seed, SHAPE, SPACING, contrast=bool(seed % 2), section_mm=1.25, noise_hu=15.0) for seed in range(6)]


def _hu(phantoms: list[Phantom], name: str) -> np.ndarray:
    return np.concatenate([phantom.ct[phantom.labels == LABELS[name]] for phantom in phantoms])


def test_a_seed_gives_the_same_voxels_and_another_seed_others() -> None:
    first, again, other = render(3, SHAPE, SPACING), render(3, SHAPE, SPACING), render(4, SHAPE, SPACING)
    for name in ("ct", "labels", "artery_vein", "centreline"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert first.facts == again.facts
    assert np.mean(first.ct == other.ct) < 0.2


def test_types_and_values(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        assert (phantom.ct.dtype, phantom.labels.dtype, phantom.artery_vein.dtype) == (np.int16, np.uint8, np.uint8)
        assert phantom.ct.shape == phantom.labels.shape == phantom.artery_vein.shape == SHAPE
        assert phantom.ct.min() >= -1024
        assert set(np.unique(phantom.labels)) <= set(LABELS.values())
        np.testing.assert_array_equal(phantom.artery_vein > 0, phantom.labels == LABELS["vessel"])
        assert phantom.centreline.dtype == np.float32
        assert phantom.centreline.shape[1] == 5


def test_each_phantom_shows_lung_with_vessels(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        lung = phantom.labels > 0
        assert lung.mean() > 0.15
        assert 0.004 < np.mean(phantom.labels[lung] == LABELS["vessel"]) < 0.3
        assert {1, 2} <= set(np.unique(phantom.artery_vein))


def test_everything_occurs_somewhere(phantoms: list[Phantom]) -> None:
    assert set(np.concatenate([np.unique(phantom.labels) for phantom in phantoms])) == set(LABELS.values())


def test_grey_values_are_in_order(phantoms: list[Phantom]) -> None:
    lung, lumen, wall, vessel = (
        float(np.median(_hu(phantoms, name))) for name in ("lung", "airway lumen", "airway wall", "vessel")
    )
    assert -960 < lung < -760
    assert wall > lumen + 150
    assert vessel > lung + 350


def test_contrast_makes_vessels_brighter() -> None:
    plain, bright = (render(8, SHAPE, SPACING, contrast=contrast, noise_hu=12.0) for contrast in (False, True))
    assert (plain.facts["contrast"], bright.facts["contrast"]) == ("plain", "contrast")
    wide = [ndimage.binary_erosion(phantom.labels == LABELS["vessel"]) for phantom in (plain, bright)]
    assert bright.ct[wide[1]].mean() > plain.ct[wide[0]].mean() + 80


def test_noise_is_what_was_asked_for() -> None:
    quiet, loud = (render(5, SHAPE, SPACING, section_mm=1.5, contrast=False, noise_hu=noise) for noise in (12.0, 60.0))
    np.testing.assert_array_equal(quiet.labels, loud.labels)
    added = (loud.ct.astype(float) - quiet.ct)[quiet.ct > -900]
    assert added.std() == pytest.approx(60.0 - 12.0, rel=0.25)


def test_a_thick_section_blurs_along_z_only() -> None:
    thin, thick = (render(6, SHAPE, SPACING, section_mm=mm, contrast=False, noise_hu=1e-3) for mm in (1.0, 5.0))
    along_z, along_x = (
        np.abs(np.diff(thick.ct.astype(float), axis=axis)).mean()
        / np.abs(np.diff(thin.ct.astype(float), axis=axis)).mean()
        for axis in (0, 2)
    )
    assert along_z < 0.8 * along_x


def test_the_centreline_lies_in_what_it_is_the_centre_of(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        places, radius, kind = phantom.centreline[:, :3], phantom.centreline[:, 3], phantom.centreline[:, 4]
        index = tuple(np.rint(places).astype(int).T)
        np.testing.assert_array_equal(phantom.labels[index] == LABELS["airway lumen"], kind == 3)
        np.testing.assert_array_equal(phantom.labels[index] == LABELS["vessel"], kind < 3)
        assert radius.min() > 0.15
        assert radius.max() < 15


def test_wide_vessels_are_as_wide_as_their_centreline_says(phantoms: list[Phantom]) -> None:
    errors = []
    for phantom in phantoms:
        depth = ndimage.distance_transform_edt(phantom.labels == LABELS["vessel"], sampling=phantom.spacing)
        lines = phantom.centreline[(phantom.centreline[:, 4] < 3) & (phantom.centreline[:, 3] > 1.5)]
        index = tuple(np.rint(lines[:, :3]).astype(int).T)
        errors.append(depth[index] - lines[:, 3])
    assert abs(np.median(np.concatenate(errors))) < 0.6


def test_the_airway_has_a_wall_around_it(phantoms: list[Phantom]) -> None:
    beside = np.zeros(len(LABELS), dtype=int)
    for phantom in phantoms:
        lumen = phantom.labels == LABELS["airway lumen"]
        rim = ndimage.binary_dilation(lumen) & ~lumen & (phantom.labels > 0)
        beside += np.bincount(phantom.labels[rim], minlength=len(LABELS))
    assert beside[LABELS["airway wall"]] > 0.5 * beside.sum()


def test_thick_slices_show_the_same_person() -> None:
    thin = render(7, (40, 48, 48), (1.0, 1.0, 1.0), section_mm=1.0, noise_hu=10.0)
    thick = render(7, (8, 48, 48), (5.0, 1.0, 1.0), section_mm=5.0, noise_hu=10.0)
    assert thick.labels.shape == (8, 48, 48)
    assert thick.facts["thinnest_mm"] > thin.facts["thinnest_mm"]
    assert np.mean(thick.labels > 0) > 0.1


@pytest.mark.slow
def test_a_large_grid_shows_both_lungs() -> None:
    chest = render(2, (40, 64, 96), (6.0, 4.5, 4.0), noise_hu=12.0)
    right, left = (np.sum(half > 0) * 6.0 * 4.5 * 4.0 / 1e6 for half in np.split(chest.labels, 2, axis=2))
    assert 1.0 < left < right + 0.5 < 6.0  # litres; the heart lies on the left
    assert chest.ct[5:20, 0, 0].max() < -800  # outside the body


@settings(deadline=None, max_examples=8, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(8, 40), st.integers(8, 48), st.integers(8, 48)),
    st.tuples(st.floats(0.5, 6.0), st.floats(0.4, 3.0), st.floats(0.4, 3.0)),
)
def test_any_grid_can_be_rendered(seed: int, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
    phantom = render(seed, shape, spacing)
    assert phantom.ct.shape == shape
    assert np.ptp(phantom.ct) > 100
    assert np.all(phantom.centreline[:, :3] > -0.5)
    assert np.all(phantom.centreline[:, :3] < np.array(shape) - 0.5)


@pytest.mark.parametrize(("shape", "spacing"), [((64, 64, 4), SPACING), (SHAPE, (1.0, 0.0, 1.0))])
def test_what_is_no_scan_is_refused(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="expected at least 8 voxels"):
        render(0, shape, spacing)


@pytest.mark.slow
def test_a_whole_volume_takes_less_than_25_seconds() -> None:
    start = time.process_time()
    render(1)
    assert time.process_time() - start < 25
