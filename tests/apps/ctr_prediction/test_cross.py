"""Cross layers against the equations of their papers, written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from apps.ctr_prediction.model import build_network
from apps.ctr_prediction.networks.cross import CrossMixture, CrossPart, CrossV1, CrossV2
from apps.ctr_prediction.networks.network_config import NetworkConfig
from tests.apps.ctr_prediction.made_clicks import plain_layout


def x0(batch: int = 5, width: int = 12) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(batch, width, dtype=torch.float64)


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """The module in float64 with no parameter left at zero."""
    for parameter in module.double().parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_v1_is_the_recursion_of_2017(layers: int) -> None:
    cross = shaken(CrossV1(12, layers))
    x = x0()
    for weight, bias in zip(cross.weights, cross.biases, strict=True):
        x = x0() * (x @ weight).unsqueeze(1) + bias + x
    torch.testing.assert_close(cross(x0()), x, rtol=1e-12, atol=1e-12)


def test_v2_is_the_recursion_of_2021() -> None:
    cross = shaken(CrossV2(12, 3))
    x = x0()
    for layer in cross.layers:
        x = x0() * (x @ layer.weight.T + layer.bias) + x
    torch.testing.assert_close(cross(x0()), x, rtol=1e-12, atol=1e-12)


def test_the_mixture_is_a_gated_sum_of_experts() -> None:
    cross = shaken(CrossMixture(12, 2, rank=3, experts=4))
    x = x0()
    for layer in cross.layers:
        gates = torch.softmax(x @ layer.gates.weight.T, dim=1)
        mixed = torch.zeros_like(x)
        for expert in range(4):
            rows = slice(3 * expert, 3 * expert + 3)
            low = torch.tanh(torch.tanh(x @ layer.down.weight[rows].T) @ layer.cores[expert])
            mixed += gates[:, [expert]] * (x0() * (low @ layer.up.weight[:, rows].T + layer.up.bias))
        x = mixed + x
    torch.testing.assert_close(cross(x0()), x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["v1", "v2", "mixture"])
def test_each_layer_raises_the_degree(kind: str) -> None:
    """Two equal layers of v1 and v2 on c x0 are a polynomial of degree 3 in c; none is linear."""
    part = shaken(CrossPart(12, NetworkConfig(cross=kind, cross_layers=2)))
    values = torch.cat([part(torch.empty(0), c * x0(1)) for c in torch.arange(5.0)])
    differences = values.diff(n=2)
    assert differences.abs().min() > 1e-3
    if kind != "mixture":
        torch.testing.assert_close(values.diff(n=4), torch.zeros(1, dtype=torch.float64), atol=1e-9, rtol=0)


def above_the_tables(fields: int, n_bags: int, config: NetworkConfig) -> int:
    network = build_network(plain_layout(fields, 3, n_bags), config)
    return sum(p.numel() for p in network.parameters()) - sum(table.numel() for table in network.embedding.tables())


@pytest.mark.parametrize(
    ("fields", "n_bags", "cross", "count"),
    [(39, 0, "v1", 69_419), (39, 0, "v2", 524_549), (16, 1, "v1", 39_719), (16, 1, "v2", 125_909)],
)
def test_parameters_are_those_of_the_papers(fields: int, n_bags: int, cross: str, count: int) -> None:
    assert above_the_tables(fields, n_bags, NetworkConfig(cross=cross, wide=False)) == count


def test_parameters_of_each_part() -> None:
    network = build_network(plain_layout(39, 3), NetworkConfig(wide=False))
    counts = {name: sum(p.numel() for p in own) for name, own in network.parameters_by_part().items()}
    del counts["embedding"]
    assert counts == {"cross": 2_340 + 390, "deep": 66_560 + 128, "bias": 1}


def test_parameters_of_the_mixture() -> None:
    d, r, experts = 30, 8, 4
    layer = 2 * d * r * experts + r * r * experts + d * experts + d
    assert sum(p.numel() for p in CrossMixture(d, 3, r, experts).parameters()) == 3 * layer
