"""Settings of the verbs that train; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from apps.pulmonary_vessel.inference_config import InferenceConfig
from apps.pulmonary_vessel.networks.network_config import NetworkConfig
from apps.pulmonary_vessel.training_config import TaskConfig
from shared.errors import ConfigError
from shared.verb_config import BaseTrainConfig, CrossvalSettings

__all__ = ["CrossvalConfig", "TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BaseTrainConfig):
    """Settings of `train`."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Architecture."""
    task: TaskConfig = field(default_factory=TaskConfig)
    """What it is trained on and for."""
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    """How it is led over a scan."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """What is taken out of masks, those of the classical models too."""
    threshold_patients: int = 8
    """Training patients that nothing learns from: the threshold is chosen on them, unless validation rows are named."""
    baseline_scans: int = 12
    """Training scans that the classical models learn from; more do not make them better."""
    half: bool = False
    """Store the weights in half precision."""
    keep_maps: bool = False
    """When scans are scored, keep the network's probability of each as float16 in the run's outputs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("threshold_patients", "baseline_scans"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more; found {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class CrossvalConfig(TrainConfig, CrossvalSettings):
    """Settings of `crossval`: every fold of the split is held out once for each seed."""
