"""A segmenter that calls what is bright vessel: tests of everything around the network need no training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from apps.pulmonary_vessel.inference_config import InferenceConfig
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.predict import VesselSegmenter
from shared.card import Card
from shared.contract import as_plain

BRIGHT_HU = -250.0


class Bright(nn.Module):
    """Logits that are 0 at -250 HU and grow with brightness."""

    def forward(self, image: Tensor) -> Tensor:
        """Scaled HU in, logits of the same shape out."""
        return 10 * (image - (BRIGHT_HU + 400) / 600)


def bright_segmenter(**cleaning: Any) -> VesselSegmenter:
    """With its threshold at BRIGHT_HU, and nothing taken out unless it is asked for."""
    torch.manual_seed(0)
    card = Card(
        app="apps.pulmonary_vessel",
        name="bright",
        title="What is bright",
        network=as_plain(NetworkConfig(kind="residual", filters=(2, 4))),
        input={"inference": as_plain(InferenceConfig(precision="32-true"))},
        output={"cleaning": as_plain(CleaningConfig(**{"smallest_mm3": 0.0, **cleaning}))},
        threshold=0.5,
    )
    return VesselSegmenter(card, Bright())
