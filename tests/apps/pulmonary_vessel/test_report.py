"""The files of a report: numbers, picture, surface and page, from a made scan of two tubes in two lungs."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from PIL import Image

from apps.pulmonary_vessel.report.browser import LOWEST_HU, MARGIN_MM, STEP_HU
from apps.pulmonary_vessel.report.mip import CALIBRE_COLOURS, coronal_mip
from apps.pulmonary_vessel.report.page import NUMBERS, PAGE, PICTURE, SURFACE, write_report
from apps.pulmonary_vessel.report.surface import vessel_surface, write_surface
from shared.errors import ConfigError, InputError
from shared.formats.volume import read_labels, read_volume
from shared.formats.volume_geometry import Geometry
from tests.shared.test_report import Page

SHAPE = (40, 44, 60)
SPACING = (1.0, 0.8, 0.8)
ORIGIN = (-20.0, -30.0, 100.0)
"""L, P, S."""


def made_scan() -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8], npt.NDArray[np.uint8], Geometry]:
    """HU, mask, lungs and grid: a wide vessel in the right lung, a thin one in the left."""
    z, y, x = np.indices(SHAPE)
    lung = np.zeros(SHAPE, dtype=np.uint8)
    lung[4:36, 6:38, 4:28] = 1
    lung[4:36, 6:38, 32:56] = 2
    wide = (np.hypot((y - 22) * 0.8, (x - 14 - 0.1 * z) * 0.8) < 2.6) & (z > 8) & (z < 30)
    thin = (np.hypot((y - 20) * 0.8, (x - 42 + 0.1 * z) * 0.8) < 1.0) & (z > 6) & (z < 34)
    mask = (wide | thin).astype(np.uint8)
    hu = np.full(SHAPE, 40, dtype=np.int16)
    hu[lung > 0] = -850
    hu[mask > 0] = 45
    hu = hu + np.random.default_rng(0).normal(scale=15, size=SHAPE).astype(np.int16)
    geometry = replace(Geometry.of_array(SHAPE, SPACING), origin=ORIGIN)
    return hu, mask, lung, geometry


def page_data(page: str) -> Any:
    """What the slice browser of a page unpacks."""
    found = re.search(r'<script type="application/json" id="volume">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    hu, mask, lung, geometry = made_scan()
    write_report(folder, hu, mask, lung, geometry, title="Tubes <1>", facts={"Model": "none"}, origin="phantom")
    return folder


def test_four_files_and_nothing_else(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == sorted([PAGE, NUMBERS, PICTURE, SURFACE])


def test_the_numbers_are_those_of_the_tubes(report: Path) -> None:
    numbers = json.loads((report / NUMBERS).read_text(encoding="utf-8"))
    right, left, both = numbers["regions"]
    _, mask, lung, _ = made_scan()
    voxel_ml = np.prod(SPACING) / 1000
    assert right["tbv_ml"] == pytest.approx(mask[lung == 1].sum() * voxel_ml)
    assert left["lung_ml"] == pytest.approx((lung == 2).sum() * voxel_ml)
    assert right["bv10_ml"] == pytest.approx(right["tbv_ml"])
    assert left["bv5_ml"] == pytest.approx(left["tbv_ml"])
    assert both["components"] == 2
    assert numbers["origin"] == "phantom"
    assert numbers["facts"]["Model"] == "none"
    assert "volume over length" in numbers["method"]


@pytest.mark.parametrize("flipped", [0, 2], ids=["z", "x"])
def test_a_file_that_runs_the_other_way_gives_the_same_report(flipped: int, report: Path, tmp_path: Path) -> None:
    *arrays, geometry = made_scan()
    axis = 2 - flipped
    origin = list(ORIGIN)
    origin[axis] += (geometry.size[axis] - 1) * geometry.spacing[axis]
    direction = np.eye(3)
    direction[axis, axis] = -1
    turned = replace(geometry, origin=tuple(origin), direction=tuple(direction.ravel()))
    hu, mask, lung = (np.flip(array, flipped) for array in arrays)
    write_report(tmp_path, hu, mask, lung, turned, title="Tubes <1>", facts={"Model": "none"}, origin="phantom")
    mine, other = (page_data((folder / PAGE).read_text(encoding="utf-8")) for folder in (report, tmp_path))
    for field in ("origin", "slices", "shape"):
        assert other[field] == mine[field]
    original, again = (trimesh.load(folder / SURFACE) for folder in (report, tmp_path))
    np.testing.assert_allclose(again.bounds, original.bounds, atol=1e-4)
    assert again.volume == pytest.approx(original.volume, rel=1e-4)


def test_vessels_outside_the_lungs_are_left_out_and_said(tmp_path: Path) -> None:
    hu, mask, lung, geometry = made_scan()
    mask[0:2, 0:10, 0:10] = 1
    volumes = write_report(tmp_path, hu, mask, lung, geometry, title="Tubes")
    assert volumes.regions[-1].components == 2
    assert "0.1 mL of the mask" in (tmp_path / PAGE).read_text(encoding="utf-8")


def test_a_scan_without_vessels_has_a_page_and_no_surface(tmp_path: Path) -> None:
    hu, mask, lung, geometry = made_scan()
    write_report(tmp_path, hu, np.zeros_like(mask), lung, geometry, title="No vessel")
    assert not (tmp_path / SURFACE).exists()
    assert page_data((tmp_path / PAGE).read_text(encoding="utf-8"))["shape"] == [40, 44, 60]
    with pytest.raises(InputError, match="lung mask is empty"):
        write_report(tmp_path, hu, mask, np.zeros_like(lung), geometry, title="No lung")


def test_a_surface_of_an_earlier_report_does_not_stay(tmp_path: Path) -> None:
    hu, mask, lung, geometry = made_scan()
    write_report(tmp_path, hu, mask, lung, geometry, title="Tubes")
    write_report(tmp_path, hu, np.zeros_like(mask), lung, geometry, title="No vessel")
    assert not (tmp_path / SURFACE).exists()


def test_wrong_shapes_and_labels_are_refused(tmp_path: Path) -> None:
    hu, mask, lung, geometry = made_scan()
    with pytest.raises(InputError, match=r"mask has the shape \(39, 44, 60\), the geometry \(40, 44, 60\)"):
        write_report(tmp_path, hu, mask[1:], lung, geometry, title="Tubes")
    lung[0, 0, 0] = 7
    with pytest.raises(InputError, match=r"a label 7; expected 0 outside, 1 right, 2 left"):
        write_report(tmp_path, hu, mask, lung, geometry, title="Tubes")


def test_the_picture_has_the_head_up_and_nothing_from_outside_the_lungs(report: Path) -> None:
    hu, mask, lung, _ = made_scan()
    classes = np.where(mask > 0, np.where(lung == 1, 3, 1), 0).astype(np.uint8)
    classes[33, 22, 40] = 2
    grey, coloured = coronal_mip(hu, classes, lung)
    assert grey.shape == (40, 60)
    assert not grey[:, 28:32].any()
    assert not coloured[:4].any()
    assert grey[39 - 20, 16] == 1.0
    blue, yellow, red = (np.array(matplotlib.colors.to_rgb(colour)) for colour in CALIBRE_COLOURS)
    # the hue of a pixel is that of its calibre
    for pixel, colour in ((coloured[39 - 20, 16], red), (coloured[39 - 20, 40], blue), (coloured[39 - 33, 40], yellow)):
        np.testing.assert_allclose(pixel / pixel.max(), colour / colour.max(), atol=1e-6)
    drawn = matplotlib.image.imread(report / PICTURE)
    assert drawn.shape[0] > 300
    assert drawn[..., :3].std() > 0.1


def test_the_widest_vessel_of_a_line_gives_the_colour() -> None:
    hu, _, lung, _ = made_scan()
    classes = np.zeros(SHAPE, dtype=np.uint8)
    classes[20, 10, 10], classes[20, 30, 10] = 3, 1
    _, coloured = coronal_mip(hu, classes, lung)
    red = np.array(matplotlib.colors.to_rgb(CALIBRE_COLOURS[2]))
    np.testing.assert_allclose(coloured[19, 10] / coloured[19, 10].max(), red / red.max(), atol=1e-6)


@pytest.mark.parametrize("handed", [1.0, -1.0])
def test_the_surface_is_closed_points_outwards_and_lies_in_the_patient(handed: float, tmp_path: Path) -> None:
    _, mask, lung, geometry = made_scan()
    geometry = replace(geometry, direction=(handed, 0, 0, 0, 1, 0, 0, 0, 1))
    mesh = vessel_surface((mask * (4 - lung)).astype(np.uint8), geometry)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(mask.sum() * np.prod(SPACING), rel=0.08)
    outer = np.argwhere(mask)
    corners = geometry.point_of(np.array([outer.min(axis=0) - 0.5, outer.max(axis=0) + 0.5]))
    np.testing.assert_allclose(mesh.bounds, np.sort(corners, axis=0), atol=1e-6)
    colours = np.unique(np.asarray(mesh.visual.vertex_colors)[:, :3], axis=0).tolist()
    palette = [[round(255 * value) for value in matplotlib.colors.to_rgb(colour)] for colour in CALIBRE_COLOURS[1:]]
    assert sorted(colours) == sorted(palette)
    for suffix in (".ply", ".stl"):
        write_surface(tmp_path / f"vessels{suffix}", mesh)
        again = trimesh.load(tmp_path / f"vessels{suffix}")
        assert again.volume == pytest.approx(mesh.volume, rel=1e-4)
    with pytest.raises(ConfigError, match=r"\.ply or \.stl; vessels\.obj is neither"):
        write_surface(tmp_path / "vessels.obj", mesh)


def test_no_vessel_has_no_surface() -> None:
    with pytest.raises(InputError, match="no vessel"):
        vessel_surface(np.zeros((3, 3, 3), dtype=np.uint8), Geometry.of_array((3, 3, 3), (1.0, 1.0, 1.0)))


def test_the_page_holds_the_voxels_it_shows(report: Path) -> None:
    hu, mask, lung, _ = made_scan()
    stored = page_data((report / PAGE).read_text(encoding="utf-8"))
    depth, height, width = stored["shape"]
    first = stored["first"]
    assert first == [0, 0, 0]
    assert [depth, height, width] == [min(36 + round(MARGIN_MM), 40), 44, 60]
    codes = np.frombuffer(gzip.decompress(base64.b64decode(stored["codes"])), dtype=np.uint8).reshape(stored["shape"])
    np.testing.assert_array_equal(codes >> 3, lung)
    np.testing.assert_array_equal(codes & 7, np.where(mask > 0, np.where(lung == 1, 3, 1), 0))
    planes = [np.asarray(Image.open(io.BytesIO(base64.b64decode(plane)))) for plane in stored["slices"]]
    shown = LOWEST_HU + STEP_HU * np.stack(planes).astype(float)
    assert np.abs(shown - hu).mean() < 20
    assert stored["origin"] == [ORIGIN[2], ORIGIN[1], ORIGIN[0]]
    assert stored["lungs"] == ["", "right lung", "left lung"]


def test_the_page_shows_the_lungs_and_a_margin_only(tmp_path: Path) -> None:
    hu, mask, lung, geometry = (np.pad(a, 25) if isinstance(a, np.ndarray) else a for a in made_scan())
    geometry = Geometry.of_array(lung.shape, SPACING)
    write_report(tmp_path, hu, mask, lung, geometry, title="Tubes")
    stored = page_data((tmp_path / PAGE).read_text(encoding="utf-8"))
    start = [25 + 4 - 10, 25 + 6 - 12, 25 + 4 - 12]
    assert stored["first"] == start
    assert stored["shape"] == [32 + 20, 32 + 24, 52 + 24]
    np.testing.assert_allclose(stored["origin"], np.multiply(start, SPACING))
    assert stored["whole"] == list(lung.shape)


def test_the_page_needs_nothing_else_and_says_what_it_shows(report: Path) -> None:
    text = (report / PAGE).read_text(encoding="utf-8")
    words = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)
    assert "http" not in words
    assert not re.search(r"<link|@import|fetch\(|XMLHttpRequest|WebSocket|<script src", words)
    assert "Tubes &lt;1&gt;" in words
    assert "Synthetic data" in words
    assert "a phantom" in words
    assert words.index("TBV, mL") < words.index('id="picture"') < words.index('id="browser"')
    assert "prefers-color-scheme: dark" in words
    assert Page(text).open == []
    ids = re.findall(r'\bid="([^"]+)"', words)
    assert len(ids) == len(set(ids))


def test_two_reports_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    hu, mask, lung, geometry = made_scan()
    write_report(tmp_path, hu, mask, lung, geometry, title="Tubes <1>", facts={"Model": "none"}, origin="phantom")
    for name in (PAGE, NUMBERS, PICTURE, SURFACE):
        assert (tmp_path / name).read_bytes() == (report / name).read_bytes()


@pytest.mark.slow
def test_a_real_scan_with_its_silver_mask(real_ct: Path, tmp_path: Path) -> None:
    volume = read_volume(real_ct / "ct_real" / "ts_cta_right_1p5mm.nii.gz")
    labels = read_labels(real_ct / "ct_real" / "ts_cta_right_1p5mm_silver.nii.gz", volume.geometry)
    mask, lung = (labels == 2).astype(np.uint8), (labels > 0).astype(np.uint8)
    (region,) = write_report(tmp_path, volume.hu, mask, lung, volume.geometry, title="CTA").regions
    assert region.tbv_ml == pytest.approx(mask.sum() * 1.5**3 / 1000)
    assert 0.2 < region.bv5_share < 0.45
    assert region.largest_component > 0.8
    surface = trimesh.load(tmp_path / SURFACE)
    assert surface.is_watertight
    assert surface.volume / 1000 == pytest.approx(region.tbv_ml, rel=0.25)
