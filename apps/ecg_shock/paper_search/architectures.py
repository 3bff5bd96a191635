"""The grid of architectures of Krasteva et al. 2020 (Table 2): networks drawn from it, and the median of several."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from apps.ecg_shock.model import ShockNet
from shared.errors import ConfigError

__all__ = ["BLOCKS", "FILTERS", "KERNELS", "Architecture", "Drawn", "draw", "median"]

BLOCKS = (1, 7)
FILTERS = (5, 50)
KERNELS = (5, 100)

MOST_REDRAWS = 1000
"""After so many draws in vain nothing that is allowed is likely to be left."""


@dataclass(frozen=True)
class Architecture:
    """Filters and kernel length of each block, from the input on."""

    filters: tuple[int, ...]
    kernels: tuple[int, ...]

    @classmethod
    def named(cls, name: str) -> Architecture:
        """The architecture that `name` stands for."""
        blocks = [block.split("x") for block in name.split("_")]
        return cls(tuple(int(filters) for filters, _ in blocks), tuple(int(kernel) for _, kernel in blocks))

    @property
    def name(self) -> str:
        """Filters and kernel of each block: "20x10_15x10"."""
        return "_".join(f"{filters}x{kernel}" for filters, kernel in zip(self.filters, self.kernels, strict=True))

    @property
    def blocks(self) -> int:
        """The paper's N."""
        return len(self.filters)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(weights.numel() for weights in self._described.parameters())

    @property
    def macs(self) -> int:
        """Multiplications with addition for a window of 5 s."""
        return self._described.multiply_accumulates()

    @cached_property
    def _described(self) -> ShockNet:
        with torch.device("meta"):  # only counted: no weight is drawn
            return ShockNet(self.filters, self.kernels)


@dataclass(frozen=True)
class Drawn:
    """Architectures of a search in the order of their trials."""

    architectures: tuple[Architecture, ...]
    passed_over: int
    """How many more were drawn and not kept, because they cost too much (or, hardly ever, were there already)."""


def draw(trials: int, seed: int, most_macs: float | None = None) -> Drawn:
    """Different architectures with filters and kernels drawn evenly; the depths take turns.

    What a trial draws depends on the seed and the trials before it only, so that every machine has the same list, and
    a longer list begins with the shorter one.

    Args:
        trials: how many.
        seed: of the draws.
        most_macs: largest cost for 5 s in multiply-accumulates; what costs more is drawn again. None: the whole grid.

    Raises:
        ConfigError: of some depth nothing that may cost so little was found.
    """
    kept: dict[Architecture, None] = {}
    passed_over = 0
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial])
        blocks = BLOCKS[0] + trial % (BLOCKS[1] - BLOCKS[0] + 1)
        for attempt in range(MOST_REDRAWS):
            architecture = Architecture(_sizes(rng, FILTERS, blocks), _sizes(rng, KERNELS, blocks))
            if architecture not in kept and (most_macs is None or architecture.macs <= most_macs):
                kept[architecture] = None
                passed_over += attempt
                break
        else:
            limit = "" if most_macs is None else f" of at most most_macs = {most_macs:g}"
            raise ConfigError(
                f"{MOST_REDRAWS} draws gave no further architecture of depth {blocks}{limit}: ask for fewer trials, "
                f"or allow a larger cost."
            )
    return Drawn(tuple(kept), passed_over)


def _sizes(rng: np.random.Generator, limits: tuple[int, int], blocks: int) -> tuple[int, ...]:
    return tuple(rng.integers(*limits, size=blocks, endpoint=True).tolist())


def median(architectures: Sequence[Architecture]) -> Architecture:
    """The median of filters and of kernels, block by block, of architectures of one depth; halves are rounded up."""
    filters = zip(*(architecture.filters for architecture in architectures), strict=True)
    kernels = zip(*(architecture.kernels for architecture in architectures), strict=True)
    return Architecture(tuple(map(_middle, filters)), tuple(map(_middle, kernels)))


def _middle(sizes: Sequence[int]) -> int:
    return math.floor(statistics.median(sizes) + 0.5)
