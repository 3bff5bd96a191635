"""The networks of a model, each with its own encoder: one, or two where new campaigns have a network of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from apps.ctr_prediction.campaign_networks import CampaignNetworks
from apps.ctr_prediction.data import preprocess
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.read_rows import ReadRows
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.model import ClickNetwork, build_network
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.network_config import NetworkConfig

__all__ = [
    "Parts",
    "described_network",
    "network_of",
    "networks_in",
    "part_names",
    "parts_by",
    "parts_of_rows",
    "stored_layout",
]

Parts = dict[str, npt.NDArray[np.float64]]
"""What each part of a network adds to the logit, (rows,) each."""
SCORED_TOGETHER = 8192
"""Rows in one pass of a network."""


def parts_by(network: ClickNetwork, rows: Encoded) -> Parts:
    """What each part adds to the logit of each row; an answer depends on the rows beside it by rounding only."""
    firsts = range(0, max(len(rows), 1), SCORED_TOGETHER)
    chunks = [_parts_at_once(network, rows.take(slice(first, first + SCORED_TOGETHER))) for first in firsts]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _parts_at_once(network: ClickNetwork, rows: Encoded) -> Parts:
    device = network.bias.device
    with torch.inference_mode():
        parts = network.parts(*(tensor.to(device) for tensor in preprocess(rows)))
    return {name: part.detach().cpu().numpy().astype(np.float64) for name, part in parts.items()}


def part_names(config: NetworkConfig) -> tuple[str, ...]:
    """Names of the parts that a network adds to its bias, whatever the rows are."""
    smallest = InputLayout(n_rows=3, columns=((0, "sum"), (1, "sum")), unseen_rows=(1, 2))
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        parts = build_network(smallest, config).eval().parts(torch.tensor([[1, 2]]), torch.zeros(1, 0))
    return tuple(name for name in parts if name != "bias")


def parts_of_rows(networks: Sequence[ClickNetwork], read: Sequence[ReadRows]) -> Parts:
    """The parts of each row by the network for its campaign: the first for known ones, the last for new ones.

    Args:
        networks: one or two.
        read: for each network the same rows, as its encoder reads them.
    """
    new = read[0].of_new_campaign() & (len(networks) > 1)
    if not new.any():
        return parts_by(networks[0], read[0].encoded())
    joined: Parts = {}
    for rows, network, own in ((~new, networks[0], read[0]), (new, networks[-1], read[-1])):
        for name, part in parts_by(network, own.encoded().take(rows)).items():
            joined.setdefault(name, np.zeros(len(rows)))[rows] = part
    return joined


def layout_of(encoder: RowEncoder) -> InputLayout:
    """What a network must know of the rows that an encoder makes."""
    return InputLayout(
        n_rows=encoder.n_rows,
        columns=encoder.id_columns,
        unseen_rows=encoder.unseen_rows,
        group_columns=encoder.group_columns,
        n_bags=encoder.n_bags,
        n_dense=encoder.n_dense,
    )


def described_network(encoder: RowEncoder, config: NetworkConfig) -> dict[str, Any]:
    """A network as a card holds it; `network_of` builds it again."""
    return {"layout": dataclasses.asdict(layout_of(encoder)), "config": dataclasses.asdict(config)}


def network_of(described: Mapping[str, Any]) -> ClickNetwork:
    """A fresh network as `described_network` told it."""
    return build_network(stored_layout(described), NetworkConfig(**_tuples(described["config"])))


def stored_layout(described: Mapping[str, Any]) -> InputLayout:
    """The layout as `described_network` told it."""
    stored = _tuples(described["layout"])
    return InputLayout(**{**stored, "columns": tuple((int(field), join) for field, join in stored["columns"])})


def _tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}


def networks_in(network: nn.Module) -> tuple[ClickNetwork, ...]:
    """The networks of a model: one, or that for known campaigns and that for new ones."""
    if isinstance(network, CampaignNetworks):
        return network.known, network.new
    assert isinstance(network, ClickNetwork)
    return (network,)
