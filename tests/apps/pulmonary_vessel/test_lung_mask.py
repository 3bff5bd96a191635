"""Lungs without a trained model, on the failures that such masks are known for."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from apps.pulmonary_vessel.lung_mask import find_lungs, number_lungs
from shared.formats.volume import read_labels, read_volume
from tests.apps.pulmonary_vessel.made_chest import SPACING, Chest, make_chest
from tests.conftest import REPOSITORY


def dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


@pytest.fixture(scope="module")
def chest() -> Chest:
    return make_chest()


def test_both_lungs_are_found_and_numbered(chest: Chest) -> None:
    before = chest.hu.copy()
    found = find_lungs(chest.hu, SPACING)
    assert found.reason is None
    assert found.sides == ("right", "left")
    assert found.mask.dtype == np.uint8
    for number in (1, 2):
        assert dice(found.mask == number, chest.lungs == number) > 0.995
    assert not (found.mask > 0)[chest.parts["trachea"]].any()
    assert np.array_equal(chest.hu, before)


def test_gas_of_stomach_and_bowel_is_left_out() -> None:
    made = make_chest(stomach=True)
    threshold = ndimage.label(made.hu < -400)[0]
    gas = threshold[made.parts["stomach"]]
    assert np.count_nonzero(gas) > 0.9 * gas.size  # the trap: it is as dark as lung
    found = find_lungs(made.hu, SPACING)
    for name in ("stomach", "bowel"):
        assert not found.mask[made.parts[name]].any()
    assert dice(found.mask > 0, made.lungs > 0) > 0.995


@pytest.mark.parametrize(
    ("place", "least"),
    [(((20, 20, -65), 18), 0.99), (((20, 72, -60), 22), 0.8), (((20, 0, 108), 20), 0.9)],
    ids=["inside", "back", "side"],
)
def test_consolidated_lung_is_lung(place: tuple[tuple[float, float, float], float], least: float) -> None:
    made = make_chest(consolidated=place)
    found = find_lungs(made.hu, SPACING).mask > 0
    assert found[made.parts["consolidated"]].mean() > least
    assert found[made.parts["heart"]].mean() < 0.01
    assert (found & (made.lungs == 0)).sum() < 0.005 * (made.lungs > 0).sum()


def test_the_mediastinum_is_no_hole() -> None:
    made = make_chest(touching=True)
    by_slice = np.stack([ndimage.binary_fill_holes(plane) for plane in made.lungs > 0])
    assert by_slice[made.parts["heart"]].mean() > 0.4  # the trap: a ring of lung in many slices
    found = find_lungs(made.hu, SPACING)
    assert (found.mask > 0)[made.parts["heart"]].mean() < 0.01
    for number in (1, 2):
        assert dice(found.mask == number, made.lungs == number) > 0.99


def test_couch_blanket_and_padding_are_not_of_the_patient() -> None:
    made = make_chest(couch=True)
    y, x = np.ogrid[-1 : 1 : made.hu.shape[1] * 1j, -1 : 1 : made.hu.shape[2] * 1j]
    seen = np.where(y**2 + x**2 <= 1, made.hu, -1024).astype(np.int16)
    found = find_lungs(seen, SPACING)
    assert not found.mask[made.parts["couch"]].any()
    assert dice(found.mask > 0, made.lungs > 0) > 0.99


def test_bullae_and_noise_leave_no_holes() -> None:
    for made in (make_chest(emphysema=True), make_chest(noise_hu=90.0)):
        found = find_lungs(made.hu, SPACING)
        assert dice(found.mask > 0, made.lungs > 0) > 0.98


CROPS = {
    "one lung": np.s_[:, :, 66:],
    "half a lung": np.s_[40:70, 10:60, 70:],
    "cut on all sides": np.s_[30:60, 30:70, 80:110],
    "both, without the wall": np.s_[25:75, 25:80, 20:108],
    "lower half": np.s_[:50],
}


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
def test_parts_of_a_chest(chest: Chest, crop: tuple[slice, ...]) -> None:
    found = find_lungs(chest.hu[crop], SPACING)
    truth = chest.lungs[crop]
    assert found.reason is None
    assert dice(found.mask > 0, truth > 0) > 0.98
    if (truth == 1).any():
        assert found.sides == ("right", "left")
        assert dice(found.mask == 1, truth == 1) > 0.98
    else:
        assert found.sides == ("one lung",)
        assert set(np.unique(found.mask)) <= {0, 1}


@pytest.mark.parametrize("step", [2, 4])
def test_thick_slices(chest: Chest, step: int) -> None:
    found = find_lungs(chest.hu[::step], (3.0 * step, *SPACING[1:]))
    assert dice(found.mask > 0, chest.lungs[::step] > 0) > 0.98


def test_fine_voxels_follow_the_surface() -> None:
    """At 0.8 mm in plane, where a block is two or three voxels wide."""
    y, x = np.mgrid[-60:60:150j, -60:60:150j]
    disc = np.broadcast_to(y**2 + x**2 < 45**2, (40, 150, 150))
    hu = np.where(disc, -850, 40) + np.random.default_rng(0).normal(0, 40, disc.shape)
    found = find_lungs(hu.astype(np.int16), (1.0, 0.8, 0.8))
    assert dice(found.mask > 0, disc) > 0.995


NOTHING = {
    "water": (np.zeros((20, 40, 40)), "no air in the scan"),
    "flat": (np.full((20, 40, 40), -850.0), "no soft tissue"),
    "air": (np.full((20, 40, 40), -1000.0), "no soft tissue"),
    "noise": (np.random.default_rng(0).normal(size=(20, 40, 40)), "no air"),
    "wild noise": (np.random.default_rng(0).normal(-700, 400, (20, 40, 40)), "no lung found"),
    "grey picture": (np.random.default_rng(0).integers(0, 256, (20, 40, 40)), "no air"),
    "two voxels a side": (np.full((2, 2, 2), -850.0), "no soft tissue"),
}


@pytest.mark.parametrize(("hu", "reason"), NOTHING.values(), ids=NOTHING)
def test_what_is_no_chest_gets_a_reason(hu: npt.NDArray[np.float64], reason: str) -> None:
    found = find_lungs(hu, (3.0, 2.0, 2.0))
    assert found.reason is not None
    assert reason in found.reason
    assert not found.mask.any()
    assert found.mask.shape == hu.shape
    assert found.sides == ()


def test_a_body_without_lungs_gets_a_reason() -> None:
    """A head has air in its sinuses, a belly gas in its bowel."""
    made = make_chest(stomach=True)
    belly = made.hu.copy()
    belly[made.lungs > 0] = 40
    found = find_lungs(belly, SPACING)
    assert found.reason is not None
    assert "no lung found" in found.reason
    z, y, x = np.mgrid[-90:90:60j, -100:100:80j, -80:80:64j]
    head = np.where((x / 70) ** 2 + (y / 90) ** 2 < 1, 40, -1000)
    for side in (-25, 25):
        head[((x - side) / 14) ** 2 + ((y + 55) / 14) ** 2 + (z / 18) ** 2 < 1] = -980
    assert find_lungs(head, (3.0, 2.5, 2.5)).reason is not None


def test_a_given_mask_is_numbered(chest: Chest) -> None:
    fine = np.repeat(chest.lungs > 0, 2, axis=2)
    found = number_lungs(fine, (3.0, 2.5, 1.25))
    assert found.sides == ("right", "left")
    assert np.array_equal(found.mask, np.repeat(chest.lungs, 2, axis=2))
    assert number_lungs(chest.lungs == 2, SPACING).sides == ("one lung",)
    assert number_lungs(np.zeros((4, 5, 6)), SPACING).reason == "the lung mask is empty"


@pytest.mark.slow
def test_two_kernels_of_a_scan_have_the_same_lungs(real_ct: Path) -> None:
    volumes = [read_volume(real_ct / "ct_real" / f"lungdx_A0001_5mm_kernel{kernel}.nii.gz") for kernel in "BL"]
    soft, sharp = (find_lungs(volume.hu, volume.geometry.spacing_zyx) for volume in volumes)
    assert soft.sides == sharp.sides == ("right", "left")
    given = read_labels(real_ct / "ct_real" / "lungdx_A0001_5mm_lungmask.nii.gz", volumes[0].geometry) > 0
    assert dice(soft.mask > 0, given) > 0.97
    for number in (1, 2):
        assert dice(soft.mask == number, sharp.mask == number) > 0.99
    noise = np.random.default_rng(0).normal(0, 25, volumes[1].hu.shape)
    noisy = find_lungs(volumes[1].hu + noise, volumes[1].geometry.spacing_zyx)
    assert dice(noisy.mask > 0, sharp.mask > 0) > 0.99


@pytest.mark.slow
def test_stomach_gas_of_a_real_scan_is_left_out(real_ct: Path) -> None:
    """The mask that came with the scan holds 200 mL of it."""
    volume = read_volume(real_ct / "ct_real" / "ricord1a_left_lung_1p25mm.nii.gz")
    given = read_labels(real_ct / "ct_real" / "ricord1a_left_lung_lungmask.nii.gz", volume.geometry) > 0
    found = find_lungs(volume.hu, volume.geometry.spacing_zyx)
    assert found.sides == ("one lung",)
    gas = ndimage.binary_opening(given & (volume.hu < -930), iterations=3)
    gas[40:] = False
    assert gas.sum() * volume.geometry.spacing[2] * 0.703125**2 > 100e3
    assert (found.mask > 0)[gas].mean() < 0.02
    lung = given & ~ndimage.binary_dilation(gas, iterations=8)
    assert (found.mask > 0)[lung].mean() > 0.95


@pytest.mark.slow
def test_the_points_of_a_real_scan_lie_in_its_lung(real_ct: Path) -> None:
    volume = read_volume(real_ct / "ct_real" / "ricord1a_left_lung_1p25mm.nii.gz")
    found = find_lungs(volume.hu, volume.geometry.spacing_zyx)
    with (real_ct / "ct_real" / "ricord1a_left_lung_points.csv").open() as stream:
        rows = [
            row for row in csv.DictReader(stream) if row["kind"] != "parenchyma"
        ]  # some of those lie in the stomach
    assert len(rows) == 26
    assert all(found.mask[int(row["k"]), int(row["j"]), int(row["i"])] for row in rows)


@pytest.mark.slow
def test_a_crop_through_a_lung_of_a_contrast_scan(real_ct: Path) -> None:
    volume = read_volume(real_ct / "ct_real" / "ts_cta_right_1p5mm.nii.gz")
    silver = read_labels(real_ct / "ct_real" / "ts_cta_right_1p5mm_silver.nii.gz", volume.geometry)
    found = find_lungs(volume.hu, volume.geometry.spacing_zyx).mask > 0
    right_lung = ndimage.label(silver > 0)[0] == 1
    assert found[right_lung & (silver == 2)].mean() > 0.9
    assert found.sum() > 0.95 * right_lung.sum()


_FULL = """
import numpy as np, resource, time
from scipy import ndimage
from apps.pulmonary_vessel.lung_mask import find_lungs
from tests.apps.pulmonary_vessel.made_chest import make_chest
made = make_chest()
rows = [np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip((300, 512, 512), made.hu.shape)]
hu = made.hu[np.ix_(*rows)]
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
found = find_lungs(hu, (0.88, 0.508, 0.625))
used = time.process_time() - start
print(used, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6, *found.sides)
"""


@pytest.mark.slow
def test_a_large_scan_takes_seconds_and_little_memory() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _FULL], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
    ).stdout
    seconds, gigabytes, *sides = shown.split()
    assert float(seconds) < 20
    assert float(gigabytes) < 1.5
    assert sides == ["right", "left"]
