from __future__ import annotations

import gzip
import itertools
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK

from shared.errors import InputError
from shared.formats.volume import SUFFIXES, Geometry, image_of, read_labels, read_volume, volume_of, write_volume
from tests.conftest import REPOSITORY
from tests.shared.formats.turns import TURNS

SCAN = np.random.default_rng(0).integers(-1024, 1500, (5, 7, 6)).astype(np.int16)
GRIDS = {
    name: Geometry((6, 7, 5), (0.703125, 0.8, 2.5), (-172.1234567, 31.25, 1402.75), tuple(turn.ravel().tolist()))
    for name, turn in TURNS.items()
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_volume_returns_in_its_own_geometry(tmp_path: Path, suffix: str, grid: Geometry) -> None:
    path = tmp_path / f"scan{suffix}"
    write_volume(path, SCAN, grid)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]  # one file, nothing left beside it
    volume = read_volume(path)
    assert volume.hu.dtype == np.int16
    assert np.array_equal(volume.hu, SCAN)
    assert volume.geometry.size == grid.size
    for name in ("spacing", "origin", "direction"):
        assert np.allclose(getattr(volume.geometry, name), getattr(grid, name), atol=1e-5)
    assert not volume.hu.flags.writeable
    mask = SCAN > 0
    write_volume(tmp_path / f"mask{suffix}", mask, volume.geometry)
    written = SimpleITK.ReadImage(str(tmp_path / f"mask{suffix}"))
    assert written.GetPixelID() == SimpleITK.sitkUInt8
    assert np.array_equal(SimpleITK.GetArrayFromImage(written), mask)
    assert np.allclose(written.GetDirection(), grid.direction, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_padding_is_clipped_and_nothing_overflows(tmp_path: Path, dtype: type) -> None:
    values = SCAN.astype(dtype)
    values[0, 0, :3] = -3024, -2000, -1024
    if np.dtype(dtype).itemsize > 2:
        values[0, 0, 3:5] = 40_000, -40_000
    image = SimpleITK.GetImageFromArray(values)
    SimpleITK.WriteImage(image, str(tmp_path / "scan.nrrd"))
    hu = read_volume(tmp_path / "scan.nrrd").hu
    assert hu.dtype == np.int16
    assert (hu[0, 0, :3] == -1024).all()
    assert np.array_equal(hu, np.clip(values, -1024, 32767))


def test_fractions_stay_and_missing_values_become_air() -> None:
    values = SCAN + np.float64(0.25)
    values[0] = np.nan
    hu = volume_of(SimpleITK.GetImageFromArray(values)).hu
    assert hu.dtype == np.float32
    assert (hu[0] == -1024).all()
    assert np.array_equal(hu[1:], values[1:].astype(np.float32))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.full((3, 4, 5), np.nan), "NaN in more than half"),
        (np.full((3, 4, 5), np.inf), "infinite"),
        (np.zeros((3, 4, 5), np.uint8), "uint8, which cannot be Hounsfield units"),
        (np.zeros((3, 4, 5), np.uint16), "uint16, which cannot be"),
        (np.zeros((4, 5), np.int16), "5 x 4 voxels; expected one volume"),
        (np.zeros((1, 4, 5), np.int16), "at least two slices"),
    ],
)
def test_what_is_no_scan_is_refused(values: npt.NDArray[np.generic], found: str) -> None:
    with pytest.raises(InputError, match=found):
        volume_of(SimpleITK.GetImageFromArray(values))


def test_colours_and_series_in_time_are_refused() -> None:
    with pytest.raises(InputError, match="3 values a voxel"):
        volume_of(SimpleITK.GetImageFromArray(np.zeros((3, 4, 5, 3), np.int16), isVector=True))
    with pytest.raises(InputError, match="5 x 4 x 3 x 2 voxels"):
        volume_of(SimpleITK.JoinSeries([image_of(np.zeros((3, 4, 5), np.int16), Geometry((5, 4, 3), (1, 1, 1)))] * 2))
    one = SimpleITK.JoinSeries([image_of(SCAN, GRIDS["as usual"])])
    assert np.array_equal(volume_of(one).hu, SCAN)


def test_a_missing_voxel_size_is_not_taken_for_a_millimetre(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", SCAN, GRIDS["oblique"])
    content = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<3f", content, 80, 0, 0, 0)
    (tmp_path / "b.nii").write_bytes(content)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content))
    (tmp_path / "b.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 6 7 5\nElementType = MET_SHORT\nElementDataFile = b.raw\n"
    )
    (tmp_path / "b.raw").write_bytes(SCAN.tobytes())
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 6 7 5\nendian: little\nencoding: raw\n\n"
    (tmp_path / "b.nrrd").write_bytes(header.encode() + SCAN.tobytes())
    for name in ("b.nii", "b.nii.gz", "b.mhd", "b.nrrd"):
        with pytest.raises(InputError, match="does not state its voxel size"):
            read_volume(tmp_path / name)


