"""Which optimiser trains which part, and that each of them learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import Adagrad, Adam, SparseAdam

from apps.ctr_prediction.model import build_network
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.optimisers.ftml import FTML
from apps.ctr_prediction.optimisers.ftrl import FTRL
from apps.ctr_prediction.optimisers.mixed import optimizers_for
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig
from apps.ctr_prediction.optimisers.rowwise import share_nonzero
from shared.errors import ConfigError
from tests.apps.ctr_prediction.made_clicks import made_clicks, plain_layout, trained

SMALL: dict[str, Any] = {"dim": 4, "deep": (8,)}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("ftrl", [FTRL]),
        ("ftrl+adam", [FTRL, Adam]),
        ("adagrad", [Adagrad]),
        ("adam", [SparseAdam, Adam]),
        ("ftml", [FTML]),
    ],
)
@pytest.mark.parametrize("kind", ["dcn", "lr", "fm", "pnn"])
def test_every_parameter_has_one_optimiser_and_it_learns(name: Any, kinds: list[type], kind: Any) -> None:
    torch.manual_seed(0)
    network = build_network(plain_layout(3, 4, n_bags=1, n_dense=2), NetworkConfig(kind=kind, **SMALL))
    made = optimizers_for(network, OptimiserConfig(name=name))
    assert [type(optimizer) for optimizer in made] == kinds
    held = [id(p) for optimizer in made for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(map(id, network.parameters()))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    for _ in range(3):  # weights at zero stay there until the gradients have outweighed l1
        network.zero_grad()
        logit = network(torch.tensor([[2, 7, 12], [3, 8, 13]]), torch.ones(2, 2), torch.tensor([[4, 0], [9, 5]]))
        (3 * logit.sum() + logit.square().sum()).backward()
        for optimizer in made:
            optimizer.step()
    changed = [not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True)]
    assert all(changed)
    assert not any(table[0].any() for table in network.embedding.tables())


def groups(config: OptimiserConfig) -> dict[str, dict[str, Any]]:
    network = build_network(plain_layout(3, 4), NetworkConfig(**SMALL))
    return {group["name"]: group for made in optimizers_for(network, config) for group in made.param_groups}


def test_the_groups_of_ftrl_have_their_own_rates_and_only_ids_are_shrunk() -> None:
    config = OptimiserConfig(name="ftrl", alpha_embedding=0.2, alpha_dense=0.03, beta=0.7, l1=0.4, l2=0.5)
    found = groups(config)
    assert list(found) == ["embedding", "wide", "cross", "deep", "bias"]
    for name, group in found.items():
        ids = name in ("embedding", "wide")
        settings = tuple(group[key] for key in ("lr", "l1", "l2", "beta"))
        assert settings == ((0.2, 0.4, 0.5, 0.7) if ids else (0.03, 0.0, 0.0, 0.7))


def test_the_rates_of_the_others() -> None:
    adam = groups(OptimiserConfig(name="adam", lr_dense=0.005))
    assert [adam[name]["lr"] for name in ("embedding", "wide", "cross", "deep", "bias")] == [0.005] * 5
    both = groups(OptimiserConfig(name="ftrl+adam", alpha_embedding=0.2, lr_dense=0.005))
    assert [both[name]["lr"] for name in ("embedding", "wide", "cross", "deep", "bias")] == [0.2, 0.2] + 3 * [0.005]
    adagrad = groups(OptimiserConfig(name="adagrad", alpha_embedding=0.2, alpha_dense=0.03))
    assert [adagrad[name]["lr"] for name in ("embedding", "deep")] == [0.2, 0.03]


def test_dense_tables_need_no_sparse_adam() -> None:
    network = build_network(plain_layout(3, 4), NetworkConfig(sparse=False, **SMALL))
    assert [type(made) for made in optimizers_for(network, OptimiserConfig(name="adam"))] == [Adam]


def test_l1_leaves_fewer_weights_the_larger_it_is() -> None:
    rows = made_clicks(1500, seed=1)
    shares = [
        share_nonzero(trained(NetworkConfig(**SMALL), OptimiserConfig(name="ftrl", l1=l1), rows, 1).embedding.tables())
        for l1 in (0.0, 1.0, 10.0)
    ]
    assert shares[0] > 0.9
    assert shares == sorted(shares, reverse=True)
    assert shares[2] < 0.7 * shares[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha_embedding": 0.0}, "optimiser.alpha_embedding must be above 0; found 0.0"),
        ({"lr_dense": float("nan")}, "optimiser.lr_dense must be above 0; found nan"),
        ({"beta": -1.0}, "optimiser.beta must be above 0; found -1.0"),
        ({"l1": -0.5}, "optimiser.l1 must be 0 or more; found -0.5"),
        ({"l2": float("nan")}, "optimiser.l2 must be 0 or more; found nan"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OptimiserConfig(**values)
