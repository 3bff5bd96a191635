"""Embeddings of user and advertisement with sparse gradients beside dense layers, learnt from a stream."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.atomic import read_json
from shared.card import Card
from shared.errors import InputError
from shared.experiment import Experiment
from shared.metrics.binary import AUC, LOG_LOSS
from shared.predictor import Predictor
from shared.result import Result
from shared.table import Table, concatenate, n_rows
from tests.toys.table_stream.app import APP, TrainConfig

BATCH, COLUMNS, DEAREST = 32, ("user", "ad", "price"), 10.0


class ClickNet(nn.Module):
    def __init__(self, buckets: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2 * buckets, 4, sparse=True)
        self.layers = nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, codes: Tensor, price: Tensor) -> Tensor:
        """codes (batch, 2) int64 and price (batch, 1) -> logit (batch,)."""
        return self.layers(torch.cat([self.embedding(codes).flatten(1), price], dim=1))[:, 0]


def encode(rows: Table, buckets: int) -> tuple[Tensor, Tensor]:
    """Columns user, ad and price as the network takes them."""
    codes = np.stack([rows["user"] % buckets, buckets + rows["ad"] % buckets], axis=1).astype(np.int64)
    price = np.clip(rows["price"], 0, DEAREST)[:, None].astype(np.float32)
    return torch.from_numpy(codes), torch.from_numpy(price) / DEAREST


@dataclass(frozen=True, kw_only=True, eq=False)
class Click(Result):
    probability: float


class ClickGuesser(Predictor):
    app, input_names = APP.package, ("codes", "price")
    dynamic_axes = {"codes": {0: "batch"}, "price": {0: "batch"}}  # noqa: RUF012

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        return ClickNet(**card.network)

    def example(self):
        return torch.zeros(2, 2, dtype=torch.int64), torch.rand(2, 1)

    def predict(self, row) -> Click:
        return self.predict_batch([row])[0]

    def predict_batch(self, items) -> list[Click]:
        rows = [_checked(item, place) for place, item in enumerate(items)]
        columns = {name: np.array([row[name] for row in rows], dtype=object) for name in COLUMNS}
        ...
