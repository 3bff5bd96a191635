"""Settings of the networks; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.errors import ConfigError

__all__ = ["NetworkConfig"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network; the defaults are the Deep & Cross Network of Wang et al. 2017 with a wide term beside it."""

    kind: Literal["dcn", "lr", "fm", "deepfm", "pnn"] = "dcn"
    """Deep & Cross Network, logistic regression, factorisation machine, DeepFM or product network."""
    dim: int = 10
    """Numbers of each embedding vector."""
    cross: Literal["v1", "v2", "mixture", "none"] = "v1"
    """Cross layers of dcn: a vector each (2017), a matrix each (2021), or a mixture of low-rank matrices (2021)."""
    cross_layers: int = 3
    """Cross layers one after the other; each raises the degree of the interactions by one."""
    rank: int = 8
    """Rank of each matrix of the mixture."""
    experts: int = 4
    """Matrices of the mixture."""
    deep: tuple[int, ...] = (128, 128)
    """Sizes of the hidden layers; none of them leaves the deep part away."""
    structure: Literal["parallel", "stacked"] = "parallel"
    """dcn: the deep layers beside the cross layers, or on top of them."""
    wide: bool = True
    """dcn and pnn: a linear term with one weight for each id, as lr, fm and deepfm always have."""
    dropout: float = 0.0
    """Share of the activations dropped after each hidden layer."""
    embedding_std: float = 0.05
    """Standard deviation that embeddings start with."""
    id_dropout: float = 0.0
    """Share of the ids that count as unseen in training, so that the network learns what to say without them."""
    group_dropout: float = 0.0
    """Share of the training rows whose ids of the campaign all count as unseen."""
    sparse: bool = True
    """Gradients of the tables for the rows of a batch alone; without it for all rows, which costs time."""

    def __post_init__(self) -> None:
        for name in ("dim", "cross_layers", "rank", "experts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"network.{name} must be 1 or more; found {getattr(self, name)}.")
        if any(size < 1 for size in self.deep):
            raise ConfigError(f"network.deep must be sizes of 1 or more; found {list(self.deep)}.")
        for name in ("dropout", "id_dropout", "group_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"network.{name} is a share, 0 or more and below 1; found {getattr(self, name)}.")
        if not self.embedding_std > 0:
            raise ConfigError(f"network.embedding_std must be above 0; found {self.embedding_std}.")
        self._check_parts()

    def _check_parts(self) -> None:
        """A network that is left without the part its kind is named for is a mistake."""
        stacked = self.kind == "dcn" and self.structure == "stacked"
        if not self.deep and (self.kind in ("deepfm", "pnn") or stacked):
            raise ConfigError(f"A {'stacked dcn' if stacked else self.kind} needs hidden layers: set network.deep.")
        if self.kind == "dcn" and self.cross == "none" and not self.deep:
            raise ConfigError("A dcn with network.cross = none needs hidden layers: set network.deep.")
