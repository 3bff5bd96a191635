"""The networks: that of Krasteva et al., Sensors 2020, 20(10):2875, with the family it was searched in, and our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.ecg_shock.residual import ResidualNet
from shared.errors import ConfigError, did_you_mean

__all__ = ["ShockNet", "build_network"]

PAPER_FILTERS = (20, 15, 15, 10, 5)
PAPER_KERNELS = (10, 10, 10, 10, 10)


class ConvBlock(nn.Module):
    """Convolution of stride 1, ReLU, max pooling by 2, dropout: one of the paper's N blocks.

    "Same" padding keeps the length; an even kernel pads one sample more on the right, as the paper's framework does.
    """

    def __init__(self, channels: int, filters: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.padding = ((kernel - 1) // 2, kernel // 2)
        self.conv = nn.Conv1d(channels, filters, kernel)
        self.dropout = nn.Dropout(dropout)

    def forward(self, signal: Tensor) -> Tensor:
        """(batch, channels, samples) -> (batch, filters, samples // 2)."""
        signal = functional.relu(self.conv(functional.pad(signal, self.padding)))
        # Pooled as a picture of height 1: torch.export fixes the length of a 1-D pooling, which must stay free.
        return self.dropout(functional.max_pool2d(signal.unsqueeze(2), (1, 2)).squeeze(2))


class ShockNet(nn.Module):
    """N convolutional blocks, global max pooling, one logit.

    The paper counts convolution, pooling and dropout of each block, pooling and dense as layers: N = 1..7 blocks are
    5 to 23 hidden layers. Its optimum (N = 5, filters 20-15-15-10-5, all kernels 10) has 7521 parameters.

    Args:
        filters: filters of each block (1-7 blocks; the paper searched 5-50).
        kernels: kernel length of each block in samples (the paper searched 5-100).
        dropout: share of activations dropped after each block (the paper: 0.3).

    Raises:
        ConfigError: `filters` and `kernels` differ in length, or are not 1 to 7 positive numbers.
    """

    outputs: ClassVar[tuple[str, ...]] = ("logit", "features")
    """What `forward` returns."""
    description: ClassVar[str] = "Convolutional network of Krasteva et al., Sensors 2020, 20(10):2875"

    def __init__(
        self,
        filters: Sequence[int] = PAPER_FILTERS,
        kernels: Sequence[int] = PAPER_KERNELS,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if len(filters) != len(kernels) or not 1 <= len(filters) <= 7 or min(*filters, *kernels, 1) < 1:
            raise ConfigError(
                f"The network needs 1 to 7 blocks with one filter count and one kernel length each, all positive; "
                f"found filters {tuple(filters)} and kernels {tuple(kernels)}."
            )
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        channels = [1, *filters[:-1]]
        self.blocks = nn.ModuleList(
            ConvBlock(c, f, k, dropout) for c, f, k in zip(channels, filters, kernels, strict=True)
        )
        self.dense = nn.Linear(filters[-1], 1)

    def forward(self, ecg: Tensor) -> tuple[Tensor, Tensor]:
        """ECG to the logit of "shock", and the features it was read from.

        The paper's own output counts the other way (0 is shock); here a high value means shock.

        Args:
            ecg: (batch, 1, samples) float32, preprocessed, in mV at 125 Hz; any length that leaves a sample after
                halving once per block.

        Returns:
            logit (batch,) and features (batch, filters[-1]), the largest value of each filter over time; float32.
        """
        for block in self.blocks:
            ecg = block(ecg)
        features = torch.amax(ecg, dim=2)
        return self.dense(features).squeeze(1), features

    def multiply_accumulates(self, samples: int = 625) -> int:
        """Multiplications with addition for one window of `samples` (1 548 505 for the paper's optimum at 5 s)."""
        total = self.dense.in_features
        channels = 1
        for filters, kernel in zip(self.filters, self.kernels, strict=True):
            total += samples * channels * filters * kernel
            channels, samples = filters, samples // 2
        return total


ARCHITECTURES: Mapping[str, type[ShockNet] | type[ResidualNet]] = {"stacked": ShockNet, "residual": ResidualNet}


def build_network(architecture: str = "stacked", **sizes: Any) -> ShockNet | ResidualNet:
    """A network as a configuration or a card describes it.

    Args:
        architecture: "stacked", which cards that name none mean, or "residual".
        sizes: arguments of the network's class.

    Raises:
        ConfigError: there is no such architecture, or its sizes do not fit.
    """
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"There is no network {architecture!r}.{did_you_mean(architecture, ARCHITECTURES)}")
    return ARCHITECTURES[architecture](**sizes)
