from __future__ import annotations

import numpy as np
import pytest
import torch

from apps.pulmonary_vessel.model import build_network
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.training_config import AugmentConfig, LossConfig, PatchConfig, TaskConfig
from apps.pulmonary_vessel.vessel_task import VesselTask
from shared.errors import ConfigError
from shared.fit import fit
from shared.fit_config import FitConfig
from tests.apps.pulmonary_vessel.made_scans import prepared

NETWORK = NetworkConfig(kind="residual", filters=(8, 16))
EASY = AugmentConfig(kernel=0.0, noisy=0.0, thick=0.0)
NONE = np.array([], dtype=np.int64)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("task") / "tubes", n=4)


def task(scans, network=NETWORK, validation=NONE, batches=4, **loss) -> VesselTask:
    patches = PatchConfig(size=(16, 16, 16), batch=2, batches=batches)
    config = TaskConfig(
        patches=patches, augment=EASY, loss=LossConfig(**loss), learning_rate=1e-2, validation_patches=6
    )
    return VesselTask(scans, np.arange(3), validation, network, config, seed=1)


def test_an_epoch_can_be_dealt_again(scans):
    once, again, later = (list(task(scans).batches(epoch, 0, 1)) for epoch in (2, 2, 3))
    assert len(once) == 4
    assert all(torch.equal(a.image, b.image) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once[0].image, later[0].image)


def test_processes_share_every_batch(scans):
    whole = next(iter(task(scans).batches(0, 0, 1)))
    parts = [next(iter(task(scans).batches(0, rank, 2))) for rank in range(2)]
    for field in ("image", "codes", "artery_vein"):
        assert torch.equal(torch.cat([getattr(part, field) for part in parts]), getattr(whole, field))


def test_three_processes_cannot_share_a_batch_of_two(scans):
    with pytest.raises(ConfigError, match="shared among 3"):
        next(iter(task(scans).batches(0, 0, 3)))


def test_a_patch_that_does_not_suit_the_network_is_refused(scans):
    with pytest.raises(ConfigError, match=r"multiples of \(32, 32, 32\)"):
        task(scans, NetworkConfig(kind="residual", filters=(8,) * 6))


def test_training_finds_the_tubes(scans, tmp_path):
    torch.manual_seed(0)
    learning = task(scans, validation=np.array([3]), batches=25)
    network = build_network(NETWORK)
    config = FitConfig(epochs=3, progress=False, monitor="Dice", mode="max")
    result = fit(learning, network, config, tmp_path)
    assert result.metrics["Dice"] > 0.8
    assert result.metrics["airway called vessel"] < 0.3
    assert 0 < result.metrics["cross-entropy"] < 1


def test_without_validation_scans_there_are_no_figures(scans):
    assert task(scans).validate(build_network(NETWORK)) == {}


@pytest.mark.parametrize("kind", ["cldice", "adversarial", "all outputs"])
def test_variants_train(scans, tmp_path, kind):
    network = NetworkConfig(
        kind="residual",
        filters=(4, 8),
        artery_vein=kind == "all outputs",
        airways=kind == "all outputs",
        adversarial=kind == "adversarial",
    )
    learning = task(scans, network, batches=2, cldice=0.3 if kind == "cldice" else 0.0)
    result = fit(learning, build_network(network), FitConfig(epochs=1, progress=False), tmp_path)
    added = {
        "cldice": {"clDice"},
        "adversarial": {"discriminator", "adversarial"},
        "all outputs": {"artery", "vein", "airway"},
    }
    assert set(result.history[-1]["terms"]) == {"dice", "cross-entropy"} | added[kind]
