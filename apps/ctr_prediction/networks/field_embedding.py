"""The tables of a network: a vector and a weight for each id.

The tables are where a click network is large, and this module is all that knows them. Where they exceed one machine, a
TorchRec `EmbeddingBagCollection` can stand in their place: an `EmbeddingBagConfig` with `PoolingType.SUM` for the
vectors and another for the weights, each with a feature for each id column and each bag. Its kernels ask for rows
of a multiple of 4 numbers: `dim` must be one, and the weights take 4, of which the first is used. The input is a
`KeyedJaggedTensor` of the same ids without the padding. The answer, a `KeyedTensor`, calls a feature of two tables
"feature@table"; it is cut into the two results of `FieldEmbedding.forward`, the columns going through `ColumnJoin` as
here. Nothing else of the network changes. `DistributedModelParallel` deals the tables to the machines, in the place of
Fabric's DDP, and `apply_optimizer_in_backward` names their optimiser. FTRL is not among those that can be named, but
with l1 = l2 = 0 it is `torch.optim.Adagrad` with lr = alpha and eps = beta, which is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from apps.ctr_prediction.networks.column_join import ColumnJoin
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.networks.sparse_lookup import lookup

__all__ = ["FieldEmbedding"]


class FieldEmbedding(nn.Module):
    """Ids to one vector for each field and bag, and to the sum of one weight for each id.

    A bag is the sum of its ids; an empty one is zero. Unseen rows start at zero, so that an id that nobody trained adds
    nothing.

    Args:
        layout: of the encoded rows.
        dim: numbers of each vector; 0: there are no vectors.
        wide: whether there is a weight for each id; the weights start at zero.
        std: standard deviation that the vectors start with.
        sparse: whether gradients hold the rows of the batch alone.
    """

    def __init__(self, layout: InputLayout, dim: int, *, wide: bool, std: float, sparse: bool) -> None:
        super().__init__()
        self.sparse = sparse
        # Not bare parameters: DistributedDataParallel asks nn.Embedding which gradients are sparse.
        self.vectors = nn.Embedding(layout.n_rows, dim, padding_idx=0, sparse=sparse) if dim else None
        self.weights = nn.Embedding(layout.n_rows, 1, padding_idx=0, sparse=sparse) if wide else None
        if self.vectors is not None:
            nn.init.normal_(self.vectors.weight, std=std)
            self.vectors.weight.data[[0, *layout.unseen_rows]] = 0.0
        if self.weights is not None:
            nn.init.zeros_(self.weights.weight)
        self.join = ColumnJoin(layout) if len(layout.columns) > layout.n_fields else nn.Identity()

    def tables(self) -> tuple[Tensor, ...]:
        """The tables there are: vectors (n_rows, dim), weights (n_rows, 1)."""
        return tuple(table.weight for table in (self.vectors, self.weights) if table is not None)

    def forward(self, ids: Tensor, *bags: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Look a batch up.

        Args:
            ids: (batch, columns) int64 row numbers.
            bags: (batch, ids of the longest bag) int64 each, padded with 0.

        Returns:
            Vectors (batch, fields + bags, dim) and the sum of the weights (batch,), each None where there is no table.
        """
        together = torch.cat([ids, *bags], dim=1) if bags else ids
        found = list(lookup(together, self.tables(), sparse=self.sparse))
        lengths = [part.shape[1] for part in (ids, *bags)]
        vectors = None if self.vectors is None else self._pooled(found.pop(0), lengths)
        weights = None if self.weights is None else found.pop().sum(dim=(1, 2))
        return vectors, weights

    def _pooled(self, found: Tensor, lengths: list[int]) -> Tensor:
        """(batch, ids of a row, dim) -> (batch, fields + bags, dim)."""
        columns, *bags = torch.split(found, lengths, dim=1)
        sums = [bag.sum(dim=1, keepdim=True) for bag in bags]
        return torch.cat([self.join(columns), *sums], dim=1) if sums else self.join(columns)
