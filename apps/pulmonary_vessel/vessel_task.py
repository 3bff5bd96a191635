"""What the training loop asks for: batches of patches, the loss, optimisers, a validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from apps.pulmonary_vessel.adversarial import AdversarialNetwork, adversarial_terms
from apps.pulmonary_vessel.augmentation import augment
from apps.pulmonary_vessel.grid import scale_hu
from apps.pulmonary_vessel.losses import VesselLoss
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.sampling import AIRWAY, VESSEL, Patch, PatchSampler
from apps.pulmonary_vessel.training_config import TaskConfig
from shared.errors import ConfigError
from shared.prepared import PreparedSet

__all__ = ["Batch", "VesselTask"]

Rows = npt.NDArray[np.integer[Any]]

DISCRIMINATOR_BETAS = (0.5, 0.999)
"""Adam's, as adversarial training wants them (Radford et al. 2016)."""
THRESHOLD = 0.5
"""Of the validation; the one that a model is used with is chosen later, on whole scans."""
VALIDATION_SEED = 2_021
"""The same patches are validated on in every epoch and training."""


class Batch(NamedTuple):
    """Patches side by side, (batch, 1, z, y, x) each."""

    image: Tensor
    """float32 scaled HU."""
    codes: Tensor
    """uint8 label codes."""
    artery_vein: Tensor
    """uint8: 1 artery, 2 vein, 0 neither or unknown."""
    epoch: Tensor
    """Number of the epoch."""


class VesselTask:
    """Patches, the loss of what the network says of them, optimisers, and the validation.

    Args:
        prepared: the scans.
        rows: scans to train on.
        validation: scans to validate on; may be none.
        network: as built; it decides which terms the loss has.
        config: patches, augmentation, loss.
        seed: of the patches.

    Raises:
        ConfigError: the size of a patch does not suit the network.
        InputError: a scan without labels is among the rows.
    """

    def __init__(
        self,
        prepared: PreparedSet,
        rows: Rows,
        validation: Rows,
        network: NetworkConfig,
        config: TaskConfig,
        seed: int = 0,
    ) -> None:
        if any(size % factor for size, factor in zip(config.patches.size, network.factor, strict=True)):
            raise ConfigError(
                f"patches.size must be multiples of {network.factor} for this network; found {config.patches.size}."
            )
        self.sampler = PatchSampler(prepared, rows, config.patches)
        self.validated = PatchSampler(prepared, validation, config.patches)
        self.network, self.config, self.seed = network, config, seed
        self.steps_per_epoch = config.patches.batches
        self.criterion = VesselLoss(config.loss, network.outputs)

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[Batch]:
        """One epoch of batches; the processes share every batch among them.

        Raises:
            ConfigError: the patches of a batch cannot be shared equally.
        """
        if self.config.patches.batch % world_size:
            raise ConfigError(
                f"patches.batch = {self.config.patches.batch} cannot be shared among {world_size} processes."
            )
        for step in range(self.steps_per_epoch):
            items = range(rank, self.config.patches.batch, world_size)
            yield _batch([self._patch(epoch, step, item) for item in items], epoch)

    def _patch(self, epoch: int, step: int, item: int) -> Patch:
        rng = np.random.default_rng([self.seed, epoch, step, item])
        return augment(rng, self.sampler.draw(rng), self.config.augment)

    def loss(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms of `VesselLoss`, and where there is a discriminator those of both sides."""
        if not self.network.adversarial:
            return self.criterion(model(batch.image), *batch[1:3], epoch=int(batch.epoch))
        truth, region = (batch.codes == VESSEL).float(), (batch.codes > 0).float()
        logits, verdicts = model(batch.image, truth, region)
        terms = self.criterion(logits, *batch[1:3], epoch=int(batch.epoch))
        return terms | adversarial_terms(verdicts, self.config.loss.adversarial)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """AdamW, and a slower Adam of its own for a discriminator."""
        rate, decay = self.config.learning_rate, self.config.weight_decay
        if not isinstance(model, AdversarialNetwork):
            return [AdamW(model.parameters(), lr=rate, weight_decay=decay)]
        discriminator = model.discriminator.parameters()
        return [
            AdamW(model.segmenter.parameters(), lr=rate, weight_decay=decay),
            AdamW(discriminator, lr=rate / 4, betas=DISCRIMINATOR_BETAS, weight_decay=0.0),
        ]

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Dice in the lung, airway called vessel and cross-entropy on fixed patches; nothing where there are none."""
        if not len(self.validated.rows):
            return {}
        device = next(model.parameters()).device
        entropy, counts = 0.0, Counter[str]()
        for image, codes, artery_vein in (tuple(field.to(device) for field in batch[:3]) for batch in self._validation):
            logits = model(image)
            entropy += float(self.criterion(logits, codes, artery_vein)["cross-entropy"]) / len(self._validation)
            counts.update(_counts(torch.sigmoid(logits[:, :1]) >= THRESHOLD, codes))
        return {
            "Dice": 2 * counts["found"] / max(1, counts["called"] + counts["vessel"]),
            "airway called vessel": counts["airway called"] / max(1, counts["airway"]),
            "cross-entropy": entropy,
        }

    @cached_property
    def _validation(self) -> list[Batch]:
        """Patches as they are, one a batch."""
        rng = np.random.default_rng(VALIDATION_SEED)
        return [_batch([self.validated.draw(rng)], 0) for _ in range(self.config.validation_patches)]


def _batch(patches: list[Patch], epoch: int) -> Batch:
    hu, codes, artery_vein = (torch.stack(field)[:, None] for field in zip(*patches, strict=True))
    return Batch(scale_hu(hu), codes, artery_vein, torch.tensor(epoch))


def _counts(called: Tensor, codes: Tensor) -> dict[str, int]:
    """Voxels in the lung by what they are and what they were called."""
    vessel, airway = codes == VESSEL, (codes >= min(AIRWAY)) & (codes <= max(AIRWAY))
    masks = {
        "called": called & (codes > 0),
        "vessel": vessel,
        "found": called & vessel,
        "airway": airway,
        "airway called": called & airway,
    }
    return {name: int(mask.sum()) for name, mask in masks.items()}
