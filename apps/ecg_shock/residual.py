"""A residual network that neither gain nor polarity of a recording can sway, and that knows what it cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.errors import ConfigError

__all__ = ["ResidualBlock", "ResidualNet"]

STEM_STRIDE = 2
"""Samples between two steps of the first convolution: nothing above 31 Hz is left to lose."""
LEAST_MV = 1e-4
"""Added to the size of a window before it is divided by it: a flat line stays a flat line."""
LARGEST = 8.0
"""Samples are cut off at this multiple of the window's own size: one spike must not hide the rhythm beside it."""
LEAST_VARIANCE = 1e-4
"""Added below the root, whose slope has no end at zero."""


class ResidualBlock(nn.Module):
    """Two convolutions with batch normalisation beside an averaged shortcut; halves the length, rounding up.

    He et al., CVPR 2016, in one dimension; the shortcut averages before it changes channels (ResNet-D, He et al.,
    CVPR 2019), so that no sample is dropped.
    """

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, filters, kernel, stride=2, padding=kernel // 2, bias=False)
        self.first_norm = nn.BatchNorm1d(filters)
        self.second = nn.Conv1d(filters, filters, kernel, padding=kernel // 2, bias=False)
        self.second_norm = nn.BatchNorm1d(filters)
        self.shortcut = nn.Conv1d(channels, filters, 1, bias=False)

    def forward(self, signal: Tensor) -> Tensor:
        """(batch, channels, samples) -> (batch, filters, ceil(samples / 2))."""
        inner = functional.relu(self.first_norm(self.first(signal)))
        inner = self.second_norm(self.second(inner))
        return functional.relu(inner + self._averaged(signal))

    def _averaged(self, signal: Tensor) -> Tensor:
        """The shortcut of the means of neighbours, where a last odd sample is its own neighbour."""
        # One convolution with two equal taps: a pooling before the convolution would take a sixth of all the time, and
        # in one dimension the exporter would fix its length.
        padded = functional.pad(signal, (0, 1), mode="replicate")
        return functional.conv1d(padded, self.shortcut.weight.expand(-1, -1, 2) / 2, stride=2)


class ResidualNet(nn.Module):
    """Normalised window, strided residual blocks, pooling over time; one logit for "shock", one for "cannot be read".

    The window is divided by its own root mean square, so that no gain matters, and in evaluation the answer is the mean
    of those to the window and to its negative, so that no polarity matters: both are doubtful in practice, and a size
    learnt from three recorders is a size learnt by heart. What a size does decide, asystole, is a rule outside.

    Args:
        filters: of the stem and of each block after it (2 to 7 numbers).
        kernels: kernel length of each, odd.
        dropout: share of the pooled features dropped in training.

    Raises:
        ConfigError: `filters` and `kernels` differ in length, or are not 2 to 7 positive numbers, kernels odd.
    """

    outputs: ClassVar[tuple[str, ...]] = ("logit", "features", "noise")
    """What `forward` returns."""
    description: ClassVar[str] = (
        "Residual convolutional network on windows normalised by their own size, symmetric in polarity, with a second "
        "output for windows that cannot be read"
    )

    def __init__(self, filters: Sequence[int], kernels: Sequence[int], dropout: float = 0.2) -> None:
        super().__init__()
        _check(filters, kernels)
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        self.stem = nn.Conv1d(1, filters[0], kernels[0], STEM_STRIDE, padding=kernels[0] // 2, bias=False)
        self.stem_norm = nn.BatchNorm1d(filters[0])
        self.blocks = nn.ModuleList(
            ResidualBlock(channels, block_filters, kernel)
            for channels, block_filters, kernel in zip(filters[:-1], filters[1:], kernels[1:], strict=True)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(3 * filters[-1], 2)

    def forward(self, ecg: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ECG to the logit of "shock", the features it was read from, and the logit of "cannot be read".

        Args:
            ecg: (batch, 1, samples) float32, preprocessed, in mV at 125 Hz; any length.

        Returns:
            logit (batch,), features (batch, 3 * filters[-1]) and noise (batch,); float32.
        """
        if self.training:
            return self._read(ecg)
        upright, inverted = self._read(ecg), self._read(-ecg)
        logit, features, noise = ((one + other) / 2 for one, other in zip(upright, inverted, strict=True))
        return logit, features, noise

    def _read(self, ecg: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        size = ecg.square().mean(dim=2, keepdim=True).sqrt() + LEAST_MV
        signal = torch.clamp(ecg / size, -LARGEST, LARGEST)
        signal = functional.relu(self.stem_norm(self.stem(signal)))
        for block in self.blocks:
            signal = block(signal)
        features = pooled(signal)
        logit, noise = self.head(self.dropout(features)).unbind(dim=1)
        return logit, features, noise

    def multiply_accumulates(self, samples: int = 625) -> int:
        """Multiplications with addition for one window of `samples`, both polarities."""
        length = -(-samples // STEM_STRIDE)
        total = length * self.filters[0] * self.kernels[0]
        for channels, filters, kernel in zip(self.filters[:-1], self.filters[1:], self.kernels[1:], strict=True):
            length = (length + 1) // 2
            total += length * filters * (channels * kernel + filters * kernel + 2 * channels)
        return 2 * (total + self.head.in_features * self.head.out_features)


def pooled(signal: Tensor) -> Tensor:
    """(batch, channels, samples) -> (batch, 3 channels): mean, largest value and spread over time."""
    mean = signal.mean(dim=2)
    spread = (signal - mean.unsqueeze(2)).square().mean(dim=2).add(LEAST_VARIANCE).sqrt()
    return torch.cat([mean, torch.amax(signal, dim=2), spread], dim=1)


def _check(filters: Sequence[int], kernels: Sequence[int]) -> None:
    right = len(filters) == len(kernels) and 2 <= len(filters) <= 7 and min(*filters, *kernels) >= 1
    if not right or any(kernel % 2 == 0 for kernel in kernels):
        raise ConfigError(
            "The residual network needs 2 to 7 filter counts, the stem's first, and as many odd kernel lengths; found "
            f"filters {tuple(filters)} and kernels {tuple(kernels)}."
        )
