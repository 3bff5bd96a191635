"""Made rows whose click depends on two fields together and on neither alone, and a short training on them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from apps.ctr_prediction.model import ClickNetwork, build_network
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.optimisers.mixed import optimizers_for
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig

FIELDS, VALUES = 6, 20


def plain_layout(fields: int, values: int, n_bags: int = 0, n_dense: int = 0) -> InputLayout:
    """Fields of one column with an unseen row and `values` known ones each; bags use the rows of all of them."""
    return InputLayout(
        n_rows=1 + fields * (values + 1),
        columns=tuple((field, "sum") for field in range(fields)),
        unseen_rows=tuple(1 + field * (values + 1) for field in range(fields)),
        n_bags=n_bags,
        n_dense=n_dense,
    )


@dataclass(frozen=True)
class Clicks:
    """Rows of ids with their clicks."""

    ids: Tensor
    clicks: Tensor

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """As a network takes them."""
        return self.ids, torch.zeros(len(self.ids), 0)


def made_clicks(n: int, seed: int) -> Clicks:
    """The logit of a click is -0.5 + 2 where the values of the first two fields are both odd or both even, else - 2."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, VALUES, (n, FIELDS), generator=generator)
    same = (values[:, 0] % 2) == (values[:, 1] % 2)
    clicks = torch.rand(n, generator=generator) < torch.sigmoid(torch.where(same, 1.5, -2.5))
    return Clicks(values + 2 + torch.arange(FIELDS) * (VALUES + 1), clicks.float())


def trained(
    config: NetworkConfig, optimiser: OptimiserConfig, rows: Clicks, epochs: int, batch: int = 256
) -> ClickNetwork:
    """A network after a few epochs on rows, in evaluation mode."""
    torch.manual_seed(0)
    network = build_network(plain_layout(FIELDS, VALUES), config)
    network.start_at(float(rows.clicks.mean()))
    optimizers = optimizers_for(network, optimiser)
    for _ in range(epochs):
        for part in torch.randperm(len(rows.clicks)).split(batch):
            logit = network(rows.ids[part], torch.zeros(len(part), 0))
            functional.binary_cross_entropy_with_logits(logit, rows.clicks[part], reduction="sum").backward()
            for optimizer in optimizers:
                optimizer.step()
            network.zero_grad()
    return network.eval()