def test_a_voxel_size_in_another_unit_is_refused() -> None:
    image = SimpleITK.GetImageFromArray(SCAN)
    image.SetSpacing((700.0, 700.0, 1250.0))
    with pytest.raises(InputError, match="voxels of 700 x 700 x 1250 mm"):
        volume_of(image)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.8, 0.99])
def test_a_cut_file_is_one_sentence(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"scan{suffix}"
    write_volume(path, SCAN, GRIDS["as usual"])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"^[^\n]+(cut short|damaged or no such volume)[^\n]+\.$"):
        read_volume(path)


def test_a_file_packed_in_parts_is_whole(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", SCAN, GRIDS["as usual"])
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    assert np.array_equal(read_volume(tmp_path / "b.nii.gz").hu, SCAN)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        read_volume(tmp_path / "a.nii")
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(200))
    with pytest.raises(InputError, match=r"no known kind of volume; expected \.nii, \.nii\.gz"):
        read_volume(tmp_path / "a.png")
    with pytest.raises(InputError, match="no known kind"):
        write_volume(tmp_path / "a.png", SCAN, GRIDS["as usual"])
    with pytest.raises(InputError, match=r"shape \(5, 7, 6\) is not on a grid of shape \(6, 7, 5\)"):
        write_volume(tmp_path / "a.nii", SCAN, Geometry((5, 7, 6), (1.0, 1.0, 1.0)))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_mask_of_the_same_voxels_in_another_order_fits(tmp_path: Path, grid: Geometry) -> None:
    """As a converter to NIfTI writes the mask of a DICOM series, with its rows turned round."""
    labels = (SCAN // 300).astype(np.int16)
    for number, (axes, signs) in enumerate([((0, 1, 2), (1, -1, 1)), ((2, 0, 1), (-1, 1, -1))]):
        image = SimpleITK.PermuteAxes(image_of(labels, grid), axes)
        image = SimpleITK.Flip(image, [sign < 0 for sign in signs])
        path = tmp_path / f"mask{number}.nii.gz"
        SimpleITK.WriteImage(image, str(path))
        assert np.array_equal(read_labels(path, grid), labels)


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    grid = GRIDS["as usual"]
    write_volume(tmp_path / "a.mha", SCAN, Geometry(grid.size, grid.spacing, (0.0, 0.0, 0.0)))
    with pytest.raises(InputError, match=r"not on the grid of its scan: 6 x 7 x 5 voxels of 0\.703 x 0\.8 x 2\.5 mm"):
        read_labels(tmp_path / "a.mha", grid)
    write_volume(tmp_path / "b.mha", (SCAN + 0.5).astype(np.float32), grid)
    with pytest.raises(InputError, match="holds fractions"):
        read_labels(tmp_path / "b.mha", grid)


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii.gz"
    write_volume(path, SCAN, GRIDS["as usual"])
    before = path.read_bytes()
    program = (
        "import os, signal, sys, numpy, SimpleITK\nfrom shared.formats.volume import Geometry, write_volume\n"
        "write = SimpleITK.WriteImage\n"
        "def killed(*words, **options):\n    write(*words, **options)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "SimpleITK.WriteImage = killed\n"
        "write_volume(sys.argv[1], numpy.zeros((2, 2, 2), 'uint8'), Geometry((2, 2, 2), (1, 1, 1)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=REPOSITORY, env=dict(os.environ), check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == before


def test_every_order_and_sign_of_axes_becomes_standard() -> None:
    for axes, signs in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        image = SimpleITK.Flip(
            SimpleITK.PermuteAxes(image_of(SCAN, GRIDS["oblique"]), axes), [sign < 0 for sign in signs]
        )
        volume = volume_of(image)
        turned = volume.geometry.to_standard(volume.hu)
        standard = GRIDS["oblique"].standard
        assert np.array_equal(turned, GRIDS["oblique"].to_standard(SCAN))
        assert volume.geometry.standard.agrees(standard)
        assert np.array_equal(volume.geometry.from_standard(turned), volume.hu)
        assert volume.geometry.standard_spacing == pytest.approx(standard.spacing_zyx)


def test_indices_and_places_in_the_patient() -> None:
    index = np.array([[0.0, 0.0, 0.0], [4.0, 6.0, 5.0], [1.5, 2.0, 3.25]])
    for grid in GRIDS.values():
        image = image_of(SCAN, grid)
        expected = [image.TransformContinuousIndexToPhysicalPoint(row[::-1].tolist()) for row in index]
        assert np.allclose(grid.point_of(index), expected)
        assert np.allclose(grid.index_of(grid.point_of(index)), index)


def test_axes_that_are_not_perpendicular_are_refused() -> None:
    with pytest.raises(InputError, match="no perpendicular unit vectors"):
        Geometry((2, 2, 2), (1.0, 1.0, 1.0), direction=(1, 0.2, 0, 0, 1, 0, 0, 0, 1))
