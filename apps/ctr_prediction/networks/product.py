"""The product network (Qu et al., "Product-based Neural Networks for User Response Prediction", ICDM 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from apps.ctr_prediction.networks.deep import hidden_layers

__all__ = ["ProductPart"]


class ProductPart(nn.Module):
    """What hidden layers over x0 and the inner products v_i . v_j, i < j, add to the logit (the paper's IPNN).

    The paper's first layer weighs the products by a matrix of low rank to save time; here it weighs each of them, as
    the public implementations do.

    Args:
        n_vectors: fields and bags, F.
        width: numbers of x0; F (F - 1) / 2 products join them.
        sizes: of the hidden layers.
        dropout: share of the activations dropped after each.
    """

    pairs: Tensor

    def __init__(self, n_vectors: int, width: int, sizes: Sequence[int], dropout: float) -> None:
        super().__init__()
        first, second = torch.triu_indices(n_vectors, n_vectors, offset=1)
        self.register_buffer("pairs", first * n_vectors + second, persistent=False)
        self.hidden = hidden_layers(width + len(first), sizes, dropout)
        self.output = nn.Linear(sizes[-1], 1, bias=False)

    def forward(self, vectors: Tensor, x0: Tensor) -> Tensor:
        """Vectors (batch, F, dim) and x0 (batch, d) -> (batch,)."""
        products = torch.bmm(vectors, vectors.transpose(1, 2)).flatten(1).index_select(1, self.pairs)
        return self.output(self.hidden(torch.cat([x0, products], dim=1))).squeeze(1)
