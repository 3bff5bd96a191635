"""Settings of the sliding window. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.errors import ConfigError

__all__ = ["InferenceConfig"]


@dataclass(frozen=True, kw_only=True)
class InferenceConfig:
    """How a network is led over a scan."""

    window: tuple[int, int, int] = (80, 144, 144)
    """Largest window (z, y, x) in voxels of the working grid."""
    overlap: int = 24
    """Voxels that neighbouring windows share."""
    mirrored: int = 0
    """Further passes over each window, mirrored along the first 1, 2 or 3 axes in turn, and averaged."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """Arithmetic; auto is bf16 on processors that have it and on GPUs, else 32 bit."""

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < min(self.window):
            raise ConfigError(
                f"The overlap is 0 or more and smaller than the window; found {self.overlap} and {self.window}."
            )
        if not 0 <= self.mirrored <= 3:
            raise ConfigError(f"mirrored is 0 to 3 further passes; found {self.mirrored}.")
