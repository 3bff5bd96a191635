"""Looking ids up in several tables at once, with gradients that hold the touched rows only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["lookup"]


class _Lookup(torch.autograd.Function):
    """Rows of several tables; backwards, what falls to the same row is added up, once for all tables.

    `functional.embedding(sparse=True)` leaves one entry for each id, which each optimiser must sort and add up for
    each table. Here the ids are sorted once.
    """

    @staticmethod
    def forward(ctx: Any, ids: Tensor, *tables: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(ids)
        ctx.shapes = [table.shape for table in tables]
        return tuple(table.index_select(0, ids.flatten()).view(*ids.shape, -1) for table in tables)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (ids,) = ctx.saved_tensors
        in_order, place = ids.flatten().sort()
        rows, counts = torch.unique_consecutive(in_order, return_counts=True)
        starts = counts.cumsum(0) - counts
        summed = []
        for gradient, shape in zip(gradients, ctx.shapes, strict=True):
            values = functional.embedding_bag(place, gradient.reshape(-1, shape[1]), starts, mode="sum")
            values[rows == 0] = 0.0  # of the padding
            with torch.sparse.check_sparse_tensor_invariants(enable=False):  # type: ignore[no-untyped-call]
                summed.append(torch.sparse_coo_tensor(rows.unsqueeze(0), values, shape, is_coalesced=True))
        return None, *summed


def lookup(ids: Tensor, tables: tuple[Tensor, ...], *, sparse: bool) -> tuple[Tensor, ...]:
    """The rows of each table that `ids` name.

    Args:
        ids: (batch, columns) int64; 0 is padding.
        tables: (rows, dim) each; row 0 is zero and gets no gradient.
        sparse: whether their gradients are sparse: coalesced, sorted, one entry for each row that was touched.

    Returns:
        (batch, columns, dim) of each table.
    """
    if sparse and torch.is_grad_enabled():
        return _Lookup.apply(ids, *tables)  # type: ignore[no-untyped-call]
    return tuple(functional.embedding(ids, table, padding_idx=0) for table in tables)
