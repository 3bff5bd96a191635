from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from shared.errors import InputError
from shared.formats.volume import read_volume
from tests.shared.formats.made_dicom import write_slices
from tests.shared.formats.turns import TURNS

SCAN = np.random.default_rng(1).integers(-1024, 1500, (6, 9, 8)).astype(np.int16)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_slices_are_ordered_by_position_not_by_name(tmp_path: Path, packed: bool) -> None:
    names = ["9.dcm", "10.dcm", "b.dcm", "a.dcm", "1.dcm", "2.dcm"]
    paths = write_slices(tmp_path, SCAN, names=names, packed=packed)
    (tmp_path / "notes.txt").write_text("not a slice, and shorter than a preamble")
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.hu, SCAN)
    assert volume.geometry.spacing == pytest.approx((0.7, 0.8, 2.5))
    assert volume.geometry.origin == pytest.approx((-100.0, -100.0, -100.0))
    assert (volume.patient, volume.section_mm, volume.contrast) == ("patient 7", 3.0, "unknown")
    if packed:
        assert b"1.2.840.10008.1.2.4" in paths[0].read_bytes()[:600]  # one of the JPEG transfer syntaxes


def test_files_need_no_suffix(tmp_path: Path) -> None:
    for path in write_slices(tmp_path, SCAN):
        path.rename(path.with_suffix(""))
    assert np.array_equal(read_volume(tmp_path).hu, SCAN)
    assert np.array_equal(read_volume(tmp_path / "slice004").hu, SCAN)


def test_an_oblique_series_keeps_its_direction(tmp_path: Path) -> None:
    turn = TURNS["oblique"]
    write_slices(tmp_path, SCAN, rows=[*turn[:, 0], *turn[:, 1]])
    volume = read_volume(tmp_path)
    assert np.allclose(np.array(volume.geometry.direction).reshape(3, 3), turn, atol=1e-6)
    assert np.array_equal(volume.hu, SCAN)
    assert np.allclose(volume.geometry.point_of(np.array([[5.0, 0, 0]])), -100 + 12.5 * turn[:, 2], atol=1e-4)


@pytest.mark.parametrize(("agent", "contrast"), [("Omnipaque 350", "contrast"), ("", "plain"), ("None", "plain")])
def test_a_contrast_agent_is_noted(tmp_path: Path, agent: str, contrast: str) -> None:
    write_slices(tmp_path, SCAN, tags={"0018|0010": agent})
    assert read_volume(tmp_path).contrast == contrast


def test_missing_slices_are_named(tmp_path: Path) -> None:
    paths = write_slices(tmp_path, SCAN)
    paths[2].unlink()
    found = r"lacks about 1 slices, .*: slice001.dcm and slice003.dcm are 5 mm apart, others 2.5 mm"
    with pytest.raises(InputError, match=found):
        read_volume(tmp_path)
    paths[3].unlink()
    with pytest.raises(InputError, match="lacks about 2 slices"):
        read_volume(tmp_path)


def test_one_slice_alone_is_no_volume(tmp_path: Path) -> None:
    path = write_slices(tmp_path, SCAN[:1])[0]
    for given in (path, tmp_path):
        with pytest.raises(InputError, match="holds one slice of its series"):
            read_volume(given)


def test_two_series_are_an_error_and_a_file_names_one(tmp_path: Path) -> None:
    write_slices(tmp_path / "scans", SCAN, tags={"0018|1210": "B"})
    other = write_slices(tmp_path / "scans" / "sharp", SCAN[:4] + 1, series="1.2.3.4", tags={"0018|1210": "L"})
    found = r"holds 2 CT series \(4 slices, kernel L, with .*; 6 slices, kernel B, with .*\)\. Name one file"
    with pytest.raises(InputError, match=found):
        read_volume(tmp_path / "scans")
    assert np.array_equal(read_volume(other[1]).hu, SCAN[:4] + 1)


def test_scouts_copies_and_reports_are_left_out(tmp_path: Path) -> None:
    first = write_slices(tmp_path, SCAN)[0]
    shutil.copy(first, tmp_path / "copy of the first.dcm")
    scout = {"0008|0008": "ORIGINAL\\PRIMARY\\LOCALIZER"}
    write_slices(tmp_path / "scout", SCAN[:2, :5], series="1.2.3", tags=scout)
    (tmp_path / "report.dcm").write_bytes(bytes(128) + b"DICM" + bytes(50))
    assert np.array_equal(read_volume(tmp_path).hu, SCAN)


