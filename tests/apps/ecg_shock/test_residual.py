"""Our own network: blind to gain and polarity, of any length, small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from apps.ecg_shock.model import ShockNet, build_network
from apps.ecg_shock.residual import ResidualBlock, ResidualNet
from shared.errors import ConfigError

FILTERS, KERNELS = (12, 16, 24, 32, 40), (9, 5, 5, 5, 5)


def network() -> ResidualNet:
    """A network whose normalisations have statistics of their own, as after a training."""
    torch.manual_seed(0)
    made = ResidualNet(FILTERS, KERNELS)
    made.train()
    for _ in range(3):
        made(torch.randn(8, 1, 625))
    return made.eval()


def ecg(samples: int = 625) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(3, 1, samples).cumsum(dim=2) / 10


def test_it_is_small_enough_for_a_defibrillator() -> None:
    made = network()
    assert sum(parameter.numel() for parameter in made.parameters()) < 60_000
    assert made.multiply_accumulates(625) < 20_000_000


@pytest.mark.parametrize("samples", [250, 377, 625, 626, 1250])
def test_multiplications_are_those_that_torch_counts(samples: int) -> None:
    made = network()
    with FlopCounterMode(display=False) as counter:
        made(torch.randn(1, 1, samples))
    assert counter.get_total_flops() == 2 * made.multiply_accumulates(samples)


@pytest.mark.parametrize("gain", [-1.0, 0.25, 0.5, 4.0, -2.0])
def test_gain_and_polarity_cannot_matter(gain: float) -> None:
    made = network()
    for answer, changed in zip(made(ecg()), made(gain * ecg()), strict=True):
        torch.testing.assert_close(changed, answer, rtol=1e-3, atol=1e-3)


def test_inversion_gives_the_very_same_bits() -> None:
    made = network()
    for answer, inverted in zip(made(ecg()), made(-ecg()), strict=True):
        assert torch.equal(inverted, answer)


@pytest.mark.parametrize("samples", [250, 251, 500, 625, 1000, 1250])
def test_any_length_has_an_answer(samples: int) -> None:
    logit, features, noise = network()(ecg(samples))
    assert logit.shape == noise.shape == (3,)
    assert features.shape == (3, 3 * FILTERS[-1])
    assert all(torch.isfinite(answer).all() for answer in (logit, features, noise))


def test_a_flat_line_has_finite_answers_and_slopes() -> None:
    made = ResidualNet(FILTERS, KERNELS).train()
    flat = torch.zeros(4, 1, 625, requires_grad=True)
    made(flat)[0].sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in made.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("samples", [2, 5, 313, 314])
def test_the_shortcut_averages_neighbours_with_the_last_odd_one_alone(samples: int) -> None:
    block, signal = ResidualBlock(3, 4, 5), torch.randn(2, 3, samples)
    means = functional.avg_pool1d(signal, 2, 2, ceil_mode=True, count_include_pad=False)
    torch.testing.assert_close(block._averaged(signal), block.shortcut(means))


@pytest.mark.parametrize(
    ("filters", "kernels"),
    [((16,), (9,)), ((16, 24), (9,)), ((16, 24), (9, 6)), ((0, 24), (9, 7)), ((4,) * 8, (3,) * 8)],
)
def test_impossible_sizes_are_refused(filters: tuple[int, ...], kernels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"2 to 7 filter counts.*found filters"):
        ResidualNet(filters, kernels)


def test_a_card_names_its_architecture_and_an_old_one_means_the_stacked_network() -> None:
    assert isinstance(build_network(filters=(5,), kernels=(10,)), ShockNet)
    assert isinstance(build_network("residual", filters=FILTERS, kernels=KERNELS, dropout=0.2), ResidualNet)
    with pytest.raises(ConfigError, match=r"no network .residul.*residual"):
        build_network("residul")


def test_one_spike_does_not_hide_the_rhythm() -> None:
    made, spiked = network(), ecg()
    spiked[:, :, 300] += 1e4
    for answer in made(spiked):
        assert np.isfinite(answer.detach().numpy()).all()
