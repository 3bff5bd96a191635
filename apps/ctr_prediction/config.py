"""Settings of the verbs that train; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig
from shared.errors import ConfigError
from shared.verb_config import BaseTrainConfig, CrossvalSettings

__all__ = ["CrossvalConfig", "NewCampaignConfig", "ReadingConfig", "TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class ReadingConfig:
    """How the training rows come from disk to the network."""

    batch_rows: int = 256
    """Impressions in a batch, of each process."""
    shuffle_rows: int | None = 131_072
    """Impressions that are read and shuffled together; null: in the order of the log, as they would come in."""
    epoch_rows: int | None = None
    """Impressions of each process that make an epoch; null: the whole log. The next epoch goes on where one ended."""

    def __post_init__(self) -> None:
        for name in ("batch_rows", "shuffle_rows", "epoch_rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"reading.{name} must be 1 or more; found {value}.")


def _without_the_campaign() -> FeatureConfig:
    return FeatureConfig(target_rates=True, rate_unit="campaign", multi_valued=False)


@dataclass(frozen=True, kw_only=True)
class NewCampaignConfig:
    """A second network, for impressions of campaigns that the training never saw."""

    apply: bool = False
    """Train it beside the first one; a log without a column of the role group has no campaigns, and gets none."""
    features: FeatureConfig = field(default_factory=_without_the_campaign)
    """What it learns from."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Its architecture."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    features: FeatureConfig = field(default_factory=FeatureConfig)
    """What is learnt from."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Architecture."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """How it is trained."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    """Batches."""
    new_campaign: NewCampaignConfig = field(default_factory=NewCampaignConfig)
    """Campaigns that the training never saw."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fit.accumulate > 1:
            raise ConfigError(
                "fit.accumulate averages the gradients of its batches, and FTRL needs their sum: leave it at 1 and "
                "raise reading.batch_rows."
            )


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`: every fold of the split is held out once for each seed."""