def test_two_reconstructions_in_one_series_are_an_error(tmp_path: Path) -> None:
    write_slices(tmp_path / "a", SCAN)
    write_slices(tmp_path / "b", SCAN + 1, tags={"0008|0018": ""})
    with pytest.raises(InputError, match="lie at the same place: the series holds several"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("kind", "found"),
    [("MR", r"DICOM images of modality MR, or scouts alone; expected a CT series"), ("", "expected a CT series")],
)
def test_another_modality_is_refused(tmp_path: Path, kind: str, found: str) -> None:
    write_slices(tmp_path, SCAN, tags={"0008|0060": kind})
    with pytest.raises(InputError, match=found):
        read_volume(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no DICOM image; expected a CT series"):
        read_volume(tmp_path)


def test_slices_that_are_no_stack_are_refused(tmp_path: Path) -> None:
    write_slices(tmp_path / "a", SCAN)
    write_slices(tmp_path / "a" / "b", SCAN[:1], rows=TURNS["oblique"].T[:2].ravel(), tags={"0008|0018": "1.5"})
    with pytest.raises(InputError, match="differ in direction, size or voxel size"):
        read_volume(tmp_path / "a")
    write_slices(tmp_path / "c", SCAN)
    write_slices(tmp_path / "c" / "d", SCAN[:1, :5], tags={"0008|0018": "1.5"})
    with pytest.raises(InputError, match="differ in direction, size or voxel size"):
        read_volume(tmp_path / "c")


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    for number, plane in enumerate(SCAN):
        place = {"0020|0032": f"-100\\{-100 + number}\\{2.5 * number}", "0008|0018": f"1.5.{number}"}
        write_slices(tmp_path / str(number), plane[None], tags=place)
    with pytest.raises(InputError, match="tilted gantry"):
        read_volume(tmp_path)


def test_slices_without_a_position_are_refused(tmp_path: Path) -> None:
    for path in write_slices(tmp_path, SCAN):
        path.write_bytes(path.read_bytes().replace(bytes((0x20, 0, 0x37, 0)), bytes((0x20, 0, 0x38, 0))))
    with pytest.raises(InputError, match=r"does not say where it lies in the patient \(DICOM tag 0020\|0037\)"):
        read_volume(tmp_path)


@pytest.mark.parametrize("number", [0, 3, 5])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_damaged_slice_is_one_sentence(tmp_path: Path, number: int, packed: bool) -> None:
    path = write_slices(tmp_path, SCAN, packed=packed)[number]
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(InputError, match=f"slice00{number}.dcm is damaged: .*Copy it again"):
        read_volume(tmp_path)
    if packed:
        path.write_bytes(content[:-140] + bytes(136) + content[-4:])
        with pytest.raises(InputError, match=r"is damaged or packed in an unknown way: [^\n]+"):
            read_volume(tmp_path)


def test_a_file_of_many_frames_is_a_volume(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(SCAN)
    image.SetSpacing((0.7, 0.8, 2.0))
    for tag, value in {"0008|0060": "CT", "0028|1052": "-1024", "0028|1053": "1"}.items():
        image.SetMetaData(tag, value)
    SimpleITK.WriteImage(image, str(tmp_path / "frames.dcm"))
    for given in (tmp_path, tmp_path / "frames.dcm"):
        volume = read_volume(given)
        assert np.array_equal(volume.hu, SCAN)
        assert volume.geometry.spacing == pytest.approx((0.7, 0.8, 2.0))


def test_slices_written_from_the_head_down_end_up_rising(tmp_path: Path) -> None:
    for number, plane in enumerate(SCAN):
        place = {"0020|0032": f"-100\\-100\\{-2.5 * number}", "0008|0018": f"1.5.{number}"}
        write_slices(tmp_path / str(number), plane[None], tags=place)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.hu, SCAN[::-1])
    assert volume.geometry.spacing[2] == pytest.approx(2.5)
    assert volume.geometry.origin[2] == -12.5


@pytest.mark.slow
def test_the_given_samples(real_ct: Path) -> None:
    packed = read_volume(real_ct / "dicom_samples" / "jpeg_lossless_ricord")
    assert packed.hu.shape == (5, 512, 512)
    assert packed.geometry.spacing == pytest.approx((0.703125, 0.703125, 1.25))
    assert packed.geometry.origin == pytest.approx((-172.0, -156.5, 158.25))  # 1-105.dcm, the last by name
    assert (packed.hu.min(), packed.section_mm) == (-1024, 1.25)
    plain = read_volume(real_ct / "dicom_samples" / "uncompressed_lungdx")
    assert plain.geometry.spacing == pytest.approx((0.841796875, 0.841796875, 5.0))
    crop = read_volume(real_ct / "ct_real" / "lungdx_A0001_5mm_kernelB.nii.gz")
    start = np.rint(plain.geometry.index_of(np.array([crop.geometry.origin])))[0]
    assert np.abs(start[1:] * plain.geometry.spacing_zyx[1:]).max() < 500  # the same patient's grid
    steps = plain.geometry.index_of(crop.geometry.point_of(np.zeros((1, 3))))
    assert np.allclose(steps, np.rint(steps), atol=0.01)
