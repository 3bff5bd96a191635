from __future__ import annotations

import numpy as np
import pytest
import torch

from apps.pulmonary_vessel.augmentation import augment, smoothed
from apps.pulmonary_vessel.sampling import Patch, PatchSampler
from apps.pulmonary_vessel.training_config import AugmentConfig, PatchConfig
from shared.errors import ConfigError, InputError
from tests.apps.pulmonary_vessel.made_scans import SHAPE, prepared, tubes

ONLY = {"vessel": 0.0, "airway": 0.0, "nodule": 0.0, "fissure": 0.0, "opacity": 0.0}
STILL = AugmentConfig(mirrored=False, calibration=(0.0, 0.0), kernel=0.0, noisy=0.0, thick=0.0)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("scans") / "tubes")


@pytest.fixture
def patch() -> Patch:
    made = tubes(0)
    return Patch(*(torch.from_numpy(made[field]) for field in ("ct", "labels", "artery_vein")))._replace(
        hu=torch.from_numpy(made["ct"]).float().clamp(min=-1024)
    )


def test_a_patch_is_a_piece_of_its_scan(scans):
    sampler = PatchSampler(scans, np.arange(3), PatchConfig(size=(8, 16, 16)))
    patch = sampler.cut(1, (slice(4, 12), slice(10, 26), slice(20, 36)))
    assert np.array_equal(patch.hu.numpy(), scans.read("ct", 1)[4:12, 10:26, 20:36])
    assert np.array_equal(patch.codes.numpy(), scans.read("labels", 1)[4:12, 10:26, 20:36])
    assert patch.hu.dtype == torch.float32
    assert patch.codes.dtype == patch.artery_vein.dtype == torch.uint8


@pytest.mark.parametrize(("kind", "codes"), [("vessel", {2}), ("airway", {3, 4})])
def test_what_was_asked_for_is_in_the_patch(scans, kind, codes):
    sampler = PatchSampler(scans, np.arange(3), PatchConfig(size=(8, 8, 8), **{**ONLY, kind: 1.0}))
    for seed in range(20):
        patch = sampler.draw(np.random.default_rng(seed))
        assert codes & set(patch.codes.unique().tolist())


def test_a_kind_that_a_scan_lacks_is_replaced_by_lung(scans):
    sampler = PatchSampler(scans, np.arange(3), PatchConfig(size=(8, 8, 8), **{**ONLY, "nodule": 1.0}))
    assert all((sampler.draw(np.random.default_rng(seed)).codes > 0).any() for seed in range(10))


def test_the_same_draw_twice_is_the_same_patch(scans):
    sampler = PatchSampler(scans, np.arange(3), PatchConfig(size=(8, 16, 16)))
    one, two, other = (sampler.draw(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(one.hu, two.hu)
    assert not torch.equal(one.hu, other.hu)


def test_a_patch_larger_than_the_scan_is_filled_with_air_that_counts_as_outside(scans):
    size = (32, 48, 48)
    patch = PatchSampler(scans, np.arange(3), PatchConfig(size=size)).draw(np.random.default_rng(0))
    assert patch.hu.shape == size
    assert (patch.codes > 0).sum() == (scans.read("labels", 0) > 0).sum()
    assert patch.hu[0, 0, 0] == -1024


def test_another_spacing_is_brought_to_the_grid(tmp_path):
    scans = prepared(tmp_path / "thick", spacing=(3.0, 0.75, 0.5))
    sampler = PatchSampler(scans, np.arange(3), PatchConfig(size=(24, 16, 16)))
    patch = sampler.cut(0, (slice(2, 10), slice(4, 20), slice(8, 32)))
    own = scans.read("labels", 0)[2:10, 4:20, 8:32]
    assert patch.hu.shape == patch.codes.shape == (24, 16, 16)
    for code in (1, 2):
        assert (patch.codes == code).float().mean() == pytest.approx((own == code).mean(), abs=0.05)
    assert not patch.artery_vein[patch.codes != 2].any()
    drawn = sampler.draw(np.random.default_rng(0))
    assert drawn.hu.shape == (24, 16, 16)


def test_scans_without_labels_are_refused(tmp_path):
    scans = prepared(tmp_path / "bare", labelled=False)
    with pytest.raises(InputError, match="3 of the 3 scans have no labels"):
        PatchSampler(scans, np.arange(3), PatchConfig())


def test_shares_above_one_are_refused():
    with pytest.raises(ConfigError, match="shares"):
        PatchConfig(vessel=0.9, airway=0.2)


def test_position_moves_labels_with_the_scan(patch):
    moved = augment(np.random.default_rng(3), patch, AugmentConfig(calibration=(0.0, 0.0), kernel=0, noisy=0, thick=0))
    assert not torch.equal(moved.codes, patch.codes)
    for code in (2, 3, 4):
        torch.testing.assert_close(moved.hu[moved.codes == code].sort()[0], patch.hu[patch.codes == code].sort()[0])
    assert torch.equal(moved.artery_vein > 0, moved.codes == 2)


def test_nothing_asked_for_changes_nothing(patch):
    assert torch.equal(augment(np.random.default_rng(0), patch, STILL).hu, patch.hu)


def test_thick_sections_blur_along_the_patient_only(patch):
    rng = np.random.default_rng(0)
    config = AugmentConfig(mirrored=False, calibration=(0.0, 0.0), kernel=0, noisy=0, thick=1.0)
    thick = augment(rng, patch, config).hu
    assert thick.shape == SHAPE
    assert thick.diff(dim=0).abs().mean() < 0.4 * patch.hu.diff(dim=0).abs().mean()
    assert thick.mean() == pytest.approx(float(patch.hu.mean()), abs=10)


def test_noise_and_kernel_leave_the_mean(patch):
    for config in (
        AugmentConfig(mirrored=False, calibration=(0.0, 0.0), kernel=1.0, noisy=0, thick=0),
        AugmentConfig(mirrored=False, calibration=(0.0, 0.0), kernel=0, noisy=1.0, thick=0),
    ):
        changed = augment(np.random.default_rng(1), patch, config).hu
        assert changed.mean() == pytest.approx(float(patch.hu.mean()), abs=5)
        assert (changed - patch.hu).abs().mean() > 1


def test_smoothing_is_a_mean_of_neighbours():
    spike = torch.zeros(3, 5, 5)
    spike[1, 2, 2] = 16
    assert smoothed(spike, axes=(1, 2))[1, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
