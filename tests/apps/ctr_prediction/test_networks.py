"""The networks of the field: parts that add up to the logit, and each part what its paper says."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from apps.ctr_prediction.model import ClickNetwork, build_network
from apps.ctr_prediction.networks.factorisation import FactorisationPart
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.networks.product import ProductPart
from shared.errors import ConfigError
from shared.export import export_onnx
from tests.apps.ctr_prediction.made_clicks import plain_layout

LAYOUT = plain_layout(fields=4, values=5, n_bags=1, n_dense=2)
SMALL: dict[str, Any] = {"dim": 3, "deep": (8, 6)}
CONFIGS = {
    "dcn": NetworkConfig(**SMALL),
    "dcn v2": NetworkConfig(cross="v2", **SMALL),
    "dcn mixture": NetworkConfig(cross="mixture", rank=2, experts=3, **SMALL),
    "dcn stacked": NetworkConfig(structure="stacked", **SMALL),
    "dcn of the paper": NetworkConfig(wide=False, **SMALL),
    "deep only": NetworkConfig(cross="none", wide=False, **SMALL),
    "cross only": NetworkConfig(dim=3, deep=()),
    "lr": NetworkConfig(kind="lr"),
    "fm": NetworkConfig(kind="fm", dim=3),
    "deepfm": NetworkConfig(kind="deepfm", **SMALL),
    "pnn": NetworkConfig(kind="pnn", **SMALL),
}
PARTS = {
    "dcn": ["bias", "wide", "cross", "deep"],
    "dcn stacked": ["bias", "wide", "deep"],
    "dcn of the paper": ["bias", "cross", "deep"],
    "deep only": ["bias", "deep"],
    "cross only": ["bias", "wide", "cross"],
    "lr": ["bias", "wide"],
    "fm": ["bias", "wide", "fm"],
    "deepfm": ["bias", "wide", "fm", "deep"],
    "pnn": ["bias", "wide", "product"],
}


def inputs(batch: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, dense inputs and a bag padded with 0, one bag empty."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 6, (batch, 4), generator=generator) + 1 + 6 * torch.arange(4)
    bag = torch.randint(1, 25, (batch, 3), generator=generator)
    bag[:, 2] = 0
    bag[0] = 0
    return ids, torch.randn(batch, 2, generator=generator), bag


def network(name: str, **changes: Any) -> ClickNetwork:
    """One with no parameter at zero but those that must be."""
    torch.manual_seed(0)
    made = build_network(LAYOUT, dataclasses.replace(CONFIGS[name], **changes))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for table in made.embedding.tables():
        table.data[0] = 0
    return made.eval()


@pytest.mark.parametrize("name", CONFIGS)
def test_the_parts_add_up_to_the_logit(name: str) -> None:
    made = network(name)
    parts, logit = made.parts(*inputs()), made(*inputs())
    assert logit.shape == (7,)
    assert all(part.shape == (7,) for part in parts.values())
    torch.testing.assert_close(sum(parts.values()), logit)
    if name in PARTS:
        assert list(parts) == PARTS[name]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_learns_and_belongs_to_one_part(name: str) -> None:
    made = network(name).train()
    made(*inputs()).square().sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())
    owned = [id(parameter) for own in made.parameters_by_part().values() for parameter in own]
    assert sorted(owned) == sorted(map(id, made.parameters()))


@pytest.mark.parametrize("name", CONFIGS)
def test_sparse_gradients_are_the_dense_ones(name: str) -> None:
    grads = []
    for sparse in (True, False):
        made = network(name, sparse=sparse).train()
        made(*inputs()).square().sum().backward()
        assert all(table.grad is not None and table.grad.is_sparse is sparse for table in made.embedding.tables())
        grads.append([parameter.grad.to_dense() for parameter in made.parameters() if parameter.grad is not None])
        assert not any(table.grad.to_dense()[0].any() for table in made.embedding.tables() if table.grad is not None)
    for sparse_grad, dense_grad in zip(*grads, strict=True):
        torch.testing.assert_close(sparse_grad, dense_grad)


def test_the_wide_part_is_one_weight_for_each_id_and_number() -> None:
    made = network("lr")
    ids, dense, bag = inputs()
    weights = made.embedding.weights
    assert weights is not None
    assert made.wide_dense is not None
    expected = weights(ids).sum(dim=(1, 2)) + weights(bag).sum(dim=(1, 2)) + dense @ made.wide_dense
    torch.testing.assert_close(made.parts(ids, dense, bag)["wide"], expected)


def test_fm_sums_over_all_pairs() -> None:
    vectors = torch.randn(5, 6, 3, dtype=torch.float64)
    pairs = sum((vectors[:, i] * vectors[:, j]).sum(dim=1) for i in range(6) for j in range(i))
    torch.testing.assert_close(FactorisationPart()(vectors, torch.empty(0)), pairs)


def test_pnn_sees_all_inner_products() -> None:
    part = ProductPart(4, 5, (3,), dropout=0.0).eval()
    vectors, x0 = torch.randn(2, 4, 3), torch.randn(2, 5)
    products = [(vectors[:, i] * vectors[:, j]).sum(dim=1) for i in range(4) for j in range(i + 1, 4)]
    expected = part.output(part.hidden(torch.cat([x0, torch.stack(products, dim=1)], dim=1))).squeeze(1)
    torch.testing.assert_close(part(vectors, x0), expected)


def test_stacked_puts_the_hidden_layers_on_the_cross_layers() -> None:
    made = network("dcn stacked")
    vectors, _ = made.embedding(inputs()[0], inputs()[2])
    x0 = torch.cat([vectors.flatten(1), inputs()[1]], dim=1)
    part = made.interactions["deep"]
    expected = part.output(part.hidden(part.before(x0))).squeeze(1)
    assert not torch.allclose(part.before(x0), x0)
    torch.testing.assert_close(made.parts(*inputs())["deep"], expected)


def test_dense_inputs_reach_every_part_but_fm() -> None:
    ids, dense, bag = inputs()
    for name, names in PARTS.items():
        before, after = network(name).parts(ids, dense, bag), network(name).parts(ids, dense + 1, bag)
        changed = [part for part in names if not torch.allclose(before[part], after[part])]
        assert changed == [part for part in names if part not in ("bias", "fm")]


def test_a_fresh_network_says_the_click_rate() -> None:
    made = build_network(LAYOUT, NetworkConfig(kind="lr"))
    made.start_at(0.08)
    assert torch.sigmoid(made(*inputs())).tolist() == pytest.approx([0.08] * 7)


def test_the_same_seed_gives_the_same_network_and_dropout() -> None:
    def logit() -> Tensor:
        torch.manual_seed(4)
        return build_network(LAYOUT, NetworkConfig(dropout=0.3, id_dropout=0.4))(*inputs())

    assert torch.equal(logit(), logit())


def test_a_card_holds_layout_and_settings() -> None:
    layout = dataclasses.replace(LAYOUT, group_columns=(1,))
    config = dataclasses.replace(CONFIGS["dcn mixture"], group_dropout=0.5)
    card = json.loads(json.dumps({"layout": dataclasses.asdict(layout), "config": dataclasses.asdict(config)}))
    again = build_network(InputLayout(**card["layout"]), NetworkConfig(**card["config"])).eval()
    made = build_network(layout, config).eval()
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(*inputs()), made(*inputs()))
    assert all(name.split(".")[-1] not in ("unseen_rows", "order", "pairs") for name in made.state_dict())


@pytest.mark.parametrize("name", ["dcn", "dcn mixture", "fm", "pnn"])
def test_it_becomes_an_onnx_file_of_any_batch_and_bag(name: str, tmp_path: Any) -> None:
    pytest.importorskip("onnxruntime")
    difference = export_onnx(
        network(name, id_dropout=0.5),
        inputs(),
        tmp_path / "network.onnx",
        input_names=["ids", "dense", "tags"],
        output_names=["logit"],
        dynamic={"ids": {0: "batch"}, "dense": {0: "batch"}, "tags": {0: "batch", 1: "longest"}},
    )
    assert difference < 1e-5


def test_bags_alone_make_a_network() -> None:
    layout = InputLayout(n_rows=9, columns=(), unseen_rows=(), n_bags=2)
    made = build_network(layout, NetworkConfig(dim=3, deep=(4,), id_dropout=0.2, group_dropout=0.2))
    bags = torch.randint(0, 9, (2, 5, 3))
    assert made(torch.zeros(5, 0, dtype=torch.int64), torch.zeros(5, 0), *bags).shape == (5,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dim": 0}, "network.dim must be 1 or more; found 0"),
        ({"cross_layers": 0}, "network.cross_layers must be 1 or more; found 0"),
        ({"deep": (128, 0)}, r"network.deep must be sizes of 1 or more; found \[128, 0\]"),
        ({"dropout": 1.0}, "network.dropout is a share, 0 or more and below 1; found 1.0"),
        ({"id_dropout": -0.1}, "network.id_dropout is a share"),
        ({"group_dropout": math.nan}, "network.group_dropout is a share"),
        ({"embedding_std": 0.0}, "network.embedding_std must be above 0; found 0.0"),
        ({"kind": "deepfm", "deep": ()}, "A deepfm needs hidden layers: set network.deep"),
        ({"structure": "stacked", "deep": ()}, "A stacked dcn needs hidden layers"),
        ({"cross": "none", "deep": ()}, "A dcn with network.cross = none needs hidden layers"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"columns": ((0, "sum"), (2, "sum"))}, r"fields 0, 1, ... without a gap.*found \[0, 2\]"),
        ({"columns": ((0, "sum"),) * 3}, r"one or two to a field; found \[0, 0, 0\]"),
        ({"unseen_rows": (1,)}, r"Each of the 4 id columns needs an unseen row from 1 to 24; found \[1\]"),
        ({"unseen_rows": (0, 7, 13, 19)}, "needs an unseen row from 1 to 24"),
        ({"group_columns": (4,)}, r"group_columns must be from 0 to 3; found \[4\]"),
        ({"columns": (), "unseen_rows": (), "n_bags": 0}, "the row has neither"),
    ],
)
def test_impossible_layouts_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(LAYOUT, **values)
