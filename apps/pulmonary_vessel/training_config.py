"""What a network is trained on and for; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shared.errors import ConfigError

__all__ = ["AugmentConfig", "LossConfig", "PatchConfig", "TaskConfig"]


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Where training patches are cut; the shares are of the patches, what remains of 1 lies anywhere in the lung."""

    size: tuple[int, int, int] = (64, 64, 64)
    """Voxels (z, y, x) of a patch, of about 1.0 x 0.75 x 0.75 mm."""
    batch: int = 2
    """Patches in a batch, over all processes."""
    batches: int = 250
    """Batches in an epoch."""
    vessel: float = 0.4
    """Share with a vessel in the middle."""
    airway: float = 0.2
    """Share with an airway, lumen or wall."""
    nodule: float = 0.05
    """Share with a nodule."""
    fissure: float = 0.1
    """Share with a fissure."""
    opacity: float = 0.1
    """Share with an opacity."""

    def __post_init__(self) -> None:
        for name, value in (("size", min(self.size)), ("batch", self.batch), ("batches", self.batches)):
            if value < 1:
                raise ConfigError(f"patches.{name} must be 1 or more; found {getattr(self, name)}.")
        shares = (self.vessel, self.airway, self.nodule, self.fissure, self.opacity)
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ConfigError(f"The shares of patches are 0 or more and 1 at most together; found {shares}.")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What is done to training patches; each share is of the patches."""

    mirrored: bool = True
    """Mirror along each axis, and swap the two axes of a slice, half of the time each."""
    calibration: tuple[float, float] = (0.06, 20.0)
    """Largest change of scale (from air upwards) and of offset in HU."""
    kernel: float = 0.5
    """Share seen through another reconstruction kernel, softer or sharper."""
    noisy: float = 0.4
    """Share with noise added, white or grained."""
    noise_hu: float = 35.0
    """Its largest standard deviation."""
    thick: float = 0.15
    """Share averaged over thick sections, of 2 to 5 slices."""

    def __post_init__(self) -> None:
        for name in ("kernel", "noisy", "thick"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"augment.{name} is a share from 0 to 1; found {getattr(self, name)}.")
        if not (0 <= self.calibration[0] < 1 and self.calibration[1] >= 0 and self.noise_hu >= 0):
            raise ConfigError(
                f"augment.calibration and augment.noise_hu are 0 or more, the scale below 1; found "
                f"{self.calibration} and {self.noise_hu}."
            )


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What is minimised; voxels outside the lung count little, as they are never scored."""

    overlap: Literal["dice", "tversky"] = "dice"
    """Dice treats false and missed voxels alike; Tversky weighs them."""
    missed: float = 0.7
    """Tversky's weight of missed voxels; false ones have the rest of 1."""
    cross_entropy: float = 3.0
    """Weight of the cross-entropy beside the overlap."""
    thin: float = 1.0
    """What a voxel of a vessel under three voxels wide counts more in the cross-entropy."""
    lookalikes: float = 2.0
    """What a voxel of an airway, a fissure or a nodule counts there; other lung counts 1."""
    outside: float = 0.05
    """What a voxel outside the lung counts there."""
    cldice: float = 0.0
    """Weight of the soft clDice, which asks for unbroken centrelines."""
    cldice_from: int = 0
    """First epoch with it, counted from 0; before, vessels are too faint to have centrelines."""
    others: float = 0.5
    """Weight of the other outputs, arteries and veins, airways."""
    adversarial: float = 0.05
    """Weight of deceiving the discriminator, where the network has one."""

    def __post_init__(self) -> None:
        names = ("cross_entropy", "thin", "lookalikes", "outside", "cldice", "cldice_from", "others", "adversarial")
        for name in names:
            if getattr(self, name) < 0:
                raise ConfigError(f"loss.{name} must be 0 or more; found {getattr(self, name)}.")
        if not 0 < self.missed < 1:
            raise ConfigError(f"loss.missed is a share between 0 and 1; found {self.missed}.")


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """What a network is trained on and for."""

    patches: PatchConfig = field(default_factory=PatchConfig)
    """Where patches are cut."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """What is done to them."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimised."""
    learning_rate: float = 2e-3
    """AdamW's peak learning rate."""
    weight_decay: float = 1e-4
    """Decoupled decay of the weights."""
    validation_patches: int = 24
    """Patches of the validation scans that each epoch ends with."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or self.weight_decay < 0 or self.validation_patches < 1:
            raise ConfigError(
                f"learning_rate must be above 0, weight_decay 0 or more and validation_patches 1 or more; found "
                f"{self.learning_rate}, {self.weight_decay} and {self.validation_patches}."
            )
