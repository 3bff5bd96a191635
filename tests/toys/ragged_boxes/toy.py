"""Each pixel says whether a box has its centre there, and how large it is (after CenterNet, Zhou et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared.batching import shuffled_batches
from shared.card import Card
from shared.experiment import Experiment
from shared.metrics.detection import average_precision, match
from shared.predictor import Predictor
from shared.result import Result
from shared.validate import finite_array
from tests.toys.ragged_boxes.app import APP, TrainConfig

BATCH, MOST_BOXES = 4, 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes(Result):
    boxes: np.ndarray  # (M, 4) xyxy in px
    scores: np.ndarray  # (M,) descending
    labels: np.ndarray  # (M,) int64 into classes


class BoxFinder(Predictor):
    app, dynamic_axes = APP.package, {"input": {0: "batch", 2: "height", 3: "width"}}

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        channels = card.network["channels"]
        return nn.Sequential(nn.Conv2d(1, channels, 5, padding=2), nn.ReLU(), nn.Conv2d(channels, 3, 5, padding=2))

    def example(self):
        return (torch.randn(2, 1, 20, 24),)

    def predict(self, image, *, score_threshold: float | None = None) -> Boxes:
        pixels = finite_array(image, dimensions=2, what="A picture")
        ((logit, *size),) = self.forward(torch.from_numpy(pixels)[None, None])[0]
        score = torch.sigmoid(logit)
        threshold = self.card.threshold if score_threshold is None else score_threshold
        peak = (score == functional.max_pool2d(score[None], 3, 1, 1)[0]) & (score >= threshold)
        best = torch.argsort(score[peak], descending=True, stable=True)[:MOST_BOXES]
        row, column = torch.nonzero(peak)[best].T
        half = torch.stack([side[row, column].clamp(min=1) / 2 for side in size], dim=1)
        centre = torch.stack([column, row], dim=1) + 0.5
        flat = {"status": "undecided", "reason": "flat: all pixels are alike"} if np.ptp(pixels) == 0 else {}
        boxes, scores = torch.cat([centre - half, centre + half], dim=1).numpy(), score[row, column].numpy()
        return Boxes(model=self.card.label, boxes=boxes, scores=scores, labels=np.zeros(len(row), np.int64), **flat)


class BoxExperiment(Experiment[TrainConfig]):
    app, config_class, metrics = APP, TrainConfig, (average_precision(0.5),)
    item_columns, published_columns = ("image",), ("score", "truth", "matched_50")

    def described(self) -> dict[str, object]:
        facts = {"classes": ("rectangle",), "threshold": 0.3, "input": {"units": "1", "range": [-10, 10]}}
        return {"network": {"channels": self.config.channels}, **facts}

    def task(self, network) -> BoxExperiment:
        self.steps_per_epoch = len(self.rows("train")) // BATCH
        return self  # an experiment may be its own task

    def batches(self, epoch, rank, world_size):
        for rows in shuffled_batches(self.rows("train"), BATCH, self.config.fit.seed, epoch, rank, world_size):
            boxes = [self.prepared.read("boxes", row) for row in rows]
            owner = np.repeat(np.arange(len(rows)), [len(own) for own in boxes])
            picture = np.stack([self.prepared.read("picture", row) for row in rows])[:, None]
            yield tuple(map(torch.from_numpy, (picture, np.concatenate(boxes), owner)))

    def loss(self, model, batch) -> dict[str, Tensor]:
        (picture, boxes, owner), low, high = batch, batch[1][:, :2], batch[1][:, 2:]
        maps, (column, row) = model(picture), ((low + high) / 2).long().T
        truth = torch.zeros_like(maps[:, 0])
        truth[owner, row, column] = 1
        centre = functional.binary_cross_entropy_with_logits(maps[:, 0], truth, pos_weight=maps.new_tensor(30.0))
        error = (maps[owner, 1:, row, column] - (high - low)).abs()
        return {"centre": centre, "size": 0.1 * error.sum() / max(len(boxes), 1)}

    def optimizers(self, model) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(model.parameters(), lr=1e-2)]

    def validate(self, model) -> dict[str, float]:
        return {}

    def predictions(self, predictor, role, outputs) -> dict[str, np.ndarray]:
        rows, read = self.rows(role), self.prepared.read
        images = {name: self.prepared.index[name][rows] for name in ("image", "scene")}
        found = [predictor.predict(read("picture", row), score_threshold=0.0) for row in rows]
        boxes = _box_table(images["image"], [answer.boxes for answer in found])
        boxes["score"] = np.concatenate([answer.scores for answer in found])
        return match(boxes, _box_table(images["image"], [read("boxes", row) for row in rows]), images)


def _box_table(images: np.ndarray, boxes: list[np.ndarray]) -> dict[str, np.ndarray]:
    corners = dict(zip(("x1", "y1", "x2", "y2"), np.concatenate(boxes).T, strict=True))
    return {"image": np.repeat(images, [len(own) for own in boxes]), **corners}
