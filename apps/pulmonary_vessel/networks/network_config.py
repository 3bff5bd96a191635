"""Settings of the networks; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from shared.errors import ConfigError

__all__ = ["NetworkConfig"]

PLAIN_LEVELS = 5
"""Resolutions of MONAI's plain U-Net, which has no choice of them."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network; the defaults are a plain 3-D U-Net."""

    kind: Literal["unet", "attention", "dynunet", "segresnet", "residual", "multiscale"] = "unet"
    """Plain U-Net, attention U-Net, nnU-Net's, SegResNet, our residual U-Net, or that with multi-scale fusion."""
    dimensions: Literal["2d", "2.5d", "3d"] = "3d"
    """Context of a voxel: its slice, its slice and the neighbouring ones, or its surroundings in all directions."""
    filters: tuple[int, ...] = (16, 16, 32, 64, 128)
    """Channels at each resolution, the scan's own first; each further one is half as fine in every direction."""
    slices: int = 5
    """Slices that a 2.5-D network sees for the middle one of them; an odd number."""
    artery_vein: bool = False
    """Also say of each voxel whether it is of an artery, and whether of a vein."""
    airways: bool = False
    """Also say of each voxel whether it is of an airway, lumen or wall."""
    adversarial: bool = False
    """Train against a discriminator that tells the network's masks from true ones."""

    def __post_init__(self) -> None:
        if len(self.filters) < 2 or min(self.filters) < 1:
            raise ConfigError(f"network.filters must be two or more numbers from 1; found {list(self.filters)}.")
        if self.kind == "unet" and len(self.filters) != PLAIN_LEVELS:
            raise ConfigError(f"A unet has {PLAIN_LEVELS} network.filters; found {list(self.filters)}.")
        if self.kind == "segresnet" and any(b != 2 * a for a, b in itertools.pairwise(self.filters)):
            raise ConfigError(f"The network.filters of a segresnet double each time; found {list(self.filters)}.")
        if self.slices < 3 or self.slices % 2 == 0:
            raise ConfigError(f"network.slices must be odd and 3 or more; found {self.slices}.")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output channels, each a logit of its own."""
        names = ["vessel"]
        if self.artery_vein:
            names += ["artery", "vein"]
        if self.airways:
            names.append("airway")
        return tuple(names)

    @property
    def factor(self) -> tuple[int, int, int]:
        """The sizes (z, y, x) of an input are multiples of these."""
        in_plane = 2 ** (len(self.filters) - 1)
        return (in_plane if self.dimensions == "3d" else 1, in_plane, in_plane)

    @property
    def seen_slices(self) -> int:
        """Slices that a network over slices sees at a time."""
        return self.slices if self.dimensions == "2.5d" else 1
