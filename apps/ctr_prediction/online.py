"""Learning on, impression by impression, from where a training ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from apps.ctr_prediction.data import preprocess
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.model import ClickNetwork
from apps.ctr_prediction.optimisers.ftrl import FTRL
from apps.ctr_prediction.optimisers.mixed import optimizers_for
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig
from shared.card import Card
from shared.errors import ConfigError

__all__ = ["OnlineTraining", "ftrl_state"]

Arrays = Mapping[str, npt.NDArray[Any]]


class OnlineTraining:
    """The optimisers of a trained network, with what FTRL remembers of every weight.

    Args:
        network: learns; its dropout stays off, as in an answer.
        card: of the model; its recipe names the optimiser and the rows of a batch.
        remembered: as `state` gave it; empty begins anew, as if no gradient had been seen.

    Raises:
        ConfigError: nothing of the network is trained by FTRL.
    """

    def __init__(self, network: nn.Module, card: Card, remembered: Arrays) -> None:
        assert isinstance(network, ClickNetwork)
        self._network = network
        self._batch_rows = int(card.recipe["reading"]["batch_rows"])
        config = OptimiserConfig(**{**card.recipe["optimiser"], "spare_start": True})  # its start is long past
        if not config.name.startswith("ftrl"):
            raise ConfigError(
                f"update is FTRL's: the model was trained by {config.name}. Train one by ftrl or ftrl+adam."
            )
        # What Adam would need of the past is not kept with a model: the layers above the tables then stay as they are.
        self._optimizers = [one for one in optimizers_for(network, config) if isinstance(one, FTRL)]
        self._recall(remembered)

    def _recall(self, remembered: Arrays) -> None:
        names = {id(parameter): name for name, parameter in self._network.named_parameters()}
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    first = optimizer.first_state(weight, group)
                    state = {part: _stored(remembered, names[id(weight)], part, value) for part, value in first.items()}
                    if "held" in state:  # weights of an earlier epoch, or a mean of several, go with other zeros
                        state["held"] = torch.where(weight.detach() == 0, state["held"], first["held"])
                    optimizer.state[weight] = state

    def learn(self, rows: Encoded, clicks: npt.NDArray[np.float32]) -> None:
        """One pass in the given order, in batches as the training had them."""
        device = self._network.bias.device
        for first in range(0, len(rows), self._batch_rows):
            part = slice(first, first + self._batch_rows)
            logit = self._network(*(tensor.to(device) for tensor in preprocess(rows.take(part))))
            outcome = torch.from_numpy(clicks[part]).to(device)
            loss = functional.binary_cross_entropy_with_logits(logit, outcome, reduction="sum")
            for optimizer in self._optimizers:
                optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in self._optimizers:
                optimizer.step()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What FTRL remembers, to be kept with the weights."""
        return ftrl_state(self._network, self._optimizers)


def _stored(remembered: Arrays, name: str, part: str, otherwise: Tensor) -> Tensor:
    """A part of the state of a weight, as it was kept."""
    kept = remembered.get(f"{name}:{part}")
    return otherwise if kept is None else torch.from_numpy(np.array(kept)).reshape(otherwise.shape).to(otherwise)


def ftrl_state(network: nn.Module, optimizers: list[Any] | list[Optimizer]) -> dict[str, npt.NDArray[Any]]:
    """What the FTRL optimisers among `optimizers` remember of each weight: "NAME:squares", "NAME:held" -> array."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        f"{names[id(weight)]}:{part}": tensor.detach().cpu().numpy()
        for optimizer in optimizers
        if isinstance(optimizer, FTRL)
        for weight, state in optimizer.state.items()
        if id(weight) in names
        for part, tensor in state.items()
    }
