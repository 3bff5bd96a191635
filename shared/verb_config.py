"""Settings of the verbs that every app has. Imports nothing heavy: `--help` reads this."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shared.errors import ConfigError
from shared.fit_config import FitConfig
from shared.split_config import SplitConfig

__all__ = [
    "BaseTrainConfig",
    "CardConfig",
    "CrossvalSettings",
    "EvaluateConfig",
    "ExportConfig",
    "PredictConfig",
    "refuse_settings_of_one_run",
    "training_settings",
]

Config = TypeVar("Config", bound="BaseTrainConfig")

FEWEST_RESAMPLES = 20
"""Below it the ends of an interval are the smallest and the largest value that happened to be drawn."""


@dataclass(frozen=True, kw_only=True)
class BaseTrainConfig:
    """What every app's `train` needs; an app's TrainConfig adds its network and its loss."""

    data: Path
    """Prepared set, as `python -m data_prep prepare` writes it."""
    out: Path
    """Run folder to create."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """Which named split, and which of its folds or roles are held out."""
    fit: FitConfig = field(default_factory=FitConfig)
    """The training loop."""
    resume: bool = False
    """Continue the run that already lies in `out`."""
    calibration: Path | None = None
    """Folder of a cross-validation of the same recipe; a training on all folds is calibrated on its predictions."""

    def __post_init__(self) -> None:
        """End of the chain: a subclass checks its own fields, then calls `super().__post_init__()`."""


@dataclass(frozen=True, kw_only=True)
class CrossvalSettings(BaseTrainConfig):
    """What a cross-validation adds to the settings of one training; name it last among the bases."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """One training per fold and seed."""
    folds: tuple[int, ...] | None = None
    """Folds to hold out in turn; all of the split where not given."""
    baselines: bool = True
    """Also fit and score the classical models, once per fold."""
    workers: int = 1
    """Trainings side by side; several machines may share one folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_settings_of_one_run(self, "crossval")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ConfigError(f"seeds must be different whole numbers from 0, one or more; found {list(self.seeds)}.")
        if self.folds is not None and not 2 <= len(set(self.folds)) == len(self.folds):
            raise ConfigError(f"folds must be two or more different ones, or null for all; found {list(self.folds)}.")
        if self.workers < 1:
            raise ConfigError(f"workers must be 1 or more; found {self.workers}.")


def refuse_settings_of_one_run(config: BaseTrainConfig, verb: str) -> None:
    """Raise ConfigError where settings are given that mean something for one training only, not for many.

    Args:
        config: the settings of a verb that trains many times.
        verb: its name, for the message.
    """
    if config.resume:
        raise ConfigError(
            f"--resume has no meaning for {verb}, which always continues what lies in --out: leave it out."
        )
    if config.calibration is not None:
        raise ConfigError(f"--calibration has no meaning for {verb}: leave it out.")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Settings of `evaluate`."""

    run: Path
    """Run folder that `train` wrote."""
    data: Path | None = None
    """Another prepared set to score whole; by default the held-out rows of the run's own."""
    baselines: bool = True
    """Also fit the classical models on the run's training rows and score them on the same rows."""
    resamples: int = 1000
    """Bootstrap resamples of each interval."""
    level: float = 0.95
    """Coverage of the intervals."""

    def __post_init__(self) -> None:
        if self.resamples < FEWEST_RESAMPLES:
            raise ConfigError(f"resamples must be {FEWEST_RESAMPLES} or more; found {self.resamples}.")
        if not 0.5 < self.level < 1:
            raise ConfigError(f"level is a coverage between 0.5 and 1, such as 0.95; found {self.level}.")


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Settings of `predict`; an app whose files need more to be read extends them and brings a verb of its own."""

    files: tuple[Path, ...]
    """Files to answer for, each an input of the app's predictor."""
    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    json: bool = False
    """Print one JSON object a line instead of text."""


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Settings of `export`."""

    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    out: Path
    """File to write; its ending says what: .onnx, and whatever else the app can write."""


@dataclass(frozen=True, kw_only=True)
class CardConfig:
    """Settings of `card`: without `publish` the card is printed."""

    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    publish: Path | None = None
    """Folder to publish to: the model is written there with the figures of `crossval`, or with the run's own."""
    crossval: Path | None = None
    """Folder of the cross-validation of the same recipe, for a run on every fold: its figures are the card's."""


def training_settings(config: BaseTrainConfig, config_class: type[Config]) -> Config:
    """The settings of one training out of those of a grid or search, which extend them."""
    return config_class(**{field.name: getattr(config, field.name) for field in dataclasses.fields(config_class)})
