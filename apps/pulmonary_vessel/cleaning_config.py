"""How a probability becomes a mask, beside the threshold. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import ConfigError

__all__ = ["CleaningConfig"]


@dataclass(frozen=True, kw_only=True)
class CleaningConfig:
    """What is taken out of a mask after the threshold."""

    smallest_mm3: float = 10.0
    """Connected pieces (26 neighbours) of less than this volume are dropped."""
    seed: float | None = None
    """Hysteresis: pieces in which no voxel has at least this probability are dropped; null: none are."""

    def __post_init__(self) -> None:
        if not self.smallest_mm3 >= 0:
            raise ConfigError(f"cleaning.smallest_mm3 must be 0 or more; found {self.smallest_mm3}.")
        if self.seed is not None and not 0 < self.seed < 1:
            raise ConfigError(f"cleaning.seed is a probability between 0 and 1, or null; found {self.seed}.")
