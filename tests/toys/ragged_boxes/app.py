"""What this toy is, and its settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contract import App, training_verbs
from shared.verb_config import BaseTrainConfig, CrossvalSettings

APP = App(
    package="tests.toys.ragged_boxes",
    title="Boxes around bright rectangles in small pictures",
    predictor="tests.toys.ragged_boxes.toy:BoxFinder",
    experiment="tests.toys.ragged_boxes.toy:BoxExperiment",
    verbs=training_verbs(__name__),
    primary_metric="AP50",
    scored_unit="detection",
    resampling_unit="scene",
    onnx_core="image (batch, 1, height, width) -> logit of a centre, width and height of its box at each pixel",
    presets=(),
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    channels: int = 8
    """Width of the network."""


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`."""
