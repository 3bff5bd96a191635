"""Shape and repetition of a window: amplitude statistics, slopes, autocorrelation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft

from apps.ecg_shock.classical.measure import Scale, Window, measure, ratio, segments
from apps.ecg_shock.data import SAMPLING_RATE

__all__ = ["amplitude", "periodicity", "slope"]

SHORTEST_LAG = round(0.14 * SAMPLING_RATE)
LONGEST_LAG = round(1.6 * SAMPLING_RATE)
NEARLY_HIGHEST = 0.85


@measure(
    Scale("peak_to_peak", "mV", 0.0, math.inf, flat=0.0),
    Scale("std", "mV", 0.0, math.inf, flat=0.0),
    Scale("median_deviation", "mV", 0.0, math.inf, flat=0.0),
    Scale("skewness", "1", -math.inf, math.inf, flat=0.0),
    Scale("kurtosis", "1", 1.0, math.inf, flat=100.0),
    Scale("zero_crossings", "1/s", 0.0, SAMPLING_RATE, flat=0.0),
    Scale("peak_variation", "1", 0.0, math.inf, flat=0.0),
)
def amplitude(window: Window) -> tuple[float, ...]:
    """Size of the signal in mV and the shape of its distribution.

    Peak to peak, standard deviation, median absolute deviation from the median; third and fourth standardised moment
    (kurtosis not reduced by 3: noise has 3, VF less, sinus rhythm far more); crossings of the mean per second;
    coefficient of variation of the peak-to-peak values of the single seconds. Simple statistics of this kind stand in
    most feature sets for VF: Li, Rajagopalan, Clifford, IEEE Trans Biomed Eng 61(6):1607-1613, 2014.
    """
    centred = window - window.mean()
    square = centred**2
    variance = square.mean()
    positive = centred > 0
    peaks = np.ptp(segments(window, 1), axis=1)
    return (
        float(np.ptp(window)),
        math.sqrt(variance),
        float(np.median(np.abs(window - np.median(window)))),
        float((square * centred).mean() / variance**1.5),
        float((square * square).mean() / variance**2),
        np.count_nonzero(positive[1:] != positive[:-1]) * SAMPLING_RATE / len(window),
        ratio(peaks.std(), peaks.mean(), otherwise=0.0),
    )


@measure(
    Scale("slope_median", "mV/s", 0.0, math.inf, flat=0.0),
    Scale("slope_p99", "mV/s", 0.0, math.inf, flat=0.0),
    Scale("slope_ratio", "1", 0.0, 1.0, flat=0.0),
)
def slope(window: Window) -> tuple[float, float, float]:
    """Median and 99th percentile of the absolute slope, and the first divided by the second.

    The ratio is small where steep QRS complexes stand between level stretches, and nears that of a sine (0.71) in VF.
    The first implantable defibrillators asked the same of the amplitude, how much of the time the signal is near its
    base line: Langer et al., Med Instrum 10(3):163-167, 1976. A ratio of slopes needs neither base line nor gain.
    """
    steepness = np.abs(np.diff(window)) * SAMPLING_RATE
    median, steep = np.percentile(steepness, (50, 99))
    return float(median), float(steep), ratio(median, steep, otherwise=0.0)


def _autocorrelation(window: Window, lags: int) -> npt.NDArray[np.float64]:
    """Correlation (lags + 1,) of the window with itself, each lag over its overlap and the energies of both parts."""
    centred = window - window.mean()
    spectrum = fft.rfft(centred, 2 * len(centred))
    products = fft.irfft(spectrum.real**2 + spectrum.imag**2)[: lags + 1]
    energy = np.concatenate([[0.0], np.cumsum(centred**2)])
    overlap = np.arange(len(centred), len(centred) - lags - 1, -1)
    energies = energy[overlap] * (energy[-1] - energy[len(centred) - overlap])
    return products / np.sqrt(np.maximum(energies, np.finfo(np.float64).tiny))


@measure(
    Scale("rate", "1/min", 0.0, 60 * SAMPLING_RATE / SHORTEST_LAG, flat=0.0),
    Scale("regularity", "1", 0.0, 1.0, flat=0.0),
)
def periodicity(window: Window) -> tuple[float, float]:
    """Repetition rate per minute and how alike the repetitions are, from the autocorrelation.

    The first peak between 0.14 and 1.6 s (37 to 417 per minute; at most half the window) that reaches 85 % of the
    highest: the first, because every multiple of a period is one as well. Both are 0 where there is no peak. After
    Chen, Thakor, Mower, Med Biol Eng Comput 25:241-249, 1987, who told VF by the peaks of the autocorrelation.
    """
    correlation = _autocorrelation(window, min(LONGEST_LAG, len(window) // 2) + 1)
    inside = correlation[SHORTEST_LAG:-1]
    peaks = (inside > correlation[SHORTEST_LAG - 1 : -2]) & (inside >= correlation[SHORTEST_LAG + 1 :]) & (inside > 0)
    if not peaks.any():
        return 0.0, 0.0
    first = int(np.argmax(peaks & (inside >= NEARLY_HIGHEST * inside[peaks].max())))
    return 60.0 * SAMPLING_RATE / (SHORTEST_LAG + first), float(min(inside[first], 1.0))
