"""A small task with everything the loop must cope with, and a command line so that it can be killed and distributed.

python -m tests.shared.fit_toy FOLDER [--epochs 4] [--devices 2] [--pause SECONDS] [--resume]; see `main`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from shared.fit import fit
from shared.fit_config import FitConfig, ScheduleConfig

ROWS, WORDS, GLOBAL_BATCH = 48, 10, 8


class ToyNet(nn.Module):
    """An embedding with sparse gradients beside dense layers."""

    def __init__(self, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words = nn.Embedding(WORDS, 4, sparse=True)
        self.layers = nn.Sequential(nn.Linear(4 + 3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1))

    def forward(self, word: Tensor, numbers: Tensor) -> Tensor:
        return self.layers(torch.cat([self.words(word), numbers], dim=1))[:, 0]


class ToyTask:
    """Rows in an order of their epoch, each global batch dealt to the ranks; optionally with a pause before a batch."""

    def __init__(self, pause: float = 0.0, scheduled_words: bool = True) -> None:
        rng = np.random.default_rng(5)
        self.word = torch.from_numpy(rng.integers(0, WORDS, ROWS))
        self.numbers = torch.from_numpy(rng.normal(size=(ROWS, 3)).astype(np.float32))
        self.target = self.numbers.sum(1) + (self.word % 3)
        self.pause = pause
        self.scheduled_words = scheduled_words
        self.steps_per_epoch = ROWS // GLOBAL_BATCH

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[dict[str, Tensor]]:
        order = np.random.default_rng([5, epoch]).permutation(ROWS)
        for rows in order.reshape(-1, GLOBAL_BATCH):
            time.sleep(self.pause)
            mine = rows[rank::world_size]
            yield {"word": self.word[mine], "numbers": self.numbers[mine], "target": self.target[mine]}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        error = model(batch["word"], batch["numbers"]) - batch["target"]
        return {"square": error.square().mean(), "absolute": 0.1 * error.abs().mean()}

    def optimizers(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        words = {"params": list(model.words.parameters()), "schedule": self.scheduled_words}
        return [torch.optim.SparseAdam([words], lr=0.02), torch.optim.Adam(model.layers.parameters(), lr=0.01)]

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"error": (model(self.word, self.numbers) - self.target).square().mean()}


def toy_config(**changes: object) -> FitConfig:
    """Every feature of the loop switched on."""
    settings = {"epochs": 4, "accelerator": "cpu", "accumulate": 4, "clip_norm": 1.0, "ema": 0.8, "monitor": "error"}
    schedule = ScheduleConfig(name="cosine", warmup=0.2)
    return FitConfig(**{**settings, "schedule": schedule, "progress": False, **changes})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--num-nodes", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--resume", action="store_true")
    words = parser.parse_args()
    config = toy_config(epochs=words.epochs, devices=words.devices, num_nodes=words.num_nodes)
    fit(ToyTask(words.pause), ToyNet(words.dropout), config, words.folder, resume=words.resume)


if __name__ == "__main__":
    main()
