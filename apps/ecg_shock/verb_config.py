"""Settings of the verbs that do not train; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from apps.ecg_shock.config import LONGEST_S, SHORTEST_S
from shared.errors import ConfigError

__all__ = ["PredictConfig", "RecordingConfig", "StressConfig", "TriedConfig", "WatchConfig"]


@dataclass(frozen=True, kw_only=True)
class RecordingConfig:
    """What must be known to advise on a recording; the verbs that do so add how its windows lie."""

    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    json: bool = False
    """Print one JSON object a line instead of a table."""
    sampling_rate: float | None = None
    """Hz; needed for CSV and NPY files that do not carry it."""
    unit: str | None = None
    """mV, uV or V; needed for CSV and NPY files that do not carry it."""
    lead: str = "0"
    """Number or name of the lead."""
    start_s: float = 0.0
    """Where the first window begins, in seconds."""

    def __post_init__(self) -> None:
        self._refuse_unless_positive("sampling_rate")
        if not 0 <= self.start_s < math.inf:
            raise ConfigError(f"--start_s must be a number of seconds from 0; found {self.start_s}.")

    def _refuse_unless_positive(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"--{name} must be a number above 0; found {value}.")

    def _refuse_unless_a_length(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and not SHORTEST_S <= value <= LONGEST_S:
            raise ConfigError(f"--{name} must be {SHORTEST_S:g} to {LONGEST_S:g} s; found {value}.")


@dataclass(frozen=True, kw_only=True)
class PredictConfig(RecordingConfig):
    """Settings of `predict`."""

    files: tuple[Path, ...]
    """WFDB records (with or without .hea), EDF, CSV, NPY or NPZ files."""
    window_s: float | None = None
    """Length of a window, 2-10 s; by default 5, or the whole file where it lasts 10 s or less."""
    step_s: float | None = None
    """Seconds from the beginning of a window to that of the next; by default they follow one another."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse_unless_positive("step_s")
        self._refuse_unless_a_length("window_s")


@dataclass(frozen=True, kw_only=True)
class WatchConfig(RecordingConfig):
    """Settings of `watch`."""

    file: Path
    """WFDB record (with or without .hea), EDF, CSV, NPY or NPZ file."""
    window_s: float = 5.0
    """Length of a window, 2-10 s."""
    step_s: float = 1.0
    """Seconds from the beginning of a window to that of the next."""
    confirm: int = 1
    """Windows in a row that must say the same before it is advised."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse_unless_positive("step_s")
        self._refuse_unless_a_length("window_s")
        if self.confirm < 1:
            raise ConfigError(f"--confirm must be 1 or more; found {self.confirm}.")


@dataclass(frozen=True, kw_only=True)
class StressConfig:
    """Settings of `stress`: the networks of a cross-validation on shortened, lengthened and disturbed windows."""

    grid: Path
    """Folder of a finished cross-validation; the results are written into it."""
    leaky: Path | None = None
    """Folder of a cross-validation on a split whose name begins with leaky, to show beside it."""
    baselines: tuple[str, ...] = ("SVM (RBF)", "XGBoost")
    """Classical models to fit again and to ask the same; [] for none."""
    workers: int = 1
    """Processes that share the work; more machines may join through the same folder."""

    def __post_init__(self) -> None:
        if len(set(self.baselines)) < len(self.baselines):
            raise ConfigError(f"--baselines must name different models; found {list(self.baselines)}.")
        if self.workers < 1:
            raise ConfigError(f"workers must be 1 or more; found {self.workers}.")


@dataclass(frozen=True, kw_only=True)
class TriedConfig:
    """Settings of `tried`: what other recipes bought."""

    grids: tuple[Path, ...]
    """Folders of finished cross-validations; the first is the recipe that the others are compared with."""
    out: Path
    """JSON file to write."""

    def __post_init__(self) -> None:
        if not self.grids:
            raise ConfigError("Name the folder of one cross-validation or more.")
