"""Scans of every kind in, masks in their own geometry out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
import torch

from apps.pulmonary_vessel import VesselSegmentation, VesselSegmenter
from apps.pulmonary_vessel.model import build_network
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.predict import scan_name
from apps.pulmonary_vessel.results import STRUCTURES, structures
from shared.contract import as_plain
from shared.errors import ConfigError, InputError
from shared.formats.volume import Geometry, image_of, write_volume
from tests.apps.pulmonary_vessel.made_segmenter import bright_segmenter
from tests.apps.pulmonary_vessel.made_tubes import SPACING as STEP
from tests.apps.pulmonary_vessel.made_tubes import made_scan
from tests.shared.formats.made_dicom import write_slices
from tests.shared.formats.turns import TURNS


@pytest.fixture(scope="module")
def scan() -> npt.NDArray[np.int16]:
    return made_scan(0).hu


@pytest.fixture(scope="module")
def expected(scan: npt.NDArray[np.int16]) -> VesselSegmentation:
    return bright_segmenter().predict(scan, spacing=STEP)


def test_an_answer_is_whole(scan: npt.NDArray[np.int16], expected: VesselSegmentation) -> None:
    answer = bright_segmenter().predict(scan, spacing=STEP, return_probability=True)
    assert (answer.status, answer.reason) == ("ok", None)
    assert answer.mask.dtype == answer.lung.dtype == np.uint8
    assert answer.mask.shape == answer.lung.shape == scan.shape
    assert 0.005 < answer.mask[answer.lung > 0].mean() < 0.3
    assert not answer.mask[answer.lung == 0].any()
    assert answer.probability is not None
    assert not answer.probability[answer.lung == 0].any()
    np.testing.assert_array_equal(answer.mask, (answer.probability >= 0.5) & (answer.lung > 0))
    assert (expected.probability, answer.spacing_mm) == (None, STEP)
    assert answer.volumes_ml["vessel"] == pytest.approx(answer.mask.sum() * 0.5625 / 1000)
    assert answer.volumes_ml["lung"] == pytest.approx((answer.lung > 0).sum() * 0.5625 / 1000)
    plain = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert plain["shape"] == list(scan.shape)
    assert "mask" not in plain


def kinds(scan: npt.NDArray[np.int16], folder: Path) -> dict[str, object]:
    grid = Geometry.of_array(scan.shape, STEP)
    sources: dict[str, object] = {"image": image_of(scan, grid)}
    for suffix in (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd"):
        write_volume(folder / f"scan{suffix}", scan, grid)
        sources[suffix] = folder / f"scan{suffix}"
    np.save(folder / "scan.npy", scan)
    return sources


def test_every_kind_of_scan_has_the_same_answer(
    scan: npt.NDArray[np.int16], expected: VesselSegmentation, tmp_path: Path
) -> None:
    segmenter = bright_segmenter()
    for kind, source in kinds(scan, tmp_path).items():
        answer = segmenter.predict(source)
        np.testing.assert_array_equal(answer.mask, expected.mask, err_msg=kind)
        assert answer.spacing_mm == pytest.approx(STEP, rel=1e-6)
    np.testing.assert_array_equal(segmenter.predict(tmp_path / "scan.npy", spacing=STEP).mask, expected.mask)
    np.testing.assert_array_equal(segmenter.predict(scan.astype(np.float64), spacing=STEP).mask, expected.mask)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
def test_a_dicom_folder_is_read_by_position_and_answered_on_its_grid(
    scan: npt.NDArray[np.int16], tmp_path: Path, packed: bool
) -> None:
    against = [f"{100 - number}.dcm" for number in range(len(scan))]
    paths = write_slices(tmp_path / "dicom", scan, names=against, step=1.0, packed=packed)
    segmenter = bright_segmenter()
    answer, of_array = segmenter.predict(tmp_path / "dicom"), segmenter.predict(scan, spacing=(1.0, 0.8, 0.7))
    np.testing.assert_array_equal(answer.mask, of_array.mask)
    np.testing.assert_array_equal(segmenter.predict(paths[3]).mask, of_array.mask)
    assert (answer.spacing_mm, answer.origin_mm) == (pytest.approx((1.0, 0.8, 0.7)), (-100.0, -100.0, -100.0))


@pytest.mark.parametrize("turn", TURNS)
def test_a_mask_is_written_in_the_geometry_of_its_scan(
    scan: npt.NDArray[np.int16], expected: VesselSegmentation, turn: str, tmp_path: Path
) -> None:
    grid = Geometry(scan.shape[::-1], STEP[::-1], (12.5, -30.0, 7.25), tuple(TURNS[turn].ravel()))
    stored = grid.from_standard(scan) if turn == "sagittal" else scan
    if turn == "sagittal":
        grid = Geometry(stored.shape[::-1], tuple(np.array(STEP[::-1])[[1, 2, 0]]), grid.origin, grid.direction)
    source = image_of(np.ascontiguousarray(stored), grid)
    answer = bright_segmenter().predict(source)
    answer.save(tmp_path / "mask.nrrd")
    written = SimpleITK.ReadImage(str(tmp_path / "mask.nrrd"))
    for ask in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(written, ask)() == pytest.approx(getattr(source, ask)(), abs=1e-6), ask
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written), answer.mask)
    bright = stored >= -250
    assert (answer.mask == (bright & (answer.lung > 0))).mean() > 0.99
    assert answer.volumes_ml["lung"] == pytest.approx(expected.volumes_ml["lung"], rel=0.05)


def test_a_flipped_file_has_the_flipped_answer(scan: npt.NDArray[np.int16], expected: VesselSegmentation) -> None:
    upside_down = Geometry(scan.shape[::-1], STEP[::-1], direction=tuple(TURNS["flipped z"].ravel()))
    answer = bright_segmenter().predict(image_of(scan[::-1], upside_down))
    np.testing.assert_array_equal(answer.mask, expected.mask[::-1])


def test_a_lung_mask_of_any_kind_counts(scan: npt.NDArray[np.int16], tmp_path: Path) -> None:
    lung = np.zeros(scan.shape, dtype=np.uint8)
    lung[4:20, 6:30, 6:30] = 3
    grid = Geometry.of_array(scan.shape, STEP)
    write_volume(tmp_path / "lung.nii.gz", lung, grid)
    segmenter = bright_segmenter()
    for given in (lung, lung > 0, tmp_path / "lung.nii.gz", image_of(lung, grid)):
        answer = segmenter.predict(scan, spacing=STEP, lung_mask=given)
        np.testing.assert_array_equal(answer.lung > 0, lung > 0)
        assert answer.mask.any()
        assert not answer.mask[lung == 0].any()
    empty = segmenter.predict(scan, spacing=STEP, lung_mask=np.zeros_like(lung))
    assert (empty.status, empty.mask.any()) == ("undecided", False)
    with pytest.raises(InputError, match="grid"):
        segmenter.predict(scan[1:], spacing=STEP, lung_mask=tmp_path / "lung.nii.gz")
    with pytest.raises(InputError, match="shape"):
        segmenter.predict(scan, spacing=STEP, lung_mask=lung[1:])


def test_a_higher_threshold_marks_less(scan: npt.NDArray[np.int16], expected: VesselSegmentation) -> None:
    high = bright_segmenter().predict(scan, spacing=STEP, threshold=0.9)
    assert (high.threshold, expected.threshold) == (0.9, 0.5)
    assert 0 < high.mask.sum() < expected.mask.sum()
    assert not (high.mask > expected.mask).any()


@pytest.mark.parametrize("values", [-1000, 40, 0], ids=["air", "tissue", "zeros"])
def test_what_is_no_chest_is_undecided(values: int) -> None:
    answer = bright_segmenter().predict(np.full((24, 40, 40), values, np.int16), spacing=STEP, return_probability=True)
    assert answer.status == "undecided"
    assert answer.reason
    assert not answer.mask.any()
    assert not answer.lung.any()
    assert answer.probability is not None
    assert not answer.probability.any()
    assert answer.volumes_ml == {"vessel": 0.0, "lung": 0.0}


WRONG: dict[str, tuple[Callable[[npt.NDArray[np.int16]], object], dict[str, object], str]] = {
    "no spacing": (lambda scan: scan, {}, "voxel size"),
    "two steps": (lambda scan: scan, {"spacing": (1.0, 1.0)}, "three"),
    "metres": (lambda scan: scan, {"spacing": (0.001, 0.001, 0.001)}, "mm"),
    "one slice": (lambda scan: scan[:1], {"spacing": STEP}, "two slices"),
    "another spacing": (lambda scan: image_of(scan, Geometry.of_array(scan.shape, STEP)), {"spacing": (9, 1, 1)}, "9"),
    "threshold": (lambda scan: scan, {"spacing": STEP, "threshold": 50}, "50"),
    "a mask": (lambda scan: image_of((scan > 0).astype(np.uint8), Geometry.of_array(scan.shape, STEP)), {}, "HU"),
    "no path": (lambda _: "", {}, "empty"),
}


@pytest.mark.parametrize(("item", "keywords", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_form_is_said(scan: npt.NDArray[np.int16], item, keywords, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        bright_segmenter().predict(item(scan), **keywords)


def test_cleaning_is_the_cards(scan: npt.NDArray[np.int16], expected: VesselSegmentation) -> None:
    cleaned = bright_segmenter(smallest_mm3=60.0).predict(scan, spacing=STEP)
    assert 0 < cleaned.mask.sum() < expected.mask.sum()
    assert not (cleaned.mask > expected.mask).any()


def test_structures_are_told_by_the_more_probable() -> None:
    mask = np.array([[[1, 1, 0, 0, 1]]], dtype=np.uint8)
    rows = {"vessel": [9, 9, 0, 0, 9], "artery": [6, 2, 9, 0, 5], "vein": [4, 8, 0, 0, 5], "airway": [9, 0, 6, 4, 0]}
    outputs = {name: np.array([[row]], dtype=np.float32) / 10 for name, row in rows.items()}
    assert structures(mask, outputs).tolist() == [[[2, 3, 4, 0, 2]]]
    airways_only = {name: outputs[name] for name in ("vessel", "airway")}
    assert structures(mask, airways_only).tolist() == [[[1, 1, 4, 0, 1]]]


def test_a_model_with_more_outputs_writes_them_in_one_file(scan: npt.NDArray[np.int16], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(kind="residual", filters=(2, 4), artery_vein=True, airways=True)
    card = dataclasses.replace(bright_segmenter().card, network=as_plain(config))
    segmenter = VesselSegmenter(card, build_network(config))
    answer = segmenter.predict(scan, spacing=STEP, return_structures=True)
    assert answer.structures is not None
    np.testing.assert_array_equal(np.isin(answer.structures, (1, 2, 3)), answer.mask > 0)
    assert not (answer.structures[answer.lung == 0]).any()
    assert (answer.structures == STRUCTURES["airway"]).any()
    answer.save(tmp_path / "found.nrrd")
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / "found.nrrd")), answer.structures
    )
    assert segmenter.predict(np.full((20, 30, 30), 40), spacing=STEP, return_structures=True).status == "undecided"
    with pytest.raises(ConfigError, match="vessels only"):
        bright_segmenter().predict(scan, spacing=STEP, return_structures=True)


def test_a_saved_mask_needs_a_known_ending(expected: VesselSegmentation, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="png"):
        expected.save(tmp_path / "mask.png")


def test_names_of_masks_come_from_scans() -> None:
    names = {"a/ct.nii.gz": "ct", "b/1.2.840": "1.2.840", "c/x.mha": "x", "d/y.npy": "y", "e/slice.dcm": "slice"}
    assert {path: scan_name(Path(path)) for path in names} == names


def test_a_segmenter_is_importable_by_its_public_name() -> None:
    assert isinstance(bright_segmenter(), VesselSegmenter)
