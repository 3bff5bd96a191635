"""Each voxel says whether it belongs to a blob; one volume at a time, as their shapes differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.atomic import atomic_path
from shared.batching import shuffled_batches
from shared.card import Card
from shared.errors import InputError
from shared.experiment import Experiment
from shared.metrics.dense import DICE, MEAN_DICE
from shared.predictor import Predictor
from shared.result import Result
from shared.table import Table, take
from shared.validate import finite_array
from tests.toys.volumes.app import APP, TrainConfig

BATCH, THRESHOLDS = 2, (0.3, 0.5, 0.7)


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation(Result):
    mask: np.ndarray  # uint8 on the grid of the scan
    probability: np.ndarray  # float32 on the same grid
    volume_ml: float

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "mask": list(self.mask.shape), "probability": list(self.probability.shape)}


class BlobSegmenter(Predictor):
    app = APP.package

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        channels = card.network["channels"]
        return nn.Sequential(nn.Conv3d(1, channels, 3, padding=1), nn.ReLU(), nn.Conv3d(channels, 1, 3, padding=1))

    def example(self):
        return (torch.randn(2, 1, 6, 7, 8),)

    def predict(self, scan, *, spacing_mm=(1.0, 1.0, 1.0), threshold: float | None = None) -> Segmentation:
        voxels = finite_array(scan, dimensions=3, what="A scan")
        side = finite_array(spacing_mm, dimensions=1, what="The spacing")
        if side.shape != (3,) or side.min() <= 0:
            raise InputError(f"The spacing is three lengths above 0 in mm, in the order of the axes; found {side}.")
        probability = torch.sigmoid(self.forward(torch.from_numpy(voxels)[None, None])[0])[0, 0].numpy()
        mask = (probability >= (self.card.threshold if threshold is None else threshold)).astype(np.uint8)
        flat = {"status": "undecided", "reason": "flat: all voxels are alike"} if np.ptp(voxels) == 0 else {}
        volume_ml = float(mask.sum() * side.prod() / 1000)
        return Segmentation(model=self.card.label, mask=mask, probability=probability, volume_ml=volume_ml, **flat)


class BlobExperiment(Experiment[TrainConfig]):
    app, config_class, metrics = APP, TrainConfig, (DICE, MEAN_DICE)
    item_columns, published_columns = ("item", "threshold"), ("threshold", "tp", "fp", "fn")

    def described(self) -> dict[str, object]:
        facts = {"threshold": 0.5, "input": {"units": "HU / 100", "range": [-10, 10]}}
        return {"network": {"channels": self.config.channels}, **facts}

    def task(self, network) -> BlobExperiment:
        self.steps_per_epoch = len(self.rows("train")) // BATCH
        return self  # an experiment may be its own task

    def _read(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        return np.load(self.prepared.read("scan", row)), self.prepared.read("mask", row)

    def batches(self, epoch, rank, world_size):
        for rows in shuffled_batches(self.rows("train"), BATCH, self.config.fit.seed, epoch, rank, world_size):
            yield [tuple(torch.tensor(array, dtype=torch.float32) for array in self._read(row)) for row in rows]

    def loss(self, model, batch) -> dict[str, Tensor]:
        terms = [functional.binary_cross_entropy_with_logits(model(s[None, None])[0, 0], mask) for s, mask in batch]
        return {"cross-entropy": torch.stack(terms).mean()}

    def optimizers(self, model) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(model.parameters(), lr=2e-2)]

    def validate(self, model) -> dict[str, float]:
        return {}

    def predictions(self, predictor, role, outputs) -> Table:
        counts = []
        for row in self.rows(role):
            name = {column: self.prepared.index[column][row] for column in ("item", "patient")}
            truth, answer = self._read(row)[1] == 1, predictor.predict(self.prepared.read("scan", row))
            with atomic_path(outputs / f"{name['item']}.npy") as path:
                np.save(path, answer.mask)
            for threshold in THRESHOLDS:
                marked = answer.probability >= threshold
                cells = {"tp": truth & marked, "fp": ~truth & marked, "fn": truth & ~marked}
                counts.append({**name, "threshold": threshold, **{n: int(c.sum()) for n, c in cells.items()}})
        return {column: np.array([entry[column] for entry in counts]) for column in counts[0]}

    @staticmethod
    def scored(table: Table) -> Table:
        return take(table, table["threshold"] == 0.5)
