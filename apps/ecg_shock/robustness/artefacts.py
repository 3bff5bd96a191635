"""What disturbs a recording, made up to measure robustness with: each kind at any sampling rate, with a variance of 1.

No training draws from here: what a network is trained on (`noise_bank`) is made in other ways with other numbers, and
some kinds here are of no family that it is trained on. A signal-to-noise ratio is stated before any filter: variance of
the clean window, in the pass band, over the variance of the artefact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

__all__ = ["ARTEFACTS", "Artefact"]

FloatArray = npt.NDArray[np.float64]
Rng = np.random.Generator

LEAD_IN_S = 20.0
"""Seconds made in excess, so that a window is a piece of something longer and not a period of its own."""
HIGHEST = 0.45
"""Noise reaches up to this share of the sampling rate: recorders cut off below half of it."""


@dataclass(frozen=True)
class Artefact:
    """One kind of disturbance."""

    name: str
    """As tables and files name it: "compressions"."""
    title: str
    """As a reader names it, with its numbers: "chest compressions, 1.5-2.1 Hz"."""
    draw: Callable[[np.random.Generator, int, int, float], FloatArray]
    """(rng, rows, samples, sampling rate in Hz) -> (rows, samples), mean 0 and variance 1 over a long view."""
    unseen: bool = False
    """Whether nothing of the kind is ever trained on."""


def wander(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Baseline wander: 40 % breathing at 0.15-0.5 Hz with an overtone, 60 % movement of electrodes, 0.1-1 Hz, flat."""
    breath = _harmonics(rng, rows, samples, sampling_rate, (0.15, 0.5), (0.85, 0.15), drift=0.1)
    movement = _coloured(rng, rows, samples, sampling_rate, (0.1, 1.0))
    return np.sqrt(0.4) * breath + np.sqrt(0.6) * movement


