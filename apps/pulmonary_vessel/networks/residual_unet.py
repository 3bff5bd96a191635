"""A residual U-Net that spends little at full resolution, and its multi-scale form.

Most of what a plain U-Net computes goes into its convolutions at full resolution, of few channels each. Here the scan's
own resolution has two of them only, one on the way in and one on the way out, enough to draw the border of a thin
vessel; what is a vessel and what an airway's wall is decided below, by residual blocks (He et al. 2016) on both ways.
Skip connections are sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ResidualUNet"]

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
MEANS = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
INTERPOLATIONS = {2: "bilinear", 3: "trilinear"}


class ConvNorm(nn.Sequential):
    """Convolution of kernel 3 and instance norm."""

    def __init__(self, dimensions: int, channels: int, filters: int, stride: int = 1) -> None:
        convolution = CONVOLUTIONS[dimensions](channels, filters, 3, stride, padding=1, bias=False)
        super().__init__(convolution, NORMS[dimensions](filters, affine=True))


class ResidualBlock(nn.Module):
    """relu(x + f(x)), f two convolutions with a ReLU between them."""

    def __init__(self, dimensions: int, filters: int) -> None:
        super().__init__()
        self.first, self.second = (ConvNorm(dimensions, filters, filters) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Features in, features of the same shape out."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class ResidualUNet(nn.Module):
    """U-Net with one residual block at each resolution below the first, on the way down and on the way up.

    Args:
        dimensions: 2 or 3.
        channels: of the input.
        outputs: logits for each voxel.
        filters: channels at each resolution, from full to the coarsest.
        fused: multi-scale fusion: each resolution of the way down also gets the input averaged to it, and what each
            resolution of the way up has found is projected to the second finest one and added there, so that the last
            layers see all scales at once.
    """

    def __init__(
        self, dimensions: int, channels: int, outputs: int, filters: Sequence[int], *, fused: bool = False
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        coarse = filters[1:]
        convolution = CONVOLUTIONS[dimensions]
        self.stem = ConvNorm(dimensions, channels, filters[0])
        pairs = list(itertools.pairwise(filters))
        self.down = nn.ModuleList(ConvNorm(dimensions, fine, wide, stride=2) for fine, wide in pairs)
        self.encoder = nn.ModuleList(ResidualBlock(dimensions, wide) for wide in coarse)
        self.up = nn.ModuleList(TRANSPOSED[dimensions](wide, fine, 2, 2) for fine, wide in pairs)
        self.decoder = nn.ModuleList(ResidualBlock(dimensions, wide) for wide in coarse[:-1])
        self.views = nn.ModuleList(convolution(channels, wide, 3, padding=1) for wide in coarse if fused)
        self.scales = nn.ModuleList(convolution(wide, filters[1], 1) for wide in coarse[1:] if fused)
        self.last = ConvNorm(dimensions, filters[0], filters[0])
        self.head = convolution(filters[0], outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channels, ...) -> (batch, outputs, ...); sizes are multiples of 2 ** (resolutions - 1)."""
        x = functional.relu(self.stem(image))
        skips = []
        for level, (down, block) in enumerate(zip(self.down, self.encoder, strict=True)):
            skips.append(x)
            x = down(x)
            if self.views:
                x = x + self.views[level](MEANS[self.dimensions](image, 2 ** (level + 1)))
            x = block(functional.relu(x))
        found = [x]
        for level in range(len(self.decoder) - 1, -1, -1):
            x = self.decoder[level](functional.relu(self.up[level + 1](x) + skips[level + 1]))
            found.append(x)
        if self.scales:
            x = self._fused(found)
        x = functional.relu(self.up[0](x) + skips[0])
        return self.head(functional.relu(self.last(x)))

    def _fused(self, found: Sequence[Tensor]) -> Tensor:
        """The finest of `found`, ordered from coarse to fine, plus all others projected and enlarged to it."""
        total = found[-1]
        for power, (features, project) in enumerate(zip(reversed(found[:-1]), self.scales, strict=True), start=1):
            mode = INTERPOLATIONS[self.dimensions]
            total = total + functional.interpolate(project(features), scale_factor=float(2**power), mode=mode)
        return torch.relu(total)
