"""Which optimiser trains which part of a network."""

from __future__ import annotations

from typing import Any

from torch.optim import Adagrad, Adam, Optimizer, SparseAdam

from apps.ctr_prediction.model import ClickNetwork
from apps.ctr_prediction.optimisers.ftml import FTML
from apps.ctr_prediction.optimisers.ftrl import FTRL
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig

__all__ = ["optimizers_for"]

Group = dict[str, Any]

LOOKED_UP = ("embedding", "wide")
"""The parts that ids look up: of each row of their tables a batch touches little, and late."""


def optimizers_for(network: ClickNetwork, config: OptimiserConfig) -> list[Optimizer]:
    """The optimisers of all parameters of a network, for a loss summed over the batch.

    The groups carry the name of their part: embedding, wide, cross, deep, ..., bias. FTRL shrinks embedding and wide
    only: l1 on the layers above leaves a network that scores well by its wide term and is dead beside it.
    """
    groups: list[Group] = [
        {"params": parameters, "name": name} for name, parameters in network.parameters_by_part().items()
    ]
    looked_up = [group for group in groups if group["name"] in LOOKED_UP]
    above = [group for group in groups if group["name"] not in LOOKED_UP]
    if config.name == "adam":
        return _adam(groups, network, config)
    if config.name == "ftml":
        return [FTML(groups, lr=config.lr_dense)]
    for group in looked_up:
        group["lr"] = config.alpha_embedding
    if config.name == "adagrad":
        return [Adagrad(groups, lr=config.alpha_dense)]
    for group in looked_up:
        group |= {"l1": config.l1, "l2": config.l2, "spare_start": config.spare_start}
    if config.name == "ftrl":
        return [FTRL(groups, lr=config.alpha_dense, beta=config.beta)]
    return [FTRL(looked_up, lr=config.alpha_embedding, beta=config.beta), Adam(above, lr=config.lr_dense)]


def _adam(groups: list[Group], network: ClickNetwork, config: OptimiserConfig) -> list[Optimizer]:
    """Adam, in its sparse form for tables with sparse gradients."""
    tables = {id(table) for table in network.embedding.tables()} if network.embedding.sparse else set()
    sparse, dense = (
        [
            {**group, "params": own}
            for group in groups
            if (own := [p for p in group["params"] if (id(p) in tables) is wanted])
        ]
        for wanted in (True, False)
    )
    optimizers: list[Optimizer] = [Adam(dense, lr=config.lr_dense)]
    return [SparseAdam(sparse, lr=config.lr_dense), *optimizers] if sparse else optimizers
