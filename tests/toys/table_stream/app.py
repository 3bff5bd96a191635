"""What this toy is, and its settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contract import App, training_verbs
from shared.verb_config import BaseTrainConfig, CrossvalSettings

APP = App(
    package="tests.toys.table_stream",
    title="Clicks in an endless log of impressions",
    predictor="tests.toys.table_stream.toy:ClickGuesser",
    experiment="tests.toys.table_stream.toy:ClickExperiment",
    verbs=training_verbs(__name__),
    primary_metric="AUC",
    scored_unit="impression",
    resampling_unit="user",
    onnx_core="codes of user and advertisement (batch, 2) int64 -> logit of a click (batch,)",
    presets=(),
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    known: int = 40
    """Users, and advertisements, with a code below this have an embedding of their own."""
    steps: int = 20
    """Batches that make an epoch; the log itself has no end."""


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`."""
