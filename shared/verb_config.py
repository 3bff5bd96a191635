"""Settings of the verbs that every app has. Imports nothing heavy: `--help` reads this."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shared.fit_config import FitConfig
from shared.split_config import SplitConfig

__all__ = ["BaseTrainConfig", "CardConfig", "CrossvalSettings", "EvaluateConfig", "ExportConfig", "PredictConfig"]


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


@dataclass(frozen=True, kw_only=True)
class CrossvalSettings:
    """What a cross-validation adds to the settings of one training."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """One training per fold and seed."""
    folds: tuple[int, ...] | None = None
    """Folds to hold out in turn; all of the split where not given."""
    baselines: bool = True
    """Also fit and score the classical models, once per fold."""
    workers: int = 1
    """Trainings side by side; several machines may share one folder."""


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
    """ONNX file to write."""


@dataclass(frozen=True, kw_only=True)
class CardConfig:
    """Settings of `card`: without `publish` the card is printed."""

    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    publish: Path | None = None
    """Folder to publish to: the model is written there with the figures of `crossval`."""
    crossval: Path | None = None
    """Folder of the cross-validation of the same recipe, whose out-of-fold predictions the card's figures come from."""
