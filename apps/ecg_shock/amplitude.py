"""The size of an ECG, and the one decision that size makes alone: a living signal under 0.2 mV is asystole."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import signal

from apps.ecg_shock.data import SAMPLING_RATE, bridge_missing, resample

__all__ = ["ASYSTOLE_MV", "amplitude_mv", "filter_sections"]

ASYSTOLE_MV = 0.2
"""Peak to peak below which a rhythm is asystole and gets no shock (Kerber et al., Circulation 95:1677-1682, 1997)."""
BAND_HZ = (1.0, 30.0)
PADDING_S = 2.0
"""How far the filters see beyond both ends."""
CLICK_S = 0.04
"""Time for which the signal may be larger, upwards and downwards each: a click lasts as long, no rhythm does."""

Sections = npt.NDArray[np.float64]


def amplitude_mv(ecg: npt.NDArray[np.floating], sampling_rate: float) -> float:
    """Peak to peak of a window in the band of 1-30 Hz at 125 Hz, the highest and the lowest 40 ms left out.

    High-pass and low-pass are Butterworth filters of order 4, run forwards and backwards: the window is complete when
    it is judged, and nothing outside of it is used. Beyond its ends the low-pass sees the signal mirrored, so that
    mains and a click there are averaged away, and the high-pass then sees the last value standing still.

    Args:
        ecg: (samples,) one lead in mV as recorded; NaN marks missing samples, which are bridged.
        sampling_rate: in Hz, 75 or more.

    Returns:
        Size in mV; 0 where every sample is missing.
    """
    if np.isnan(ecg).all():
        return 0.0
    resampled = resample(bridge_missing(np.asarray(ecg, dtype=np.float64)), sampling_rate)
    low_pass, high_pass = filter_sections()
    padding = min(round(PADDING_S * SAMPLING_RATE), len(resampled) - 1)
    smooth = signal.sosfiltfilt(low_pass, resampled, padtype="even", padlen=padding)
    filtered = signal.sosfiltfilt(high_pass, smooth, padtype="constant", padlen=padding)
    share = CLICK_S * SAMPLING_RATE / len(resampled)
    lowest, highest = np.quantile(filtered, (share, 1 - share))
    return float(highest - lowest)


@cache
def filter_sections() -> tuple[Sections, Sections]:
    """Low-pass and high-pass at 125 Hz, second-order sections (sections, 6) each."""
    low, high = BAND_HZ
    return (
        signal.butter(4, high, "lowpass", fs=SAMPLING_RATE, output="sos"),
        signal.butter(4, low, "highpass", fs=SAMPLING_RATE, output="sos"),
    )
