from __future__ import annotations

import pytest
import torch
from torch import nn

from apps.pulmonary_vessel.adversarial import AdversarialNetwork, adversarial_terms


@pytest.fixture
def network() -> AdversarialNetwork:
    torch.manual_seed(0)
    return AdversarialNetwork(nn.Conv3d(1, 1, 1))


def played(network: AdversarialNetwork) -> dict[str, torch.Tensor]:
    image = torch.randn(2, 1, 16, 16, 16)
    truth, region = (image > 1).float(), torch.ones_like(image)
    _, verdicts = network(image, truth, region)
    return adversarial_terms(verdicts, weight=1.0)


def gradients(module: nn.Module) -> list[bool]:
    return [weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in module.parameters()]


def test_the_network_cannot_help_the_discriminator(network):
    played(network)["discriminator"].backward()
    assert all(gradients(network.discriminator))
    assert not any(gradients(network.segmenter))


def test_the_discriminator_cannot_help_the_network(network):
    played(network)["adversarial"].backward()
    assert all(gradients(network.segmenter))
    assert not any(gradients(network.discriminator))


def test_without_the_truth_it_is_the_network_alone(network):
    image = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network(image), network.segmenter(image))


def test_both_sides_see_the_same_verdict(network):
    image = torch.randn(1, 1, 16, 16, 16)
    _, verdicts = network(image, (image > 0).float(), torch.ones_like(image))
    torch.testing.assert_close(verdicts.made, verdicts.shown)
    assert verdicts.made.shape == (1, 1, 2, 2, 2)


def test_what_lies_outside_the_region_is_not_judged(network):
    image = torch.randn(1, 1, 16, 16, 16)
    nothing = torch.zeros_like(image)
    _, one = network(image, torch.ones_like(image), nothing)
    torch.testing.assert_close(one.true, one.made)
