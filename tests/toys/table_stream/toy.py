"""Embeddings of user and advertisement with sparse gradients beside a dense layer, learnt from a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.card import Card
from shared.experiment import Experiment
from shared.metrics.binary import AUC, LOG_LOSS
from shared.predictor import Predictor
from shared.result import Result
from shared.table import Table, concatenate, n_rows
from shared.validate import record
from tests.toys.table_stream.app import APP, TrainConfig

BATCH, FIELDS = 32, ("user", "ad")


def encode(rows: Table, known: int) -> Tensor:
    """Columns user and ad -> (n, 2) int64 rows of the embedding; all that are not 0 to known - 1 share one."""
    codes = [np.where((rows[field] >= 0) & (rows[field] < known), rows[field], known) for field in FIELDS]
    return torch.from_numpy(np.stack(codes, axis=1).astype(np.int64)) + torch.tensor([0, known + 1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Click(Result):
    probability: float


class ClickGuesser(Predictor):
    app, input_names, dynamic_axes = APP.package, ("codes",), {"codes": {0: "batch"}}

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        embedding = nn.Embedding(2 * (card.network["known"] + 1), 4, sparse=True)
        return nn.Sequential(embedding, nn.Flatten(), nn.Linear(8, 1), nn.Flatten(0))

    def example(self):
        return (torch.tensor([[0, 9], [1, 8]]),)

    def predict(self, row) -> Click:
        return self.predict_batch([row])[0]

    def predict_batch(self, items) -> list[Click]:
        rows = [record(item, f"Row {place}", dict.fromkeys(FIELDS, "whole number")) for place, item in enumerate(items)]
        found = self.probability({field: np.array([row[field] for row in rows], dtype=object) for field in FIELDS})
        unseen = [[field for field in FIELDS if not 0 <= row[field] < self.card.network["known"]] for row in rows]
        doubts = [{"status": "undecided", "reason": f"unseen: {', '.join(u)}"} if u else {} for u in unseen]
        return [Click(model=self.card.label, probability=float(p), **d) for p, d in zip(found, doubts, strict=True)]

    def probability(self, rows: Table) -> np.ndarray:
        return torch.sigmoid(self.forward(encode(rows, self.card.network["known"]))[0]).numpy()


class ClickExperiment(Experiment[TrainConfig]):
    app, config_class, metrics = APP, TrainConfig, (AUC, LOG_LOSS)
    item_columns, published_columns = ("day", "impression"), ("target", "probability")

    def described(self) -> dict[str, object]:
        known = self.config.known
        return {"network": {"known": known}, "input": {"units": "1", "range": [0, known - 1]}}

    def task(self, network) -> ClickExperiment:
        self.steps_per_epoch = self.config.steps
        return self  # an experiment may be its own task

    def batches(self, epoch, rank, world_size):
        log, first = self.prepared.table("log"), epoch * self.steps_per_epoch  # the epoch's slice of an endless log
        for rows in log.endless(BATCH, first, None, rank, world_size, self.where("train")):
            yield encode(rows, self.config.known), torch.tensor(rows["click"], dtype=torch.float32)

    def loss(self, model, batch) -> dict[str, Tensor]:
        return {"log loss": functional.binary_cross_entropy_with_logits(model(batch[0]), batch[1])}

    def optimizers(self, model) -> list[torch.optim.Optimizer]:
        sparse = torch.optim.SparseAdam(model[0].parameters(), lr=5e-2)
        return [sparse, torch.optim.Adam(model[2].parameters(), lr=1e-2)]

    def validate(self, model) -> dict[str, float]:
        return {}

    def predictions(self, predictor, role, outputs) -> Table:
        batches = self.prepared.table("log").batches(4096, where=self.where(role))
        table = concatenate([{**rows, "probability": predictor.probability(rows)} for rows in batches])
        return {**table, "target": table["click"], "impression": np.arange(n_rows(table))}
