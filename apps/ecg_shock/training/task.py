"""What the training loop asks for: batches, the loss of what the network says of them, optimisers, a validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer

from apps.ecg_shock.config import TrainConfig
from apps.ecg_shock.data import ShockWindows
from apps.ecg_shock.training.draws import Batch, Draw
from shared.metrics.binary import BALANCED_ACCURACY, decide

__all__ = ["ShockTask"]

Rows = npt.NDArray[np.integer[Any]]

NOISE_SHARE = 0.3
"""Weight of the loss of what cannot be read, beside that of the rhythm."""


class ShockTask:
    """Batches of shockable and other windows, the loss of what the network says of them, and the validation.

    Args:
        windows: of the prepared set.
        draw: where batches come from.
        validation: rows and labels to validate on; may be empty.
        config: of the training.
    """

    def __init__(
        self, windows: ShockWindows, draw: Draw, validation: tuple[Rows, npt.NDArray[np.int64]], config: TrainConfig
    ) -> None:
        self.windows, self.draw, self.validation, self.config = windows, draw, validation, config
        self.steps_per_epoch = config.draws.batches

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[Batch]:
        """One epoch of batches; the processes share every batch among them."""
        rng = np.random.default_rng([self.config.fit.seed, epoch])
        for _ in range(self.steps_per_epoch):
            yield self.draw.batch(rng).share(rank, world_size)

    def loss(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Binary cross-entropy of the rhythm and, where the network says so, of what cannot be read; in nats."""
        logit, _, *noise = model(batch.ecg)
        smoothing = self.config.label_smoothing
        label = batch.shock * (1 - 2 * smoothing) + smoothing
        weight = torch.where(batch.shock == 1, self.config.shock_weight * batch.weight, batch.weight)
        terms = {"cross-entropy": functional.binary_cross_entropy_with_logits(logit, label, weight)}
        for answer in noise:
            terms["noise"] = NOISE_SHARE * functional.binary_cross_entropy_with_logits(answer, batch.noise)
        return terms

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """AdamW, which without decay is Adam."""
        return [AdamW(model.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay)]

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Cross-entropy and balanced accuracy of the validation rows; nothing where there are none."""
        rows, target = self.validation
        if not len(rows):
            return {}
        device = next(model.parameters()).device
        logit = torch.cat(
            [model(torch.from_numpy(self.windows.stack(part)).to(device))[0].cpu() for part in _parts(rows)]
        )
        loss = functional.binary_cross_entropy_with_logits(logit, torch.from_numpy(target).float())
        table = decide({"target": target, "probability": torch.sigmoid(logit).numpy()}, self.config.threshold)
        return {"cross-entropy": float(loss), BALANCED_ACCURACY.name: BALANCED_ACCURACY(table)}


def _parts(rows: Rows, size: int = 512) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
