"""A network with the encoder of its rows; a model has one, or two where new campaigns have a network of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import nn

from apps.ctr_prediction.campaign_networks import CampaignNetworks
from apps.ctr_prediction.data import preprocess
from apps.ctr_prediction.features.bags import values_in_rows
from apps.ctr_prediction.features.columns import read_numbers
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.fields import Field
from apps.ctr_prediction.features.fitting import single_values
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.model import ClickNetwork, build_network
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.network_config import NetworkConfig

__all__ = [
    "Expert",
    "Parts",
    "described_network",
    "network_of",
    "networks_in",
    "nothing_known",
    "part_names",
    "parts_of_rows",
    "stored_layout",
]

Parts = dict[str, npt.NDArray[np.float64]]
"""What each part of a network adds to the logit, (rows,) each."""
SCORED_TOGETHER = 8192
"""Rows in one pass of a network."""


@dataclass(frozen=True)
class Expert:
    """A network with the encoder of its rows."""

    encoder: RowEncoder
    network: ClickNetwork

    def parts(self, table: pa.Table) -> Parts:
        """What each part adds to the logit of each row; an answer depends on the rows beside it by rounding only."""
        rows = self.encoder.encode(table)
        firsts = range(0, max(len(rows), 1), SCORED_TOGETHER)
        chunks = [self._parts(rows.take(slice(first, first + SCORED_TOGETHER))) for first in firsts]
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def _parts(self, rows: Encoded) -> Parts:
        device = self.network.bias.device
        with torch.inference_mode():
            parts = self.network.parts(*(tensor.to(device) for tensor in preprocess(rows)))
        return {name: part.detach().cpu().numpy().astype(np.float64) for name, part in parts.items()}


def part_names(config: NetworkConfig) -> tuple[str, ...]:
    """Names of the parts that a network adds to its bias, whatever the rows are."""
    smallest = InputLayout(n_rows=3, columns=((0, "sum"), (1, "sum")), unseen_rows=(1, 2))
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        parts = build_network(smallest, config).eval().parts(torch.tensor([[1, 2]]), torch.zeros(1, 0))
    return tuple(name for name in parts if name != "bias")


def parts_of_rows(experts: Sequence[Expert], table: pa.Table) -> Parts:
    """The parts of each row by the expert for its campaign: the first one for known ones, the last one for new ones."""
    known, *others = experts
    new = known.encoder.of_new_campaign(table) if others else np.zeros(table.num_rows, dtype=bool)
    if not new.any():
        return known.parts(table)
    answers = [(~new, known), (new, experts[-1])]
    joined: Parts = {}
    for rows, expert in answers:
        for name, part in expert.parts(table.filter(pa.array(rows))).items():
            joined.setdefault(name, np.zeros(table.num_rows))[rows] = part
    return joined


def nothing_known(encoder: RowEncoder, table: pa.Table, unseen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(rows,) whether every feature is missing, or has a value that the training rows never had.

    Args:
        encoder: of the rows.
        table: the rows.
        unseen: what the encoder says of them.
    """
    left = np.arange(table.num_rows)
    for place, field in enumerate(encoder.fields):  # after the first one hardly any row is left
        rows = table if len(left) == table.num_rows else table.take(pa.array(left))
        left = left[unseen[left, place] | _missing(rows, field)]
    answer = np.zeros(table.num_rows, dtype=bool)
    answer[left] = True
    return answer


def _missing(table: pa.Table, field: Field) -> npt.NDArray[np.bool_]:
    """(rows,) whether a feature has no value."""
    if field.kind == "number":
        return np.isnan(read_numbers(table, field.column.name))
    if field.kind == "bag":
        return np.bincount(values_in_rows(table, field.column)[0], minlength=table.num_rows) == 0
    texts = single_values(table, field.column)
    return texts.values.is_null().to_numpy(zero_copy_only=False)[texts.codes]


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
