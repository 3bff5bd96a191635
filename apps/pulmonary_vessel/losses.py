"""What a segmentation is judged by in training.

Only the lung is scored, so the overlap and the centrelines are of the lung alone, and the cross-entropy counts what
lies outside by a small part: the mediastinum's vessels have no label there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.losses import SoftclDiceLoss, TverskyLoss
from torch import Tensor
from torch.nn import functional

from apps.pulmonary_vessel.sampling import AIRWAY, FISSURE, NODULE, VESSEL
from apps.pulmonary_vessel.training_config import LossConfig

__all__ = ["VesselLoss"]

ARTERY, VEIN = 1, 2
SKELETON_STEPS = 3
"""Erosions of the soft skeleton: vessels of up to 7 voxels are thinned to their centreline."""


class VesselLoss:
    """Named terms of the loss of a batch.

    Dice is the Tversky index with equal weights; both over the whole batch, where a patch without vessels does no harm.

    Args:
        config: kinds and weights.
        outputs: names of the network's channels.
    """

    def __init__(self, config: LossConfig, outputs: Sequence[str]) -> None:
        self.config, self.others = config, tuple(outputs[1:])
        missed = config.missed if config.overlap == "tversky" else 0.5
        self.overlap = TverskyLoss(alpha=1 - missed, beta=missed, batch=True, smooth_nr=1.0, smooth_dr=1.0)
        self.cldice = SoftclDiceLoss(iter_=SKELETON_STEPS)

    def __call__(self, logits: Tensor, codes: Tensor, artery_vein: Tensor, epoch: int = 0) -> dict[str, Tensor]:
        """Terms whose sum is minimised; the names do not depend on the batch or the epoch.

        Args:
            logits: (batch, outputs, z, y, x).
            codes: (batch, 1, z, y, x) uint8 label codes.
            artery_vein: the same shape, uint8: 1 artery, 2 vein, 0 neither or unknown.
            epoch: counted from 0.
        """
        config, logits = self.config, logits.float()
        vessel, lung = (codes == VESSEL).float(), (codes > 0).float()
        probability = torch.sigmoid(logits[:, :1]) * lung
        weight = self.weights(codes)
        entropy = functional.binary_cross_entropy_with_logits(logits[:, :1], vessel, weight, reduction="sum")
        terms = {
            config.overlap: self.overlap(probability, vessel),
            "cross-entropy": config.cross_entropy * entropy / weight.sum().clamp(min=1),
        }
        if config.cldice:
            begun = epoch >= config.cldice_from
            terms["clDice"] = config.cldice * self.cldice(probability, vessel) if begun else logits.sum() * 0
        for channel, name in enumerate(self.others, start=1):
            terms[name] = config.others * _other(name, logits[:, channel : channel + 1], codes, artery_vein)
        return terms

    def weights(self, codes: Tensor) -> Tensor:
        """How much each voxel counts in the cross-entropy, float32 in the shape of `codes`."""
        config = self.config
        by_code = torch.ones(256, device=codes.device)
        by_code[0] = config.outside
        by_code[[*AIRWAY, FISSURE, NODULE]] = config.lookalikes
        return by_code[codes.long()] + config.thin * thin(codes == VESSEL)


def thin(vessel: Tensor) -> Tensor:
    """Float32, 1 in the voxels that an opening with a cube of 3 voxels takes away; (batch, 1, z, y, x) bool in."""
    kept = -functional.max_pool3d(-vessel.float(), 3, stride=1, padding=1)
    return vessel * (functional.max_pool3d(kept, 3, stride=1, padding=1) == 0)


def _other(name: str, logits: Tensor, codes: Tensor, artery_vein: Tensor) -> Tensor:
    """Cross-entropy of another output, where its truth is known: an artery and a vein in labelled vessels only."""
    if name == "airway":
        truth = torch.isin(codes, torch.tensor(AIRWAY, dtype=codes.dtype, device=codes.device))
        known = codes > 0
    else:
        truth = artery_vein == (ARTERY if name == "artery" else VEIN)
        known = artery_vein > 0
    total = functional.binary_cross_entropy_with_logits(logits, truth.float(), known.float(), reduction="sum")
    return total / known.sum().clamp(min=1)
