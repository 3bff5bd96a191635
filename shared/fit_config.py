"""Settings of the training loop. Imports nothing heavy: the command line reads this to print `--help`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shared.errors import ConfigError

__all__ = ["FitConfig", "ScheduleConfig"]


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate moves between the first and the last step; every base rate is multiplied by one factor."""

    name: Literal["constant", "cosine", "onecycle", "sigmoid"] = "constant"
    """Shape of the curve; onecycle is Smith's cycle (up for 30 % of the steps, then down) and has its own warm-up."""
    warmup: float = 0.0
    """Share of all steps in which the rate first rises in a straight line from zero to its peak."""
    final: float = 0.0
    """Where cosine and sigmoid end, as a share of the peak."""

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ConfigError(
                f"fit.schedule.warmup is a share of all steps, 0 or more and below 1; found {self.warmup}."
            )
        if not 0 <= self.final <= 1:
            raise ConfigError(f"fit.schedule.final is a share of the peak, from 0 to 1; found {self.final}.")
        if self.name == "onecycle" and self.warmup:
            raise ConfigError("The onecycle schedule has a warm-up of its own: leave fit.schedule.warmup at 0.")
        if self.name in ("constant", "onecycle") and self.final:
            raise ConfigError(
                f"fit.schedule.final has no meaning for {self.name}: leave it at 0, or choose cosine or sigmoid."
            )


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How a network is trained; what it is trained on and with which optimisers is the task's to say."""

    epochs: int = 50
    """Passes over the training rows, or slices of a stream."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Arithmetic of forward and backward; bf16-mixed keeps the weights in 32 bit and needs no loss scaling."""
    accelerator: str = "auto"
    """Kind of device: auto, cpu, cuda or mps."""
    devices: int = 1
    """Devices of that kind on each machine, one process for each."""
    num_nodes: int = 1
    """Machines that train together."""
    accumulate: int = 1
    """Batches whose gradients are averaged into one step of the optimisers."""
    clip_norm: float | None = None
    """Largest norm of all gradients together; longer ones are scaled down to it."""
    ema: float | None = None
    """Decay of an exponential moving average of the weights (0.999, say), which is then validated and kept instead."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """How the learning rate moves."""
    monitor: str | None = None
    """Validation metric that chooses the best epoch; without one the last epoch is kept."""
    mode: Literal["min", "max"] = "min"
    """Whether a small or a large value of the monitored metric is good."""
    patience: int | None = None
    """Stop when the monitored metric has not improved for this many epochs."""
    seed: int = 0
    """Start of all random numbers of the loop."""
    progress: bool = True
    """Show a progress bar and one line for each epoch."""

    def __post_init__(self) -> None:
        for name in ("epochs", "devices", "num_nodes", "accumulate", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"fit.{name} must be 1 or more; found {value}.")
        if self.seed < 0:
            raise ConfigError(f"fit.seed must be 0 or more; found {self.seed}.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError(f"fit.clip_norm must be above 0, or null for no clipping; found {self.clip_norm}.")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ConfigError(f"fit.ema is a decay between 0 and 1, such as 0.999, or null; found {self.ema}.")
        if self.patience is not None and self.monitor is None:
            raise ConfigError("fit.patience needs fit.monitor, the name of the metric that must improve.")
