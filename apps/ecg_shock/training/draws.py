"""The batches a network is trained on: fixed numbers from each side, drawn so that no patient becomes the lesson."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from apps.ecg_shock.config import DrawConfig
from apps.ecg_shock.data import SAMPLING_RATE, ShockWindows
from apps.ecg_shock.training.augment import Augmentation
from shared.errors import InputError

__all__ = ["AsRecorded", "Batch", "Disturbed", "Pool", "pools"]

Rows = npt.NDArray[np.integer[Any]]

USUAL_S = 5.0
"""Length of a window where nothing else is asked for."""


class Batch(NamedTuple):
    """Windows with what is known of each."""

    ecg: Tensor
    """(batch, 1, samples) float32, preprocessed."""
    shock: Tensor
    """(batch,) float32, 1 shock and 0 no shock."""
    weight: Tensor
    """(batch,) float32, how much that counts: less where it is noise, which gets no shock but is no rhythm."""
    noise: Tensor
    """(batch,) float32, 1 where it cannot be read."""

    def share(self, rank: int, world_size: int) -> Batch:
        """What one of several processes takes of it."""
        return Batch(*(column[rank::world_size] for column in self))


@dataclass(frozen=True)
class Pool:
    """Rows of one side with the probability of each to be drawn."""

    rows: Rows
    probability: npt.NDArray[np.float64]

    @classmethod
    def of(cls, rows: Rows, patient: npt.NDArray[np.generic], power: float) -> Pool:
        """The weight of a row is (rows of its patient) ** -power: 0 makes rows alike, 1 patients."""
        _, number, count = np.unique(patient, return_inverse=True, return_counts=True)
        weight = count[number] ** -power
        return cls(rows, weight / weight.sum())

    def draw(self, rng: np.random.Generator, size: int) -> Rows:
        """(size,) rows, with replacement."""
        return rng.choice(self.rows, size, p=self.probability)


def pools(windows: ShockWindows, rows: Rows, target: npt.NDArray[np.int64], power: float) -> Mapping[str, Pool]:
    """The shockable and the other rows.

    Raises:
        InputError: one of the two sides has no window.
    """
    found = {}
    for label, name in ((1, "shock"), (0, "no shock")):
        side = rows[target == label]
        if not len(side):
            raise InputError(f"The training rows hold no window labelled {name!r}: both sides are needed.")
        found[name] = Pool.of(side, windows.index["patient"][side], power)
    return found


class Draw(Protocol):
    """Where batches come from."""

    def batch(self, rng: np.random.Generator) -> Batch:
        """The next batch; everything in it follows from `rng`."""


class AsRecorded:
    """Windows as they are in the set."""

    def __init__(self, windows: ShockWindows, sides: Mapping[str, Pool], draws: DrawConfig) -> None:
        self.windows, self.sides, self.draws = windows, sides, draws

    def batch(self, rng: np.random.Generator) -> Batch:
        """Shockable windows first, then the others."""
        sizes = (self.draws.shock, self.draws.other)
        drawn = [pool.draw(rng, size) for pool, size in zip(self.sides.values(), sizes, strict=True)]
        shock = torch.from_numpy(np.repeat([1.0, 0.0], sizes).astype(np.float32))
        ecg = torch.from_numpy(self.windows.stack(np.concatenate(drawn)))
        return Batch(ecg, shock, torch.ones_like(shock), torch.zeros_like(shock))


class Disturbed:
    """Windows cut and disturbed anew, with noise that cannot be read among them.

    Args:
        augmentation: cuts and disturbs.
        sides: the shockable and the other rows.
        marked: rows that a reader marked as noise; may be empty.
        draws: how many of each.
    """

    def __init__(
        self, augmentation: Augmentation, sides: Mapping[str, Pool], marked: Pool | None, draws: DrawConfig
    ) -> None:
        self.augmentation, self.sides, self.marked, self.draws = augmentation, sides, marked, draws

    def batch(self, rng: np.random.Generator) -> Batch:
        """Shockable windows, the others, those marked as noise, made-up noise; all of one length."""
        samples = self.augmentation.length(rng, round(USUAL_S * SAMPLING_RATE))
        n_marked = self.draws.noise_marked if self.marked is not None else 0
        sizes = (self.draws.shock, self.draws.other, n_marked, self.draws.noise_only)
        drawn = [pool.draw(rng, size) for pool, size in zip(self.sides.values(), sizes[:2], strict=True)]
        if self.marked is not None:
            drawn.append(self.marked.draw(rng, n_marked))
        rows = np.concatenate(drawn)
        organised = np.zeros(len(rows), dtype=bool)
        organised[self.draws.shock : self.draws.shock + self.draws.other] = True
        ecg = self.augmentation.windows(rng, rows, organised, samples)
        made = self.augmentation.noise_only(rng, self.draws.noise_only, samples)
        return Batch(
            torch.from_numpy(np.concatenate([ecg, made])[:, None]),
            _column((1, 0, 0, 0), sizes),
            _column((1, 1, self.draws.noise_weight, self.draws.noise_weight), sizes),
            _column((0, 0, 1, 1), sizes),
        )


def _column(values: tuple[float, ...], sizes: tuple[int, ...]) -> Tensor:
    """Each value as often as its size says, float32."""
    return torch.from_numpy(np.repeat(np.array(values, dtype=np.float32), sizes))
