"""Ids hidden in training, so that a network knows what to say of a campaign it has never seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from apps.ctr_prediction.networks.input_layout import InputLayout

__all__ = ["IdDropout"]


class IdDropout(nn.Module):
    """In training, ids replaced by the unseen row of their field; in evaluation, nothing.

    Each field of a row is hidden by itself, all its columns at once. The fields that name the campaign are beside that
    hidden together: one that is left would tell the others. All draws come from torch's generator.

    Args:
        layout: of the encoded rows.
        share: of the fields hidden.
        group_share: of the rows whose campaign is hidden.
    """

    unseen_rows: Tensor
    group_columns: Tensor
    fields: Tensor

    def __init__(self, layout: InputLayout, share: float, group_share: float) -> None:
        super().__init__()
        self.share, self.group_share, self.n_fields = share, group_share, layout.n_fields
        named = [column in layout.group_columns for column in range(len(layout.columns))]
        self.register_buffer("unseen_rows", torch.tensor(layout.unseen_rows, dtype=torch.int64), persistent=False)
        self.register_buffer("group_columns", torch.tensor(named, dtype=torch.bool), persistent=False)
        fields = torch.tensor([field for field, _ in layout.columns], dtype=torch.int64)
        self.register_buffer("fields", fields, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, columns) int64 -> the same, some of it replaced."""
        if not self.training:
            return ids
        if self.share:
            hidden = torch.rand(len(ids), self.n_fields, device=ids.device) < self.share
            ids = torch.where(hidden[:, self.fields], self.unseen_rows, ids)
        if self.group_share:
            hidden = torch.rand(len(ids), 1, device=ids.device) < self.group_share
            ids = torch.where(hidden & self.group_columns, self.unseen_rows, ids)
        return ids
