"""Settings of the app's verbs; the sentence under a field is its `--help`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import ConfigError
from shared.verb_config import BaseTrainConfig, CrossvalSettings, refuse_settings_of_one_run

__all__ = ["CrossvalConfig", "DrawConfig", "NetworkConfig", "PredictConfig", "SearchConfig", "TrainConfig"]

MOST_BLOCKS = 7
"""As many as the paper searched: each halves the signal, and the shortest window must leave samples to judge."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network of Krasteva et al. 2020; its defaults are the published optimum (7521 parameters)."""

    filters: tuple[int, ...] = (20, 15, 15, 10, 5)
    """Filters of each block, 1 to 7 blocks (the paper searched 5-50)."""
    kernels: tuple[int, ...] = (10, 10, 10, 10, 10)
    """Kernel length of each block in samples at 125 Hz (the paper searched 5-100)."""
    dropout: float = 0.3
    """Share of activations dropped after each block."""

    def __post_init__(self) -> None:
        for name, sizes in (("filters", self.filters), ("kernels", self.kernels)):
            if not 1 <= len(sizes) <= MOST_BLOCKS or min(sizes) < 1:
                raise ConfigError(
                    f"network.{name} must be 1 to {MOST_BLOCKS} numbers, each 1 or more; found {list(sizes)}."
                )
        if len(self.filters) != len(self.kernels):
            raise ConfigError(
                f"network.filters and network.kernels must have one number for each block; found {len(self.filters)} "
                f"and {len(self.kernels)}."
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"network.dropout is a share, 0 or more and below 1; found {self.dropout}.")


@dataclass(frozen=True, kw_only=True)
class DrawConfig:
    """How training windows are drawn: a few patients hold most windows, and must not become the whole lesson."""

    shock: int = 64
    """Shockable windows in a batch."""
    other: int = 96
    """Non-shockable windows in a batch."""
    batches: int = 30
    """Batches in an epoch."""
    patient_power: float = 0.5
    """Weight of a window is (windows of its patient and side) ** -power: 0 makes windows alike, 1 patients."""
    irregular_vt: bool = True
    """Learn irregular rhythms under a VT label as shock (they are mostly unmarked VF); they are never scored."""

    def __post_init__(self) -> None:
        for name in ("shock", "other", "batches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"draws.{name} must be 1 or more; found {getattr(self, name)}.")
        if not 0 <= self.patient_power <= 1:
            raise ConfigError(f"draws.patient_power must be from 0 to 1; found {self.patient_power}.")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Architecture."""
    draws: DrawConfig = field(default_factory=DrawConfig)
    """Composition of the batches."""
    learning_rate: float = 4e-3
    """Adam's peak learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate must be above 0; found {self.learning_rate}.")


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`: every fold of the split is held out once for each seed."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig(TrainConfig):
    """Settings of `search`: random architectures on the paper's grid, ranked on the validation fold."""

    trials: int = 48
    """Architectures to try."""
    workers: int = 1
    """Processes that share the trials; more machines may join through the same folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_settings_of_one_run(self, "search")
        for name in ("trials", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more; found {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Settings of `predict`."""

    files: tuple[Path, ...]
    """WFDB records (with or without .hea), EDF, CSV, NPY or NPZ files."""
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
    window_s: float | None = None
    """Length of a window, 2-10 s; by default 5, or the whole file where it lasts 10 s or less."""
    step_s: float | None = None
    """Seconds from the beginning of a window to that of the next; by default they follow one another."""

    def __post_init__(self) -> None:
        for name in ("sampling_rate", "window_s", "step_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"--{name} must be a number above 0; found {value}.")
        if not 0 <= self.start_s < math.inf:
            raise ConfigError(f"--start_s must be a number of seconds from 0; found {self.start_s}.")
