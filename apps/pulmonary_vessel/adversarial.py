"""Adversarial training: a discriminator learns to tell the network's masks from true ones, the network to deceive it.

The patch discriminator of Isola et al. 2017 in three dimensions, with the least-squares loss of Mao et al. 2017. A mask
is judged with the scan it belongs to, piece by piece: gaps in a branch, and airways drawn as vessels, look false.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["AdversarialNetwork", "PatchDiscriminator", "Verdicts", "adversarial_terms"]

FILTERS = (16, 32, 64)
"""Each layer of the discriminator halves the resolution: a verdict is on a piece of 22 voxels a side."""


class Verdicts(NamedTuple):
    """What the discriminator says, near 1 for "true" and 0 for "made"; (batch, 1, ...) with a number for each piece."""

    true: Tensor
    """Of true masks; gradients to the discriminator."""
    made: Tensor
    """Of the network's; gradients to the discriminator alone."""
    shown: Tensor
    """The same numbers with gradients to the network alone."""


class PatchDiscriminator(nn.Sequential):
    """Scan and mask as two channels to one verdict for each piece of the volume."""

    def __init__(self, filters: Sequence[int] = FILTERS) -> None:
        layers: list[nn.Module] = []
        for channels, wide in itertools.pairwise((2, *filters)):
            layers += [nn.Conv3d(channels, wide, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv3d(filters[-1], 1, 1))


class AdversarialNetwork(nn.Module):
    """A network with its discriminator, which is asked in training only.

    Args:
        segmenter: (batch, 1, z, y, x) -> (batch, outputs, z, y, x) logits, the first of them of "vessel".
    """

    def __init__(self, segmenter: nn.Module) -> None:
        super().__init__()
        self.segmenter, self.discriminator = segmenter, PatchDiscriminator()

    def forward(
        self, image: Tensor, truth: Tensor | None = None, region: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Verdicts]:
        """Logits, and in training the verdicts.

        Args:
            image: (batch, 1, z, y, x) scaled HU.
            truth: the same shape, 1 in vessels; without it there are no verdicts.
            region: the same shape, 1 where `truth` is known; masks are cut to it before they are judged.
        """
        logits = self.segmenter(image)
        if truth is None or region is None:
            return logits
        made = torch.sigmoid(logits[:, :1]) * region
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        shown = functional_call(self.discriminator, fixed, (torch.cat([image, made], dim=1),))
        verdicts = [self.discriminator(torch.cat([image, mask], dim=1)) for mask in (truth * region, made.detach())]
        return logits, Verdicts(verdicts[0], verdicts[1], shown)


def adversarial_terms(verdicts: Verdicts, weight: float) -> dict[str, Tensor]:
    """Least-squares terms of both sides.

    Args:
        verdicts: of one batch.
        weight: of the network's term beside its other losses.
    """
    true, made, shown = (verdict.float() for verdict in verdicts)
    return {
        "discriminator": ((true - 1).square().mean() + made.square().mean()) / 2,
        "adversarial": weight * (shown - 1).square().mean(),
    }
