"""The deep part: hidden layers over all vectors side by side."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["DeepPart", "hidden_layers"]


class DeepPart(nn.Module):
    """What the hidden layers add to the logit: w . MLP(x0), or w . MLP(x_L) on top of cross layers.

    Args:
        width: numbers of x0.
        sizes: of the hidden layers.
        dropout: share of the activations dropped after each.
        before: what x0 goes through first, keeping its shape.
    """

    def __init__(self, width: int, sizes: Sequence[int], dropout: float, before: nn.Module | None = None) -> None:
        super().__init__()
        self.before = nn.Identity() if before is None else before
        self.hidden = hidden_layers(width, sizes, dropout)
        self.output = nn.Linear(sizes[-1], 1, bias=False)

    def forward(self, vectors: Tensor, x0: Tensor) -> Tensor:
        """Vectors (batch, fields, dim), of which nothing is needed, and x0 (batch, d) -> (batch,)."""
        return self.output(self.hidden(self.before(x0))).squeeze(1)


def hidden_layers(width: int, sizes: Sequence[int], dropout: float) -> nn.Sequential:
    """Linear layers, each with ReLU and dropout, that start with activations as wide as the input (He et al. 2015)."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise([width, *sizes]):
        layer = nn.Linear(n_in, n_out)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
