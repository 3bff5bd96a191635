"""Cross-sections and lengths of tubes whose radius is known, on grids of several spacings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from apps.pulmonary_vessel.report.calibre import CALIBRES, METHOD, measure_calibre
from apps.pulmonary_vessel.report.thinning import thin
from apps.pulmonary_vessel.report.volumes import BOTH, RADIUS_EDGES_MM, VesselVolumes, lung_names, measure_volumes

Spacing = tuple[float, float, float]
Segment = tuple[npt.ArrayLike, npt.ArrayLike, float]
"""Start and end (z, y, x in mm) and radius."""

SIDE_MM = 40.0
FINE: Spacing = (0.7, 0.7, 0.7)
USUAL: Spacing = (1.25, 0.75, 0.75)


def tubes(segments: list[Segment], spacing: Spacing) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """A mask of rounded cylinders in a cube, and the radius of the tube that each voxel of it lies deepest in."""
    axes = [np.arange(0, SIDE_MM, step) + step / 2 for step in spacing]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    depth = np.full(places.shape[:3], -np.inf)
    radii = np.zeros_like(depth)
    for start, end, radius in segments:
        along = np.subtract(end, start)
        share = np.clip((places - start) @ along / (along @ along), 0, 1)[..., None]
        inside = radius - np.linalg.norm(places - start - share * along, axis=-1)
        radii = np.where(inside > depth, radius, radii)
        depth = np.maximum(depth, inside)
    return depth > 0, radii[depth > 0]


@pytest.mark.parametrize("spacing", [FINE, USUAL], ids=["isotropic", "1.25 mm sections"])
@pytest.mark.parametrize("radius", [0.9, 1.5, 3.0])
@pytest.mark.parametrize("end", [(35, 20, 20), (20, 35, 6), (34, 31, 29)], ids=["through", "in plane", "oblique"])
def test_a_tube_has_its_cross_section_and_its_length(spacing: Spacing, radius: float, end: Segment) -> None:
    start = np.array([5.0, 8.0, 11.0])
    mask, _ = tubes([(start, end, radius)], spacing)
    calibre = measure_calibre(mask, spacing)
    assert np.median(calibre.area) == pytest.approx(np.pi * radius**2, rel=0.17)
    # the round ends may count or be thinned away
    length = float(np.linalg.norm(np.subtract(end, start)))
    assert 0.95 * length - 2 * radius < calibre.point_length.sum() < 1.05 * (length + 2 * radius)


def test_a_trunk_keeps_its_rim_and_thin_branches_stay_thin() -> None:
    trunk: Segment = ((4, 19, 21), (36, 21, 20), 3.0)
    twigs: list[Segment] = [((z, 20, 20), (z + 5, 20 + side * 15, 24), 0.9) for z in (9, 26) for side in (-1, 1)]
    mask, radii = tubes([trunk, *twigs], FINE)
    classes = measure_calibre(mask, FINE).classes
    assert np.mean(classes[radii == 3.0] == 3) > 0.9
    assert np.mean(classes[radii == 0.9] == 1) > 0.9


def test_a_cavity_does_not_split_a_vessel() -> None:
    mask, _ = tubes([((5, 20, 20), (35, 20, 20), 3.0)], FINE)
    hollow = mask.copy()
    hollow[tuple(np.argwhere(mask).mean(axis=0).astype(int))] = False
    whole, holed = measure_calibre(mask, FINE), measure_calibre(hollow, FINE)
    assert len(holed.points) == len(whole.points)
    assert np.median(holed.area) == pytest.approx(np.median(whole.area), rel=0.01)


@pytest.mark.parametrize("shape", [(2, 2, 20), (4, 20, 4), (1, 2, 5), (2, 2, 2), (1, 1, 1)])
def test_no_piece_is_thinned_to_nothing(shape: tuple[int, int, int]) -> None:
    mask = np.zeros((30, 30, 30), dtype=bool)
    mask[tuple(slice(3, 3 + size) for size in shape)] = True
    mask[25, 25, 5:25] = True
    line = thin(mask)
    pieces, n = label(mask, np.ones((3, 3, 3)))
    assert sorted(np.unique(pieces[line])) == list(range(1, n + 1))
    assert not (line & ~mask).any()
    # along the length, less what a thick end loses
    assert (pieces[line] == 1).sum() >= max(shape) - max(sorted(shape)[1], 1)


def two_lungs() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    mask, _ = tubes([((5, 20, 10), (35, 20, 10), 2.5), ((5, 20, 30), (35, 20, 30), 0.9)], FINE)
    lung = np.ones(mask.shape, dtype=np.uint8)
    lung[:, :, mask.shape[2] // 2 :] = 2
    return mask, lung


def volumes_of(mask: npt.NDArray[np.bool_], lung: npt.NDArray[np.uint8], spacing: Spacing) -> VesselVolumes:
    return measure_volumes(measure_calibre(mask, spacing), mask, lung, spacing)


def test_volumes_add_up_over_calibres_and_over_lungs() -> None:
    mask, lung = two_lungs()
    right, left, both = volumes_of(mask, lung, FINE).regions
    assert [right.region, left.region, both.region] == ["right lung", "left lung", BOTH]
    assert both.tbv_ml == pytest.approx(mask.sum() * 0.7**3 / 1000)
    for region in (right, left, both):
        assert region.bv5_ml + region.bv5_10_ml + region.bv10_ml == pytest.approx(region.tbv_ml)
        assert sum(region.histogram_ml) == pytest.approx(region.tbv_ml)
        assert sum(region.histogram_mm) == pytest.approx(1000 * region.centreline_m)
    for field in ("tbv_ml", "lung_ml", "bv5_ml", "bv10_ml", "centreline_m", "components"):
        assert getattr(right, field) + getattr(left, field) == pytest.approx(getattr(both, field))


def test_each_lung_has_its_own_calibres() -> None:
    mask, lung = two_lungs()
    right, left, both = volumes_of(mask, lung, FINE).regions
    assert right.bv10_ml > 0.95 * right.tbv_ml
    assert left.bv5_share > 0.95
    assert (right.components, left.components, both.components) == (1, 1, 2)
    assert right.largest_component == 1.0
    assert both.largest_component == pytest.approx(right.tbv_ml / both.tbv_ml)
    most = int(np.argmax(right.histogram_ml))
    assert RADIUS_EDGES_MM[most] - 0.25 <= 2.5 <= RADIUS_EDGES_MM[most + 1] + 0.25


def test_one_label_names_no_side() -> None:
    assert lung_names(np.array([0, 1], dtype=np.uint8)) == {1: "lung field"}
    assert lung_names(np.array([0, 2], dtype=np.uint8)) == {2: "lung field"}
    assert lung_names(np.array([0, 1, 2], dtype=np.uint8)) == {1: "right lung", 2: "left lung"}
    assert lung_names(np.zeros(2, dtype=np.uint8)) == {}


def test_no_vessel_is_no_fault() -> None:
    mask, lung = two_lungs()
    both = volumes_of(np.zeros_like(mask), lung, FINE).regions[-1]
    assert (both.tbv_ml, both.bv5_share, both.components, both.largest_component) == (0.0, 0.0, 0, 0.0)
    assert both.lung_ml == pytest.approx(mask.size * 0.7**3 / 1000)


def test_thick_slices_are_warned_of() -> None:
    mask, lung = two_lungs()
    assert volumes_of(mask, lung, FINE).caution == ""
    thick = volumes_of(mask[::7], lung[::7], (4.9, 0.7, 0.7))
    assert "4.9 mm apart" in thick.caution
    assert thick.caution in thick.table().note


def test_the_numbers_come_with_their_method() -> None:
    mask, lung = two_lungs()
    volumes = volumes_of(mask, lung, FINE)
    stored, table = volumes.to_dict(), volumes.table()
    assert stored["method"] == METHOD
    assert METHOD in table.note
    assert [region["bv5_share"] for region in stored["regions"]] == [region.bv5_share for region in volumes.regions]
    assert len(stored["radius_edges_mm"]) == len(stored["regions"][0]["histogram_ml"])
    assert [row[0].partition(",")[0] for row in table.rows[1:4]] == list(CALIBRES)


@settings(max_examples=20, deadline=None)
@given(mask=arrays(bool, (7, 6, 5)), step=st.sampled_from([0.3, 0.7, 2.0, 6.0]))
def test_any_mask_has_positive_areas(mask: npt.NDArray[np.bool_], step: float) -> None:
    calibre = measure_calibre(mask, (step, 0.7, 0.6))
    assert calibre.area.shape == (mask.sum(),)
    assert np.isfinite(calibre.area).all()
    assert (calibre.area > 0).all()
    assert mask.any() == bool(len(calibre.points))
