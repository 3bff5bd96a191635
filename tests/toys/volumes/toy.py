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
from shared.experiment import Experiment
from shared.metrics.dense import DICE, MEAN_DICE
from shared.predictor import Predictor
from shared.result import Result
from shared.table import Table, concatenate, take
from shared.validate import finite_array
from tests.toys.volumes.app import APP, TrainConfig

THRESHOLDS = (0.3, 0.5, 0.7)


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
        probability = torch.sigmoid(self.forward(torch.from_numpy(voxels)[None, None])[0])[0, 0].numpy()
        mask = (probability >= (threshold or self.card.threshold)).astype(np.uint8)
        flat = {"status": "undecided", "reason": "flat: all voxels are alike"} if np.ptp(voxels) == 0 else {}
        volume_ml = float(mask.sum() * side.prod() / 1000)
        return Segmentation(model=self.card.label, mask=mask, probability=probability, volume_ml=volume_ml, **flat)


class BlobExperiment(Experiment[TrainConfig]):
    app, config_class, metrics = APP, TrainConfig, (DICE, MEAN_DICE)
    item_columns, published_columns = ("item", "threshold"), ("threshold", "tp", "fp", "fn")

    def described(self) -> Card:
        facts = {"network": {"channels": self.config.channels}, "input": {"units": "HU / 100", "range": [-10, 10]}}
        return self.run_card(threshold=0.5, **facts)

    def network(self) -> nn.Module:
        return BlobSegmenter.build(self.described())

    def predictor(self, network, calibration) -> BlobSegmenter:
        return BlobSegmenter(self.described(), network)

    def task(self, network) -> BlobExperiment:
        self.steps_per_epoch = len(self.rows["train"]) // 2
        return self  # an experiment may be its own task

    def batches(self, epoch, rank, world_size):
        for rows in shuffled_batches(self.rows["train"], 2, self.config.fit.seed, epoch, rank, world_size):
            yield [tuple(torch.from_numpy(self.prepared.read(n, r).copy()) for n in ("scan", "mask")) for r in rows]

    def loss(self, model, batch) -> dict[str, Tensor]:
        pairs = [(model(scan[None, None])[0, 0], mask.float()) for scan, mask in batch]
        terms = [functional.binary_cross_entropy_with_logits(logit, mask) for logit, mask in pairs]
        return {"cross-entropy": torch.stack(terms).mean()}

    def optimizers(self, model) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(model.parameters(), lr=2e-2)]

    def validate(self, model) -> dict[str, float]:
        return {}

    def predictions(self, predictor, role, outputs) -> Table:
        found = {row: predictor.predict(self.prepared.read("scan", row)) for row in self.rows[role]}
        for row, answer in found.items():
            with atomic_path(outputs / f"{self.prepared.index['item'][row]}.npy") as path:
                np.save(path, answer.mask)
        return self._counts({row: answer.probability for row, answer in found.items()})

    def fit_baseline(self, name: str) -> float:
        """The intensity half-way between background and blob."""
        inside = [self.prepared.read("scan", r)[self.prepared.read("mask", r) == 1] for r in self.rows["train"]]
        return float(np.concatenate(inside).mean()) / 2

    def baseline_predictions(self, fitted: float, role: str) -> Table:
        return self._counts({row: self.prepared.read("scan", row) / (2 * fitted) for row in self.rows[role]})

    def _counts(self, scores: dict[int, np.ndarray]) -> Table:
        """Voxels marked rightly, wrongly and missed, for each volume and threshold."""
        rows, truth = np.array(list(scores)), {row: self.prepared.read("mask", row) == 1 for row in scores}
        tables = []
        for threshold in THRESHOLDS:
            marked = {row: score >= threshold for row, score in scores.items()}
            pairs = [(truth[row], marked[row]) for row in scores]
            counts = {"tp": [t & m for t, m in pairs], "fp": [~t & m for t, m in pairs], "fn": [t & ~m for t, m in pairs]}
            table = {name: self.prepared.index[name][rows] for name in ("item", "patient")}
            table |= {name: np.array([cells.sum() for cells in values]) for name, values in counts.items()}
            tables.append({**table, "threshold": np.full(len(rows), threshold)})
        return concatenate(tables)

    @staticmethod
    def scored(table: Table) -> Table:
        return take(table, table["threshold"] == 0.5)
