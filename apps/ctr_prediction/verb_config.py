"""Settings of the verbs that do not train from the beginning. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import ConfigError
from shared.verb_config import FEWEST_RESAMPLES

__all__ = ["CompareConfig", "PredictConfig", "ScoreConfig", "UpdateConfig"]


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Settings of `predict`."""

    files: tuple[Path, ...]
    """Parquet, CSV or TSV files with a header, one impression a row."""
    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    keys: tuple[str, ...] = ()
    """Columns that name the rows, to hand through."""
    out: Path | None = None
    """Parquet file for the answers, of one file of any length; by default they are printed."""
    json: bool = False
    """Print one JSON object a line instead of text."""

    def __post_init__(self) -> None:
        if self.out is not None and len(self.files) > 1:
            raise ConfigError(f"--out takes the answers of one file; found {len(self.files)} files.")


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """Settings of `score`."""

    files: tuple[Path, ...]
    """Parquet files or folders of them, one impression a row."""
    keys: tuple[str, ...]
    """Columns that name the rows, to hand through: the order of the rows is not kept."""
    out: Path
    """Folder to create, for parquet files of answers."""
    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""


@dataclass(frozen=True, kw_only=True)
class UpdateConfig:
    """Settings of `update`."""

    files: tuple[Path, ...]
    """Parquet, CSV or TSV files with a header and a column of clicks, in the order of time."""
    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    label: str = "click"
    """Column that is 1 for a click and 0 otherwise."""
    out: Path
    """Model folder to write."""


@dataclass(frozen=True, kw_only=True)
class ComparedSplit:
    """Which rows are held out together."""

    name: str = "folds"
    """Name of the split: the file splits/NAME.json of the prepared set."""


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Settings of `compare`."""

    data: Path
    """Prepared set, as `python -m data_prep prepare` writes it."""
    out: Path
    """Folder to write to; the same command continues what was stopped."""
    recipes: tuple[str, ...] | None = None
    """Names of recipes or presets of this app, or YAML files with settings of `train`; null: all recipes and best."""
    reference: str | None = None
    """Recipe that the others are compared with; null: dcn_ftrl, or the first one where that is not among them."""
    split: ComparedSplit = field(default_factory=ComparedSplit)
    """Which named split."""
    holdout: int | str | None = None
    """Fold number or role to score on; null: every fold in turn."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One training of each recipe and held-out fold for each of them."""
    exclude: tuple[str, ...] = ()
    """Columns that no model may learn from."""
    baselines: tuple[str, ...] | None = None
    """Classical models to fit and score beside them; null: all, [] for none."""
    resamples: int = 1000
    """Bootstrap resamples of each interval."""
    workers: int = 1
    """Trainings side by side; several machines may share one folder."""

    def __post_init__(self) -> None:
        for name in ("recipes", "seeds", "baselines"):
            values = getattr(self, name)
            if values is not None and len(set(values)) < len(values):
                raise ConfigError(f"--{name} must name different ones; found {list(values)}.")
        if not self.seeds or min(self.seeds) < 0:
            raise ConfigError(f"--seeds must be whole numbers from 0, one or more; found {list(self.seeds)}.")
        if self.recipes == ():
            raise ConfigError("--recipes must name one or more, or be left out for all.")
        if self.workers < 1:
            raise ConfigError(f"--workers must be 1 or more; found {self.workers}.")
        if self.resamples < FEWEST_RESAMPLES:
            raise ConfigError(f"--resamples must be {FEWEST_RESAMPLES} or more; found {self.resamples}.")
