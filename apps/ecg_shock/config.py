"""Settings of the app's verbs; the sentence under a field is its `--help`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shared.verb_config import BaseTrainConfig, CrossvalSettings

__all__ = ["CrossvalConfig", "DrawConfig", "NetworkConfig", "PredictConfig", "SearchConfig", "TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network of Krasteva et al. 2020; its defaults are the published optimum (7521 parameters)."""

    filters: tuple[int, ...] = (20, 15, 15, 10, 5)
    """Filters of each block, 1 to 7 blocks (the paper searched 5-50)."""
    kernels: tuple[int, ...] = (10, 10, 10, 10, 10)
    """Kernel length of each block in samples at 125 Hz (the paper searched 5-100)."""
    dropout: float = 0.3
    """Share of activations dropped after each block."""


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


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Architecture."""
    draws: DrawConfig = field(default_factory=DrawConfig)
    """Composition of the batches."""
    learning_rate: float = 4e-3
    """Adam's peak learning rate."""


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
    """Hz; for CSV and NPY files, which do not carry it."""
    unit: str | None = None
    """mV or uV; for CSV and NPY files, which do not carry it."""
    lead: str = "0"
    """Number or name of the lead."""
    start_s: float = 0.0
    """Where the window, or with `step_s` the first one, begins."""
    window_s: float | None = None
    """Length of a window, 2-10 s; by default 5, or the whole file where it is shorter."""
    step_s: float | None = None
    """Advise on the whole record in windows that begin this far apart."""
