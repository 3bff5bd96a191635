"""What disturbs a recording, made up for training: long stretches of noise from which each draw takes a piece.

They are simple on purpose, and others than those that the robustness of a network is measured with (`artefacts`): what
was measured on the noise that was trained on would only say that it was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import signal

from apps.ecg_shock.data import SAMPLING_RATE

__all__ = ["KINDS", "NoiseBank"]

FloatArray = npt.NDArray[np.float64]

BANK_S = 2100.0
"""Length of each kind in seconds: many times what a batch takes."""


def wander(rng: np.random.Generator, samples: int) -> FloatArray:
    """Breathing and movement of electrodes: twelve slow waves, 0.05-0.7 Hz, each swelling and ebbing."""
    time = np.arange(samples) / SAMPLING_RATE
    total = np.zeros(samples)
    for _ in range(12):
        swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.01, 0.05) * time + rng.uniform(0, 2 * np.pi))
        total += rng.normal() * swell * np.sin(2 * np.pi * rng.uniform(0.05, 0.7) * time + rng.uniform(0, 2 * np.pi))
    return total


def muscle(rng: np.random.Generator, samples: int) -> FloatArray:
    """Muscle activity: noise of 12-55 Hz in bursts about a second long."""
    band = signal.butter(2, (12, 55), "bandpass", fs=SAMPLING_RATE, output="sos")
    burst = signal.butter(1, 0.6, fs=SAMPLING_RATE, output="sos")
    envelope = 0.4 + 6 * np.abs(signal.sosfilt(burst, rng.normal(size=samples)))
    bursts: FloatArray = envelope * signal.sosfilt(band, rng.normal(size=samples))
    return bursts


def compressions(rng: np.random.Generator, samples: int) -> FloatArray:
    """Chest compressions: 72-144 a minute, drifting, with five harmonics whose sizes drift too."""
    time = np.arange(samples) / SAMPLING_RATE
    phase = 2 * np.pi * np.cumsum(_drifting(rng, time, 4.0, 1.2, 2.4)) / SAMPLING_RATE
    total = np.zeros(samples)
    for harmonic in range(1, 6):
        size = rng.normal() * _drifting(rng, time, 20.0, 0.0, 1.0) / np.sqrt(harmonic)
        total += size * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    return total


def _drifting(rng: np.random.Generator, time: FloatArray, every_s: float, low: float, high: float) -> FloatArray:
    """Straight lines between values that are drawn anew every so often."""
    knots = np.arange(0, time[-1] + every_s, every_s)
    return np.interp(time, knots, rng.uniform(low, high, len(knots)))


def motion(rng: np.random.Generator, samples: int) -> FloatArray:
    """Pulls at a cable: a jump about every two seconds, gone again within half a second."""
    jumps = np.zeros(samples)
    places = rng.integers(0, samples, round(samples / SAMPLING_RATE / 2))
    jumps[places] = rng.normal(size=len(places))
    decaying: FloatArray = signal.lfilter([1.0], [1.0, -np.exp(-1 / (0.5 * SAMPLING_RATE))], jumps)
    return decaying


def white(rng: np.random.Generator, samples: int) -> FloatArray:
    """The amplifier's own noise."""
    return rng.normal(size=samples)


KINDS: Mapping[str, Callable[[np.random.Generator, int], FloatArray]] = {
    "wander": wander,
    "muscle": muscle,
    "compressions": compressions,
    "motion": motion,
    "white": white,
}
"""Name -> (rng, samples) -> noise of any size at 125 Hz."""


class NoiseBank:
    """A long stretch of each kind, of unit variance over its whole length.

    Args:
        seed: of everything in it.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, len(KINDS)])
        stretches = [kind(rng, round(BANK_S * SAMPLING_RATE)) for kind in KINDS.values()]
        self._stretches = np.stack([stretch / stretch.std() for stretch in stretches]).astype(np.float32)

    def pieces(self, rng: np.random.Generator, rows: int, samples: int) -> npt.NDArray[np.float32]:
        """(rows, samples), each a piece of a kind and from a place drawn at random."""
        kind = rng.integers(0, len(self._stretches), rows)
        start = rng.integers(0, self._stretches.shape[1] - samples, rows)
        return self._stretches[kind[:, None], start[:, None] + np.arange(samples)]
