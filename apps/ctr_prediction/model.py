"""The networks: the Deep & Cross Network in its variants, and those of the field it is compared with.

All of them are one class: a logit is a bias plus parts, each a function of the same embedded row.

    lr      bias + wide
    fm      bias + wide + fm
    deepfm  bias + wide + fm + deep
    pnn     bias + wide + product
    dcn     bias + wide + cross + deep; stacked: bias + wide + deep, over the cross layers

The original Deep & Cross Network has no wide term (`wide=False` leaves it away); the notation is that of the papers,
x0 for all vectors of a row and its dense inputs side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from apps.ctr_prediction.networks.cross import CrossPart, cross_network
from apps.ctr_prediction.networks.deep import DeepPart
from apps.ctr_prediction.networks.factorisation import FactorisationPart
from apps.ctr_prediction.networks.field_embedding import FieldEmbedding
from apps.ctr_prediction.networks.id_dropout import IdDropout
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.networks.product import ProductPart

__all__ = ["ClickNetwork", "build_network"]


class ClickNetwork(nn.Module):
    """Logit of a click as a sum of parts.

    Args:
        layout: of the encoded rows.
        config: the embedding, the wide term and what is hidden in training.
        interactions: the other parts by name, each (vectors (batch, fields, dim), x0 (batch, d)) -> (batch,).
    """

    def __init__(self, layout: InputLayout, config: NetworkConfig, interactions: Mapping[str, nn.Module]) -> None:
        super().__init__()
        wide = config.wide or config.kind in ("lr", "fm", "deepfm")
        dim = config.dim if interactions else 0
        self.id_dropout = IdDropout(layout, config.id_dropout, config.group_dropout)
        self.embedding = FieldEmbedding(layout, dim, wide=wide, std=config.embedding_std, sparse=config.sparse)
        self.wide_dense = nn.Parameter(torch.zeros(layout.n_dense)) if wide and layout.n_dense else None
        self.bias = nn.Parameter(torch.zeros(1))
        self.interactions = nn.ModuleDict(interactions)
        self.has_dense = layout.n_dense > 0

    def forward(self, ids: Tensor, dense: Tensor, *bags: Tensor) -> Tensor:
        """Rows to the logit of a click.

        Args:
            ids: (batch, columns) int64 row numbers of the tables.
            dense: (batch, n_dense) float32.
            bags: (batch, ids of the longest) int64 for each bag, padded with 0.

        Returns:
            (batch,) float32.
        """
        return torch.stack(list(self.parts(ids, dense, *bags).values())).sum(dim=0)

    def parts(self, ids: Tensor, dense: Tensor, *bags: Tensor) -> dict[str, Tensor]:
        """What each part adds to the logit, (batch,) each, for the arguments of `forward`, which is their sum."""
        vectors, weights = self.embedding(self.id_dropout(ids), *bags)
        parts = {"bias": self.bias.expand(ids.shape[0])}
        if weights is not None:
            parts["wide"] = weights if self.wide_dense is None else weights + dense @ self.wide_dense
        if vectors is not None:
            x0 = torch.cat([vectors.flatten(1), dense], dim=1) if self.has_dense else vectors.flatten(1)
            parts |= {name: part(vectors, x0) for name, part in self.interactions.items()}
        return parts

    def start_at(self, click_rate: float) -> None:
        """Set the bias to the logit of the click rate of the training rows, where training best begins."""
        nn.init.constant_(self.bias, math.log(click_rate / (1 - click_rate)))

    def parameters_by_part(self) -> dict[str, list[nn.Parameter]]:
        """All parameters: "embedding", "wide", "bias", and the parts that have some of their own."""
        modules = {"embedding": self.embedding.vectors, "wide": self.embedding.weights, **self.interactions}
        named = {name: list(module.parameters()) for name, module in modules.items() if module is not None}
        if self.wide_dense is not None:
            named["wide"].append(self.wide_dense)
        return {name: parameters for name, parameters in named.items() if parameters} | {"bias": [self.bias]}


def build_network(layout: InputLayout, config: NetworkConfig) -> ClickNetwork:
    """The network that a configuration or a card describes, with fresh weights from torch's generator."""
    width = layout.width(config.dim)
    parts: dict[str, nn.Module] = {}
    if config.kind == "dcn":
        parts = _deep_and_cross(width, config)
    if config.kind in ("fm", "deepfm"):
        parts["fm"] = FactorisationPart()
    if config.kind == "deepfm":
        parts["deep"] = DeepPart(width, config.deep, config.dropout)
    if config.kind == "pnn":
        parts["product"] = ProductPart(layout.n_vectors, width, config.deep, config.dropout)
    return ClickNetwork(layout, config, parts)


def _deep_and_cross(width: int, config: NetworkConfig) -> dict[str, nn.Module]:
    if config.structure == "stacked":
        return {"deep": DeepPart(width, config.deep, config.dropout, before=cross_network(width, config))}
    parts: dict[str, nn.Module] = {}
    if config.cross != "none":
        parts["cross"] = CrossPart(width, config)
    if config.deep:
        parts["deep"] = DeepPart(width, config.deep, config.dropout)
    return parts
