"""What is left of a probability after threshold and cleaning."""

from __future__ import annotations

import numpy as np
import pytest

from apps.pulmonary_vessel.cleaning import vessel_mask
from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from shared.errors import ConfigError


def field() -> np.ndarray:
    """A strand of 10 voxels with one sure voxel, one of 6 without, and a diagonal pair."""
    probability = np.zeros((12, 12, 12), np.float32)
    probability[1, 1, 1:11], probability[1, 1, 5] = 0.4, 0.9
    probability[6, 6, 1:7] = 0.5
    probability[10, 10, 10] = probability[11, 11, 11] = 0.7
    return probability


def size(lung: np.ndarray | None = None, threshold: float = 0.3, voxel: float = 1.0, **config: float) -> int:
    region = np.ones((12, 12, 12), np.uint8) if lung is None else lung
    cleaning = CleaningConfig(**{"smallest_mm3": 0.0, **config})
    mask = vessel_mask(field(), region, threshold, voxel, cleaning)
    assert mask.dtype == np.uint8
    return int(mask.sum())


def test_the_threshold_is_reached_by_what_equals_it() -> None:
    assert size() == 18
    assert size(threshold=0.7) == 3
    assert size(threshold=0.4) == 18


def test_nothing_outside_the_lung_is_vessel() -> None:
    lung = np.zeros((12, 12, 12), np.uint8)
    lung[6] = 2
    assert size(lung) == 6
    assert size(lung, threshold=0.0) == 144


def test_small_pieces_go_by_their_volume() -> None:
    assert size(smallest_mm3=2.0) == 18  # the two voxels touch at a corner
    assert size(smallest_mm3=3.0) == 16
    assert size(smallest_mm3=3.0, voxel=2.0) == 18
    assert size(smallest_mm3=7.0) == 10


def test_hysteresis_keeps_pieces_with_a_sure_voxel() -> None:
    assert size(seed=0.6) == 12
    assert size(seed=0.95) == 0


@pytest.mark.parametrize("wrong", [{"smallest_mm3": -1.0}, {"seed": 1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="cleaning"):
        CleaningConfig(**wrong)
