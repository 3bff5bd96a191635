"""The network against the numbers of Krasteva et al. 2020."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from apps.ecg_shock.model import ShockNet
from shared.errors import ConfigError


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_optimum_has_7521_parameters_and_1548505_multiplications() -> None:
    network = ShockNet()
    assert count(network) == 7521
    assert network.multiply_accumulates(625) == 1_548_505


@pytest.mark.parametrize("blocks", range(1, 8))
def test_one_to_seven_blocks_have_answers(blocks: int) -> None:
    network = ShockNet(filters=(5,) * blocks, kernels=(100,) * blocks).eval()
    logit, features = network(torch.randn(2, 1, 1250))
    assert logit.shape == (2,)
    assert features.shape == (2, 5)


@pytest.mark.parametrize("seconds", [2, 3, 4, 5, 8, 10])
def test_one_set_of_weights_takes_any_length(seconds: int) -> None:
    logit, _ = ShockNet().eval()(torch.randn(3, 1, 125 * seconds))
    assert torch.isfinite(logit).all()


def test_even_kernel_pads_as_same_padding_does() -> None:
    """Four samples on the left and five on the right, as torch's own "same" does for a kernel of 10."""
    block = ShockNet().blocks[0]
    same = nn.Conv1d(1, 20, 10, padding="same")
    same.load_state_dict(block.conv.state_dict())
    ecg = torch.randn(2, 1, 250)
    expected = torch.nn.functional.max_pool1d(torch.relu(same(ecg)), 2)
    torch.testing.assert_close(block.eval()(ecg), expected)


@pytest.mark.parametrize(("filters", "kernels"), [((), ()), ((5, 5), (10,)), ((5,) * 8, (10,) * 8), ((0,), (10,))])
def test_impossible_architectures_are_refused(filters: tuple[int, ...], kernels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="1 to 7 blocks"):
        ShockNet(filters=filters, kernels=kernels)
