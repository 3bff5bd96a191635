"""Detectors that count how much of a window lies above a threshold: TCI, TCSC, MAV and count 1 to 3."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

from apps.ecg_shock.classical.measure import Scale, Window, measure, segments
from apps.ecg_shock.data import SAMPLING_RATE

__all__ = ["band_counts", "mean_absolute_value", "threshold_crossing_interval", "threshold_crossing_samples"]

LONGEST_TCI_MS = 1000.0


@measure(Scale("tci", "ms", 0.0, LONGEST_TCI_MS, flat=LONGEST_TCI_MS))
def threshold_crossing_interval(window: Window) -> tuple[float]:
    """Threshold crossing interval (TCI): mean time between the pulses above 20 % of each second's maximum.

    Thakor, Zhu, Pan, IEEE Trans Biomed Eng 37(9):837-843, 1990; as restated in Amann et al., BioMed Eng OnLine 4:60,
    2005: TCI = 1000 / (N - 1 + t2 / (t1 + t2) + t3 / (t3 + t4)) for the N pulses of a second, where t2 and t3 are its
    time below the threshold before the first and after the last pulse, t1 and t4 the same just outside of it. Mean
    over the seconds with two neighbours; below 3 s over all, an unseen t1 or t4 being taken as long as t2 or t3.
    Capped at 1000 ms, which also stands for a second without a pulse.
    """
    seconds = segments(window, 1)
    above = seconds > 0.2 * np.maximum(seconds.max(axis=1, keepdims=True), 0.0)
    pulses = above[:, 0] + np.count_nonzero(above[:, 1:] & ~above[:, :-1], axis=1)
    before = np.where(pulses > 0, above.argmax(axis=1), SAMPLING_RATE)
    after = np.where(pulses > 0, above[:, ::-1].argmax(axis=1), SAMPLING_RATE)
    gap_before = np.maximum(before + np.concatenate([before[:1], after[:-1]]), 1)
    gap_after = np.maximum(after + np.concatenate([before[1:], after[-1:]]), 1)
    intervals = pulses - 1 + before / gap_before + after / gap_after
    milliseconds = np.minimum(1000.0 / np.maximum(intervals, 1.0), LONGEST_TCI_MS)
    inner = slice(1, -1) if len(seconds) >= 3 else slice(None)
    return (float(milliseconds[inner].mean()),)


@measure(Scale("tcsc", "%", 0.0, 100.0, flat=0.0))
def threshold_crossing_samples(window: Window) -> tuple[float]:
    """Threshold crossing sample count (TCSC): percentage of samples above 20 % of the largest in pieces of 3 s.

    Arafat, Chowdhury, Hasan, Signal Image Video Process 5:1-10, 2011: each piece (one per second) is tapered by a
    cosine over its first and last quarter of a second, taken absolute and normalised; the percentages are averaged.
    """
    pieces = segments(window, 3)
    size = np.abs(pieces) * signal.windows.tukey(pieces.shape[1], alpha=0.5 * SAMPLING_RATE / pieces.shape[1])
    return (100.0 * float(np.mean(size > 0.2 * size.max(axis=1, keepdims=True))),)


@measure(Scale("mav", "1", 0.0, 1.0, flat=0.0))
def mean_absolute_value(window: Window) -> tuple[float]:
    """Mean absolute value (MAV) of pieces of 2 s that are each normalised to a largest absolute value of 1.

    Anas, Lee, Hasan, BioMed Eng OnLine 9:43, 2010; the pieces begin at each full second and are averaged.
    """
    size = np.abs(segments(window, 2))
    largest = size.max(axis=1)
    return (float(np.mean(size.mean(axis=1) / np.where(largest > 0, largest, 1.0))),)


def qrs_band(window: Window) -> npt.NDArray[np.float64]:
    """Absolute output (samples,) of the band-pass filter of Jekova and Krasteva 2004, centred at 14.6 Hz.

    Theirs runs at 250 Hz with integers: y = (14 y[-1] - 7 y[-2] + (x - x[-2]) / 2) / 8. Here, at 125 Hz, each pole is
    squared (matched z-transform), which keeps centre and bandwidth; the gain does not matter to the counts.
    """
    return np.abs(signal.lfilter([1.0, 0.0, -1.0], [1.0, -1.3125, 0.765625], window - window[0]))


@measure(
    Scale("count1", "1", 0.0, 1.0, flat=0.0),
    Scale("count2", "1", 0.0, 1.0, flat=0.0),
    Scale("count3", "1", 0.0, 1.0, flat=1.0),
)
def band_counts(window: Window) -> tuple[float, float, float]:
    """Count 1, 2, 3: shares of samples in three amplitude ranges of the QRS band, per second, averaged.

    Jekova, Krasteva, Physiol Meas 25:1167-1178, 2004, as shares instead of counts, so that the rate does not matter:
    count 1 from half the maximum, count 2 from the mean, count 3 within one mean deviation of the mean.
    """
    size = segments(qrs_band(window), 1)
    mean = size.mean(axis=1, keepdims=True)
    distance = np.abs(size - mean)
    return (
        float(np.mean(size > 0.5 * size.max(axis=1, keepdims=True))),
        float(np.mean(size > mean)),
        float(np.mean(distance <= distance.mean(axis=1, keepdims=True))),
    )
