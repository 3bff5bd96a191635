"""Settings of the optimisers; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.errors import ConfigError

__all__ = ["OptimiserConfig"]


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Which optimiser trains what. All rates hold for a loss that is the **sum** over the batch.

    FTRL's alpha, beta and l1 mean what they mean in the literature only for a sum; Adam and FTML do not see the scale
    of a loss, nor does Adagrad.
    """

    name: Literal["ftrl+adam", "ftrl", "adam", "adagrad", "ftml"] = "ftrl+adam"
    """One optimiser for everything, or FTRL for what ids look up and Adam for the layers above."""
    alpha_embedding: float = 0.05
    """Rate of FTRL and Adagrad on the embeddings and the wide term."""
    alpha_dense: float = 0.01
    """Rate of FTRL and Adagrad on all other layers, whose gradients are sums over whole batches: smaller."""
    beta: float = 1.0
    """FTRL: keeps the first steps small."""
    l1: float = 0.1
    """FTRL on the embeddings and the wide term: draws weights to zero exactly. Other layers are never drawn."""
    spare_start: bool = True
    """FTRL: l1 draws a weight only once gradients have carried it through zero; false: from the start, so that most
    embeddings of rare values are zero."""
    l2: float = 0.0
    """FTRL on the embeddings and the wide term: keeps weights near where they started."""
    lr_dense: float = 0.001
    """Rate of Adam and FTML: on the layers above in ftrl+adam, on everything in adam and ftml."""

    def __post_init__(self) -> None:
        for name in ("alpha_embedding", "alpha_dense", "beta", "lr_dense"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"optimiser.{name} must be above 0; found {getattr(self, name)}.")
        for name in ("l1", "l2"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"optimiser.{name} must be 0 or more; found {getattr(self, name)}.")
