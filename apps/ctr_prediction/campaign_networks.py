"""One network for campaigns that the training knows, and one for those it does not.

What tells the impressions of a known campaign apart (its own click rates, its tags) says nothing of a new one, and a
network that may use it does not learn what would. The second network never may: its rates leave the row's own campaign
out, so that each training row looks to it as an impression of a new campaign will.
"""

from __future__ import annotations

from torch import Tensor, nn

from apps.ctr_prediction.model import ClickNetwork

__all__ = ["CampaignNetworks"]


class CampaignNetworks(nn.Module):
    """Two click networks side by side, without a common weight; who asks takes the logit that fits the row.

    Args:
        known: for rows of campaigns of the training.
        new: for all others.
        known_inputs: how many of the inputs belong to `known`: its ids, dense inputs and bags.
    """

    def __init__(self, known: ClickNetwork, new: ClickNetwork, known_inputs: int) -> None:
        super().__init__()
        self.known, self.new, self.known_inputs = known, new, known_inputs

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs of `known`, then those of `new`, of the same rows -> both logits, (batch,) each."""
        return self.known(*inputs[: self.known_inputs]), self.new(*inputs[self.known_inputs :])
