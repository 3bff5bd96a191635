"""What this toy is, and its settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contract import App, training_verbs
from shared.verb_config import BaseTrainConfig, CrossvalSettings

APP = App(
    package="tests.toys.volumes",
    title="Bright blobs in small volumes of differing shapes",
    predictor="tests.toys.volumes.toy:BlobSegmenter",
    experiment="tests.toys.volumes.toy:BlobExperiment",
    verbs=training_verbs(__name__),
    primary_metric="Dice",
    scored_unit="volume and threshold, in counts of voxels",
    resampling_unit="patient",
    presets=(),
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    channels: int = 4
    """Width of the network."""


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`."""