def muscle(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Muscle activity inside the pass band: noise of 15-40 Hz whose power swells by 80 % at 0.2-1 Hz."""
    noise = _coloured(rng, rows, samples, sampling_rate, (15.0, 40.0))
    return noise * _swelling(rng, rows, samples, sampling_rate, (0.2, 1.0), 0.8)


def mains(rng: Rng, rows: int, samples: int, sampling_rate: float, *, frequency: float) -> FloatArray:
    """Mains hum within 0.2 Hz of `frequency`, 5 % of its power in the third harmonic where the rate can hold it."""
    span = (frequency - 0.2, frequency + 0.2)
    return _harmonics(rng, rows, samples, sampling_rate, span, (0.95, 0.0, 0.05), drift=0.0)


def compressions(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Chest compressions: 90-126 a minute (1.5-2.1 Hz) drifting by 5 %, four harmonics with amplitudes as 1/k."""
    powers = np.array([1.0, 1 / 4, 1 / 9, 1 / 16])
    return _harmonics(rng, rows, samples, sampling_rate, (1.5, 2.1), powers / powers.sum(), drift=0.05)


def pink(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Pink noise: the same power in every octave from 0.3 Hz up."""
    return _coloured(rng, rows, samples, sampling_rate, (0.3, np.inf), slope=-1.0)


def tremor(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Shivering or Parkinson's tremor: 4-9 Hz drifting by 8 %, one overtone, its power swelling by 90 % at 0.3-1 Hz.

    The hardest of all: ventricular fibrillation lies at 3-9 Hz.
    """
    shaking = _harmonics(rng, rows, samples, sampling_rate, (4.0, 9.0), (0.8, 0.2), drift=0.08)
    return shaking * _swelling(rng, rows, samples, sampling_rate, (0.3, 1.0), 0.9)


def steps(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Contacts that shift: the level jumps 0.8 times a second to another one, normally distributed, and stays there."""
    jumps = rng.random((rows, samples)) < 0.8 / sampling_rate
    jumps[:, 0] = True
    since = np.maximum.accumulate(np.where(jumps, np.arange(samples), 0), axis=1)
    return np.take_along_axis(rng.standard_normal((rows, samples)), since, axis=1)


def pacing(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Pacing-like spikes: 60-120 a minute, either polarity, decaying in 6 ms, an opposite tail of 50 ms, no area."""
    spike_s, tail_s = 0.006, 0.05
    interval = 60 / rng.uniform(60, 120, (rows, 1))
    since = (np.arange(samples) / sampling_rate + rng.uniform(0, 1, (rows, 1)) * interval) % interval
    shape = np.exp(-since / spike_s) - spike_s / tail_s * np.exp(-since / tail_s)
    energy = spike_s / 2 + spike_s**2 / (2 * tail_s) - 2 * spike_s**2 / (spike_s + tail_s)
    return rng.choice([-1.0, 1.0], (rows, 1)) * shape / np.sqrt(energy / interval)


def bursts(rng: Rng, rows: int, samples: int, sampling_rate: float) -> FloatArray:
    """Speech or a radio beside the leads: noise of 8-60 Hz, switched on for 80-250 ms, off for 100-400 ms."""
    on_s, off_s = (0.08, 0.25), (0.1, 0.4)
    n = 2 + int((samples / sampling_rate + off_s[1] + on_s[1]) / (on_s[0] + off_s[0]))
    pairs = np.stack([rng.uniform(*on_s, (rows, n)), rng.uniform(*off_s, (rows, n))], axis=-1).reshape(rows, 2 * n)
    edges = np.cumsum(pairs, axis=1) - rng.uniform(0, on_s[1] + off_s[1], (rows, 1))
    time = np.arange(samples) / sampling_rate
    is_on = np.stack([np.searchsorted(row, time, side="right") % 2 == 0 for row in edges])
    share_on = sum(on_s) / (sum(on_s) + sum(off_s))
    return _coloured(rng, rows, samples, sampling_rate, (8.0, 60.0)) * is_on / np.sqrt(share_on)


def _coloured(
    rng: Rng, rows: int, samples: int, sampling_rate: float, band: tuple[float, float], slope: float = 0.0
) -> FloatArray:
    """Normal noise (rows, samples) whose power goes as frequency ** slope inside a band in Hz, and is 0 outside."""
    length = 2 * (round(LEAD_IN_S * sampling_rate / 2) + (samples + 1) // 2)
    frequency = np.fft.rfftfreq(length, 1 / sampling_rate)
    inside = (frequency >= band[0]) & (frequency <= min(band[1], HIGHEST * sampling_rate))
    power = np.where(inside, np.maximum(frequency, 1e-9) ** slope, 0.0)
    size = np.sqrt(power) * length / np.sqrt(4 * power.sum())
    parts = rng.standard_normal((2, rows, len(frequency)))
    return np.fft.irfft((parts[0] + 1j * parts[1]) * size, n=length, axis=1)[:, :samples]


def _harmonics(
    rng: Rng,
    rows: int,
    samples: int,
    sampling_rate: float,
    span: tuple[float, float],
    powers: Sequence[float] | FloatArray,
    drift: float,
) -> FloatArray:
    """A tone somewhere in `span` Hz with overtones (rows, samples), each in a phase of its own.

    Args:
        rng: of the draws.
        rows: how many.
        samples: of each.
        sampling_rate: in Hz.
        span: lowest and highest frequency of the tone; one that the rate cannot hold folds back, as in a recorder.
        powers: shares of the power, the tone's first; overtones that the rate cannot hold are left out.
        drift: largest share by which the frequency moves, up and down, at 0.05-0.3 Hz.
    """
    time = np.arange(samples) / sampling_rate
    turn = 2 * np.pi * rng.uniform(0.05, 0.3, (rows, 1))
    begin = rng.uniform(0, 2 * np.pi, (rows, 1))
    moved = time - drift * np.cos(turn * time + begin) / turn  # the integral of 1 + drift * sin(...)
    phase = 2 * np.pi * rng.uniform(*span, (rows, 1)) * moved
    held = [
        (order, power)
        for order, power in enumerate(powers, start=1)
        if order == 1 or order * span[1] < sampling_rate / 2
    ]
    total = sum(power for _, power in held)
    parts = (
        np.sqrt(2 * power / total) * np.sin(order * phase + rng.uniform(0, 2 * np.pi, (rows, 1)))
        for order, power in held
    )
    return np.sum(list(parts), axis=0)


def _swelling(
    rng: Rng, rows: int, samples: int, sampling_rate: float, span: tuple[float, float], depth: float
) -> FloatArray:
    """A factor (rows, samples) by which the power swells and ebbs by `depth` at `span` Hz; its mean square is 1."""
    time = np.arange(samples) / sampling_rate
    angle = 2 * np.pi * rng.uniform(*span, (rows, 1)) * time + rng.uniform(0, 2 * np.pi, (rows, 1))
    return np.sqrt(1 + depth * np.sin(angle))


ARTEFACTS: Mapping[str, Artefact] = {
    artefact.name: artefact
    for artefact in (
        Artefact("wander", "baseline wander, 0.1-1 Hz", wander),
        Artefact("muscle", "muscle (EMG), 15-40 Hz", muscle),
        Artefact("mains 50", "mains, 50 Hz", partial(mains, frequency=50.0), unseen=True),
        Artefact("mains 60", "mains, 60 Hz", partial(mains, frequency=60.0), unseen=True),
        Artefact("compressions", "CPR-like, 1.5-2.1 Hz and harmonics", compressions),
        Artefact("pink", "pink noise", pink, unseen=True),
        Artefact("tremor", "tremor, 4-9 Hz", tremor, unseen=True),
        Artefact("steps", "electrode steps", steps),
        Artefact("pacing", "pacing-like spikes", pacing, unseen=True),
        Artefact("bursts", "speech and radio bursts", bursts),
    )
}
"""Name -> artefact, in the order of the tables."""
