"""Made ECG rhythms: what sinus rhythm, fibrillation, tachycardia and asystole look like, roughly, from a seed.

They stand in for patients in tests and first steps, and prove nothing about real ones. Beats are sums of Gaussian waves
(after McSharry et al., IEEE Trans Biomed Eng 50:289-294, 2003); ventricular fibrillation is a narrow band of 3-8 Hz
whose frequency and size wander.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["RHYTHMS", "Signal"]

Signal = npt.NDArray[np.float64]
_Wave = tuple[float, float, float]
"""Centre after the R peak (s), standard deviation (s), height (mV)."""

_QRS_T: Sequence[_Wave] = ((-0.030, 0.010, -0.12), (0.0, 0.012, 1.1), (0.030, 0.012, -0.25), (0.250, 0.050, 0.30))
_P: _Wave = (-0.170, 0.025, 0.15)
_WIDE: Sequence[_Wave] = ((0.0, 0.045, 1.3), (0.110, 0.050, -0.7), (0.320, 0.060, -0.35))


def _beats(times_s: Signal, peaks_s: Signal, waves: Sequence[_Wave]) -> Signal:
    """The same waves at every peak."""
    total = np.zeros_like(times_s)
    for centre, width, height in waves:
        for peak in peaks_s:
            total += height * np.exp(-0.5 * ((times_s - peak - centre) / width) ** 2)
    return total


def _peaks(rng: np.random.Generator, duration_s: float, interval_s: float, variation: float) -> Signal:
    """Beat times across the duration and a little beyond; intervals vary by a share of their mean."""
    count = int(duration_s / (interval_s * (1.0 - 3.0 * variation))) + 3
    intervals = interval_s * (1.0 + variation * np.clip(rng.standard_normal(count), -2.0, 2.0))
    return np.cumsum(intervals) - interval_s * rng.uniform(0.5, 1.5)


def sinus(rng: np.random.Generator, times_s: Signal) -> Signal:
    """P-QRS-T at 50 to 110 per minute."""
    peaks = _peaks(rng, float(times_s[-1]), 60.0 / rng.uniform(50.0, 110.0), 0.03)
    return _beats(times_s, peaks, (_P, *_QRS_T))


def atrial_fibrillation(rng: np.random.Generator, times_s: Signal) -> Signal:
    """Irregular QRS-T without P over small fibrillatory waves."""
    peaks = _peaks(rng, float(times_s[-1]), 60.0 / rng.uniform(80.0, 120.0), 0.22)
    return _beats(times_s, peaks, _QRS_T) + 0.06 * _narrow_band(rng, times_s, 6.0)


def premature_beats(rng: np.random.Generator, times_s: Signal) -> Signal:
    """Sinus rhythm with every third beat ventricular and early: trigeminy."""
    interval = 60.0 / rng.uniform(65.0, 90.0)
    peaks = _peaks(rng, float(times_s[-1]), interval, 0.02)
    early = np.arange(len(peaks)) % 3 == 2
    wide = _beats(times_s, peaks[early] - 0.3 * interval, _WIDE)
    return _beats(times_s, peaks[~early], (_P, *_QRS_T)) + wide


def ventricular_tachycardia(rng: np.random.Generator, times_s: Signal) -> Signal:
    """Wide, regular complexes at 165 to 220 per minute."""
    phase = 2.0 * np.pi * rng.uniform(165.0, 220.0) / 60.0 * times_s + rng.uniform(0.0, 2.0 * np.pi)
    return 0.8 * np.sin(phase) + 0.3 * np.sin(2.0 * phase + 0.8) + 0.1 * np.sin(3.0 * phase + 1.9)


def ventricular_fibrillation(rng: np.random.Generator, times_s: Signal) -> Signal:
    """Two bands within 3 to 8 Hz that wander, about 0.5 to 1.5 mV."""
    bands = _narrow_band(rng, times_s, rng.uniform(4.0, 6.5)) + 0.6 * _narrow_band(rng, times_s, rng.uniform(3.5, 7.0))
    return rng.uniform(0.4, 1.0) * bands


def asystole(rng: np.random.Generator, times_s: Signal) -> Signal:
    """Nearly nothing."""
    return 0.01 * _narrow_band(rng, times_s, 3.0)


def _narrow_band(rng: np.random.Generator, times_s: Signal, centre_hz: float) -> Signal:
    """Size about 1: frequency wanders within 3 to 8 Hz, amplitude between 0.3 and 1.5."""
    knots = np.arange(0.0, float(times_s[-1]) + 1.0, 0.4)
    frequency = np.clip(np.interp(times_s, knots, centre_hz + rng.normal(0.0, 1.2, len(knots))), 3.0, 8.0)
    size = np.interp(times_s, knots, np.clip(rng.normal(0.9, 0.35, len(knots)), 0.3, 1.5))
    step = float(times_s[1] - times_s[0])
    return size * np.sin(2.0 * np.pi * np.cumsum(frequency) * step + rng.uniform(0.0, 2.0 * np.pi))


RHYTHMS: Mapping[str, Callable[[np.random.Generator, Signal], Signal]] = {
    "N": sinus,
    "VF": ventricular_fibrillation,
    "AFIB": atrial_fibrillation,
    "VT": ventricular_tachycardia,
    "T": premature_beats,
    "ASYS": asystole,
}
"""Rhythm code as WFDB annotations write it -> generator of millivolts at the given times (seconds)."""
