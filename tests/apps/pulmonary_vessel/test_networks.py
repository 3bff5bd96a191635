from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
import torch
from torch import nn

from apps.pulmonary_vessel.model import build_network
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.networks.slice_wise import SliceWise
from shared.errors import ConfigError
from shared.export import export_onnx

SMALL = {
    "unet": (2, 2, 4, 4, 8),
    "attention": (4, 8, 8),
    "dynunet": (2, 4, 8),
    "segresnet": (8, 16, 32),
    "residual": (4, 8, 8),
    "multiscale": (4, 8, 8),
}


@pytest.mark.parametrize(("kind", "dimensions"), list(itertools.product(SMALL, ("2d", "2.5d", "3d"))))
def test_every_network_keeps_the_grid_and_learns_with_all_weights(kind, dimensions):
    config = NetworkConfig(kind=kind, dimensions=dimensions, filters=SMALL[kind], artery_vein=True, airways=True)
    network = build_network(config)
    size = [2 * factor for factor in config.factor]
    logits = network(torch.randn(1, 1, *size))
    assert logits.shape == (1, 4, *size)
    assert config.outputs == ("vessel", "artery", "vein", "airway")
    logits.square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_a_slice_sees_its_neighbours_and_no_others():
    volume = torch.randn(1, 1, 9, 4, 4)
    network = SliceWise(nn.Conv2d(5, 1, 1), slices=5)
    changed = volume.clone()
    changed[:, :, 2] += 1
    difference = (network(changed) - network(volume)).abs().amax(dim=(0, 1, 3, 4))
    assert (difference > 1e-6).tolist() == [True] * 5 + [False] * 4


def test_slices_in_a_volume_are_as_slices_alone():
    inner = nn.Conv2d(1, 2, 3, padding=1)
    volume = torch.randn(2, 1, 3, 6, 5)
    alone = torch.stack([inner(volume[:, :, z]) for z in range(3)], dim=2)
    torch.testing.assert_close(SliceWise(inner, 1)(volume), alone)


@pytest.mark.parametrize("kind", ["residual", "multiscale"])
def test_thin_lines_reach_the_output_at_full_resolution(kind):
    """A line of one voxel, moved by one, moves the answer by one: no resolution is lost on the way."""
    torch.manual_seed(0)
    network = build_network(NetworkConfig(kind=kind, filters=(8, 16, 16)))
    volume = -torch.ones(1, 1, 8, 16, 16)
    truth = torch.zeros_like(volume)
    truth[..., 5, :] = 1
    volume[..., 5, :] = 1
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(30):
        shift = int(torch.randint(8, ()))
        logits = network(volume.roll(shift, 3))
        weight = 1 + 8 * truth.roll(shift, 3)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth.roll(shift, 3), weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = network(volume.roll(3, 3))[0, 0, 4, :, 8]
    assert found.argmax() == 8
    assert found[7] < 0 < found[8]
    assert found[9] < 0


@pytest.mark.parametrize(
    ("kind", "dimensions"),
    [
        ("residual", "3d"),
        pytest.param("multiscale", "2.5d", marks=pytest.mark.slow),
        pytest.param("unet", "3d", marks=pytest.mark.slow),
        pytest.param("attention", "3d", marks=pytest.mark.slow),
        pytest.param("dynunet", "2d", marks=pytest.mark.slow),
        pytest.param("segresnet", "3d", marks=pytest.mark.slow),
    ],
)
def test_onnx_answers_alike_at_any_size(kind, dimensions, tmp_path):
    config = NetworkConfig(kind=kind, dimensions=dimensions, filters=SMALL[kind])
    network = build_network(config).eval()
    example = (torch.randn(2, 1, *(2 * factor for factor in config.factor)),)
    axes = {"scan": {0: "batch", 2: "slices", 3: "rows", 4: "columns"}}
    names = {"input_names": ["scan"], "output_names": ["vessel"]}
    # Fresh weights and 8 voxels at the coarsest resolution: an instance norm over them enlarges rounding.
    assert export_onnx(network, example, tmp_path / "net.onnx", dynamic=axes, tolerance=1e-3, **names) < 1e-3


def test_a_configuration_loads_neither_torch_nor_monai():
    code = (
        "import sys, apps.pulmonary_vessel.networks.network_config, apps.pulmonary_vessel.training_config, "
        "apps.pulmonary_vessel.inference_config; assert not {'torch', 'monai', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": (8,)},
        {"kind": "unet", "filters": (8, 16)},
        {"kind": "segresnet", "filters": (8, 16, 24)},
        {"dimensions": "2.5d", "slices": 4},
    ],
)
def test_impossible_networks_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"filters|slices"):
        NetworkConfig(**wrong)
