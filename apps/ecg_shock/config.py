"""Settings of the verbs that train; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from shared.errors import ConfigError
from shared.verb_config import BaseTrainConfig, CrossvalSettings, refuse_settings_of_one_run

__all__ = [
    "HIGHEST_SNR_DB",
    "LONGEST_S",
    "SHORTEST_S",
    "AugmentConfig",
    "CrossvalConfig",
    "DrawConfig",
    "NetworkConfig",
    "SearchConfig",
    "TrainConfig",
]

SHORTEST_S, LONGEST_S = 2.0, 10.0
"""Window lengths in seconds that one set of weights serves (Krasteva et al. 2020)."""
NYQUIST_HZ = 62.5
"""Half of `data.SAMPLING_RATE`: the edge of a filter lies below it."""
HIGHEST_SNR_DB = 18.0
"""Weaker noise than this is nearly none."""
SPEEDS = (0.25, 4.0)
"""Beyond these a heart at 60 beats a minute would have 15 or 240, and no sinus rhythm does."""
MOST_BLOCKS = 7
"""As many as the paper searched: each halves the signal, and the shortest window must leave samples to judge."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network; its defaults are the published optimum of Krasteva et al. 2020 (7521 parameters)."""

    architecture: Literal["stacked", "residual"] = "stacked"
    """stacked: the paper's convolutions and poolings; residual: our own, blind to gain and polarity."""
    filters: tuple[int, ...] = (20, 15, 15, 10, 5)
    """Filters of each block, 1 to 7 blocks (the paper searched 5-50); of a residual network the stem's first."""
    kernels: tuple[int, ...] = (10, 10, 10, 10, 10)
    """Kernel length of each in samples at 125 Hz (the paper searched 5-100); of a residual network odd ones."""
    dropout: float = 0.3
    """Share of activations dropped: stacked after each block, residual before the last layer."""

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
        if self.architecture == "residual" and (len(self.kernels) < 2 or any(k % 2 == 0 for k in self.kernels)):
            raise ConfigError(
                f"A residual network needs two or more network.kernels, all odd; found {list(self.kernels)}."
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"network.dropout is a share, 0 or more and below 1; found {self.dropout}.")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What is done to training windows before the filter; each share is of the windows of a batch."""

    apply: bool = False
    """Cut and disturb training windows anew for each batch; without it nothing below counts."""
    other_length: float = 0.3
    """Share of the batches whose windows are not 5 s long."""
    lengths_s: tuple[float, float] = (2.0, 8.0)
    """Shortest and longest window of those batches."""
    second_lead: float = 0.3
    """Share read from another lead, where the recording has one."""
    speed_drift: float = 0.15
    """Half of the windows run faster or slower by up to this much (of the logarithm)."""
    organised_speed: tuple[float, float] = (0.75, 1.7)
    """Half of the windows with an organised rhythm run at a speed between these: sinus is sinus at any rate."""
    noisy: float = 0.55
    """Share with noise added: wander, muscle, compressions, pulled cables, white."""
    lowest_snr_db: float = -3.0
    """Strongest noise; the weakest is at 18 dB."""
    recorder: float = 0.5
    """Share seen through a recorder of another bandwidth."""
    blunt: float = 0.4
    """Share whose complexes are blunted by a low-pass filter."""
    blunt_hz: tuple[float, float] = (4.0, 25.0)
    """Its edge."""
    clipped: float = 0.05
    """Share whose largest samples are cut off."""

    def __post_init__(self) -> None:
        for name in ("other_length", "second_lead", "noisy", "recorder", "blunt", "clipped"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"augment.{name} is a share from 0 to 1; found {getattr(self, name)}.")
        for name, (least, most) in (("lengths_s", (SHORTEST_S, LONGEST_S)), ("organised_speed", SPEEDS)):
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ConfigError(
                    f"augment.{name} needs two numbers from {least:g} to {most:g}, the smaller first; found {low}, "
                    f"{high}."
                )
        low, high = self.blunt_hz
        if not 0 < low <= high < NYQUIST_HZ:
            raise ConfigError(
                f"augment.blunt_hz needs two numbers above 0 and below {NYQUIST_HZ:g}, the smaller first; found {low}, "
                f"{high}."
            )
        if not -math.inf < self.lowest_snr_db <= HIGHEST_SNR_DB:
            raise ConfigError(
                f"augment.lowest_snr_db must be a number up to {HIGHEST_SNR_DB:g}; found {self.lowest_snr_db}."
            )
        if not 0 <= self.speed_drift < 1:
            raise ConfigError(f"augment.speed_drift must be from 0 to below 1; found {self.speed_drift}.")


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
    noise_marked: int = 0
    """Windows in a batch that a reader marked as noise: they teach what cannot be read."""
    noise_weight: float = 0.5
    """How much a window of noise, marked or made up, counts as "no shock" beside one whose rhythm is known."""
    noise_only: int = 0
    """Windows in a batch of made-up noise without a heart, for augmented training: not readable, and no shock."""

    def __post_init__(self) -> None:
        for name in ("shock", "other", "batches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"draws.{name} must be 1 or more; found {getattr(self, name)}.")
        for name in ("noise_marked", "noise_only"):
            if getattr(self, name) < 0:
                raise ConfigError(f"draws.{name} must be 0 or more; found {getattr(self, name)}.")
        if not 0 <= self.noise_weight <= 1:
            raise ConfigError(f"draws.noise_weight must be from 0 to 1; found {self.noise_weight}.")
        if not 0 <= self.patient_power <= 1:
            raise ConfigError(f"draws.patient_power must be from 0 to 1; found {self.patient_power}.")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Architecture."""
    draws: DrawConfig = field(default_factory=DrawConfig)
    """Composition of the batches."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Disturbances of the training windows."""
    learning_rate: float = 4e-3
    """Adam's peak learning rate."""
    weight_decay: float = 0.0
    """Decoupled decay of the weights (AdamW)."""
    shock_weight: float = 1.0
    """How much a shockable window counts in the loss beside another: a missed fibrillation is the graver error."""
    label_smoothing: float = 0.0
    """Labels are drawn in from 0 and 1 by this much: some of them are wrong."""
    threshold: float = 0.5
    """The network's own probability, before calibration, from which a shock is advised."""
    undecided_band: tuple[float, float] = (0.2, 0.8)
    """Advice is withheld where the network's own probability, before calibration, lies between these."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate must be above 0; found {self.learning_rate}.")
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigError(f"weight_decay must be 0 or more; found {self.weight_decay}.")
        if not 0 < self.shock_weight < math.inf:
            raise ConfigError(f"shock_weight must be above 0; found {self.shock_weight}.")
        if not 0 <= self.label_smoothing < 0.5:
            raise ConfigError(f"label_smoothing must be from 0 to below 0.5; found {self.label_smoothing}.")
        low, high = self.undecided_band
        if not 0 < low <= self.threshold <= high < 1:
            raise ConfigError(
                f"undecided_band needs two numbers between 0 and 1 with threshold between them; found {low}, "
                f"{self.threshold}, {high}."
            )
        self._check_noise()

    def _check_noise(self) -> None:
        """Noise can only be learnt by a network with an answer for it, and made only where windows are made."""
        wanted = self.draws.noise_marked + self.draws.noise_only
        if wanted and self.network.architecture == "stacked":
            raise ConfigError(
                "draws.noise_marked and draws.noise_only need --network.architecture residual: the stacked network has "
                "no answer for noise."
            )
        if wanted and not self.augment.apply:
            raise ConfigError("draws.noise_marked and draws.noise_only need disturbed windows: --augment.apply true.")


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`: every fold of the split is held out once for each seed."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig(TrainConfig):
    """Settings of `search`: the paper's way to an architecture, a learning rate and a duration."""

    trials: int = 48
    """Architectures to try; the depths of 1 to 7 blocks take turns."""
    most_macs: float | None = 40e6
    """Largest cost of an architecture in multiply-accumulates for 5 s; null: whatever the paper's grid holds."""
    top: int = 3
    """Architectures of each depth, the highest ranked, whose median filters and kernels stand for it from then on."""
    rates: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2)
    """Peak learning rates that each depth's median architecture is trained at; `learning_rate` is for the trials."""
    workers: int = 1
    """Processes that share the trainings; more machines may join through the same folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_settings_of_one_run(self, "search")
        for name in ("trials", "top", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more; found {getattr(self, name)}.")
        if self.most_macs is not None and not 0 < self.most_macs < math.inf:
            raise ConfigError(f"most_macs must be above 0, or null for no limit; found {self.most_macs}.")
        if not self.rates or len(set(self.rates)) < len(self.rates) or not all(0 < r < math.inf for r in self.rates):
            raise ConfigError(f"rates must be different numbers above 0, one or more; found {list(self.rates)}.")
        if self.network.architecture != "stacked":
            raise ConfigError("search is over the paper's stacked networks: leave --network.architecture out.")
