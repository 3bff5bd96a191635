"""Networks of two dimensions, used on a volume like those of three."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SliceWise"]


class SliceWise(nn.Module):
    """Apply a 2-D network to every slice of a volume, each with its neighbours as channels.

    At the first and the last slice the missing neighbours are copies of that slice.

    Args:
        network: (batch, slices, rows, columns) -> (batch, outputs, rows, columns) for the middle slice.
        slices: an odd number; 1 is a plain 2-D network.
    """

    def __init__(self, network: nn.Module, slices: int) -> None:
        super().__init__()
        self.network, self.slices = network, slices

    def forward(self, volume: Tensor) -> Tensor:
        """(batch, 1, slices, rows, columns) -> (batch, outputs, slices, rows, columns)."""
        batch, _, depth, rows, columns = volume.shape
        side = self.slices // 2
        padded = functional.pad(volume, (0, 0, 0, 0, side, side), mode="replicate") if side else volume
        stacked = torch.cat([padded[:, :, start : start + depth] for start in range(self.slices)], dim=1)
        flat = stacked.transpose(1, 2).reshape(batch * depth, self.slices, rows, columns)
        return self.network(flat).unflatten(0, (batch, depth)).transpose(1, 2)
