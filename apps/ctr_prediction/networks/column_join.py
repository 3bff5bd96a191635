"""Fields that two id columns encode: their vectors joined to one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from apps.ctr_prediction.networks.input_layout import InputLayout

__all__ = ["ColumnJoin"]


class ColumnJoin(nn.Module):
    """Vectors of id columns to vectors of fields.

    A field of two columns is the sum a + b (two hashes), or the product a * (1 + b): the quotient-remainder trick (Shi
    et al., KDD 2020) with a second factor that starts, and under l1 ends, at one.

    Args:
        layout: of the encoded rows.
    """

    alone: Tensor
    summed: Tensor
    multiplied: Tensor
    order: Tensor

    def __init__(self, layout: InputLayout) -> None:
        super().__init__()
        columns: list[list[int]] = [[] for _ in range(layout.n_fields)]
        for column, (field, _) in enumerate(layout.columns):
            columns[field].append(column)
        fields: dict[str, list[int]] = {"alone": [], "sum": [], "product": []}
        for field, own in enumerate(columns):
            fields["alone" if len(own) == 1 else layout.columns[own[1]][1]].append(field)
        for name, kind, width in (("alone", "alone", 1), ("summed", "sum", 2), ("multiplied", "product", 2)):
            index = torch.tensor([columns[field] for field in fields[kind]], dtype=torch.int64)
            self.register_buffer(name, index.reshape(-1, width).T.contiguous(), persistent=False)
        made = [field for of_kind in fields.values() for field in of_kind]
        order = torch.tensor([made.index(field) for field in range(layout.n_fields)])
        self.register_buffer("order", order, persistent=False)

    def forward(self, columns: Tensor) -> Tensor:
        """(batch, columns, dim) -> (batch, fields, dim)."""
        alone = columns[:, self.alone[0]]
        summed = columns[:, self.summed[0]] + columns[:, self.summed[1]]
        multiplied = columns[:, self.multiplied[0]] * (1 + columns[:, self.multiplied[1]])
        return torch.cat([alone, summed, multiplied], dim=1)[:, self.order]
