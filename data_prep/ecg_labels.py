"""Which class a window of ECG belongs to: from the rhythm its annotation names and from what is measured in it.

Labels alone will not do. A "(VT" mark says nothing of the rate, and rate decides whether to shock; in some records it
runs on over fibrillation. So a window's class is its label plus the measured rate, regularity and amplitude:

==========  ==========================================================================================================
S_VF        labelled VF or VFIB, lead 1 at least 0.2 mV peak to peak
S_VFL       labelled ventricular flutter
S_VT        labelled VT at 150/min or more: by its beats where the annotation has beats, else by autocorrelation with a
            regularity of at least 0.7
S_VTVF      labelled VT without a regular rhythm: mostly fibrillation or torsade whose onset nobody marked
I_SLOWVT    labelled VT below 150/min: intermediate, to report and not to score
I_FINEVF    labelled VF or VFIB below 0.2 mV: intermediate
N_NSR       sinus rhythm
N_ONR       every other organised rhythm
N_ASYS      labelled asystole and at most 0.2 mV on every lead
U_ASYSLBL   labelled asystole with a larger signal: unverified, neither scored nor used as a negative
U_NONVF     "no fibrillation marked": unverified
X_...       noise marks, margins of uncertain onsets, over 10 % missing samples, unlabelled, unknown rhythm codes
==========  ==========================================================================================================

Limits of shockable VT and of coarse VF: Kerber et al., Circulation 95:1677-1682, 1997 (0.2 mV; the rate is left to the
maker, 150/min here). The measured numbers come from a zero-phase filter over the whole record. They are for labels
only: a detector in use sees no future, so none of them may become its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, find_peaks, resample_poly, sosfiltfilt

__all__ = [
    "CLASSES",
    "MEASURING_RATE",
    "WindowMeasures",
    "beat_rate",
    "classify",
    "measure",
    "monitor_band",
    "target_of",
]

MEASURING_RATE = 250.0
"""Hz; every record is measured at this rate, so that lags mean the same in all of them."""
BAND_HZ = (1.0, 30.0)
LAGS_S = (0.14, 1.6)
"""Repetition periods looked at: 429 to 37.5 per minute."""
FIRST_PEAK_SHARE = 0.85
"""The period is that of the first peak this near to the highest one, which may lie at a multiple of the period."""
REGULAR = 0.7
RAPID_PER_MIN = 150.0
COARSE_MV = 0.2
MOST_INVALID = 0.1

_FIBRILLATION = frozenset({"VF", "VFIB"})
_SINUS = frozenset({"N", "NSR"})
_ORGANISED = frozenset(
    {
        *("AB", "AFIB", "AFL", "NOD", "J", "SBR", "SVTA", "SVT", "STACH", "SAB"),  # from above the ventricles
        *("B", "T", "IVR", "VER", "HGEA"),  # with or from ventricular beats, slow enough for a pulse
        *("BI", "BII", "BIII", "AVB", "PREX", "P", "PM"),  # of conduction, or paced
    }
)
_EXCLUDED = {"UNLABELLED": "X_UNLABELLED", "NOISE": "X_NOISE", "VF_EDGE": "X_EDGE", "NONVF_EDGE": "X_EDGE"}

_TARGETS = {"S_VF": 1, "S_VFL": 1, "S_VT": 1, "N_NSR": 0, "N_ONR": 0, "N_ASYS": 0}
CLASSES = (
    *("S_VF", "S_VFL", "S_VT", "S_VTVF", "N_NSR", "N_ONR", "N_ASYS", "I_SLOWVT", "I_FINEVF", "U_NONVF", "U_ASYSLBL"),
    *("X_NOISE", "X_EDGE", "X_INVALID", "X_UNLABELLED", "X_UNKNOWN"),
)
"""Every class `classify` can give."""


@dataclass(frozen=True)
class WindowMeasures:
    """What is measured in one window."""

    p2p: float
    """Peak to peak of the first lead, 1-30 Hz, in mV."""
    largest_p2p: float
    """The same on the lead where it is largest."""
    rate_est: float
    """Repetitions per minute by autocorrelation, on the more regular lead; NaN where nothing repeats."""
    regularity: float
    """Height of that autocorrelation peak; 1 is perfectly periodic, 0 where nothing repeats."""
    rate_from_beats: float
    """Beats per minute by annotated beats; NaN where there are fewer than two."""
    invalid_frac: float
    """Share of missing samples in the first lead."""


def target_of(cls: str) -> int:
    """1 for the classes scored as shockable, 0 for those scored as not, -1 for those not scored."""
    return _TARGETS.get(cls, -1)


def classify(rhythm: str, measures: WindowMeasures) -> str:
    """The class of a window (see the table above).

    Args:
        rhythm: code of the annotation without its bracket, or UNLABELLED, NONVF, VF_EDGE, NONVF_EDGE.
        measures: what `measure` found in it.
    """
    if measures.invalid_frac > MOST_INVALID:
        return "X_INVALID"
    if rhythm in _EXCLUDED:
        return _EXCLUDED[rhythm]
    if rhythm in _FIBRILLATION:
        return "S_VF" if measures.p2p >= COARSE_MV else "I_FINEVF"
    if rhythm == "VFL":
        return "S_VFL"
    if rhythm == "VT":
        return _tachycardia(measures)
    if rhythm == "ASYS":
        return "N_ASYS" if measures.largest_p2p <= COARSE_MV else "U_ASYSLBL"
    if rhythm == "NONVF":
        return "U_NONVF"
    if rhythm in _SINUS:
        return "N_NSR"
    return "N_ONR" if rhythm in _ORGANISED else "X_UNKNOWN"


def _tachycardia(measures: WindowMeasures) -> str:
    if np.isfinite(measures.rate_from_beats):
        return "S_VT" if measures.rate_from_beats >= RAPID_PER_MIN else "I_SLOWVT"
    if measures.regularity < REGULAR:
        return "S_VTVF"
    return "S_VT" if measures.rate_est >= RAPID_PER_MIN else "I_SLOWVT"


def monitor_band(signal: npt.NDArray[np.float32], sampling_rate: float) -> npt.NDArray[np.float64]:
    """A whole record as it is measured: missing samples bridged, 250 Hz, zero-phase 1-30 Hz (Butterworth, order 4).

    Args:
        signal: (samples, leads), mV, NaN where missing.
        sampling_rate: Hz.

    Returns:
        (samples at 250 Hz, leads), mV. A lead without any valid sample is zero.
    """
    ratio = Fraction(MEASURING_RATE / sampling_rate).limit_denominator(1000)
    sections = butter(4, BAND_HZ, "bandpass", fs=MEASURING_RATE, output="sos")
    leads = []
    for lead in signal.T.astype(np.float64):
        bridged = _bridge(lead)
        resampled = bridged if ratio == 1 else resample_poly(bridged, ratio.numerator, ratio.denominator)
        padding = min(27, len(resampled) - 1)
        leads.append(sosfiltfilt(sections, resampled, padlen=padding))
    return np.stack(leads, axis=1)


def _bridge(lead: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    missing = np.isnan(lead)
    if not missing.any():
        return lead
    if missing.all():
        return np.zeros_like(lead)
    times = np.arange(len(lead))
    return np.interp(times, times[~missing], lead[~missing])


def measure(
    filtered: npt.NDArray[np.float64], first_lead: npt.NDArray[np.float32], rate_from_beats: float
) -> WindowMeasures:
    """Measure one window.

    Args:
        filtered: (samples, leads) of `monitor_band`, cut to the window.
        first_lead: (samples,) the same stretch as recorded, NaN where missing.
        rate_from_beats: see `beat_rate`.
    """
    spans = np.ptp(filtered, axis=0)
    rate, regularity = max((repetition(lead) for lead in filtered.T), key=lambda found: found[1])
    return WindowMeasures(
        p2p=float(spans[0]),
        largest_p2p=float(spans.max()),
        rate_est=rate,
        regularity=regularity,
        rate_from_beats=rate_from_beats,
        invalid_frac=float(np.mean(np.isnan(first_lead))),
    )


def repetition(lead: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Rate per minute and regularity of one filtered lead at 250 Hz, by the unbiased autocorrelation.

    The longest lag is 1.6 s, or half the window where that is less: a period counts when it fits in twice.
    Returns (NaN, 0) where nothing repeats.
    """
    n = len(lead)
    centred = lead - lead.mean()
    power = float(centred @ centred)
    first, last = int(LAGS_S[0] * MEASURING_RATE), min(int(LAGS_S[1] * MEASURING_RATE), n // 2)
    if power <= 0.0:
        return float("nan"), 0.0
    spectrum = np.fft.rfft(centred, 2 * n)
    products = np.fft.irfft(spectrum * spectrum.conj(), 2 * n)[first:last]
    correlation = products / power * n / (n - np.arange(first, last))
    peaks, _ = find_peaks(correlation, height=0.0)
    if len(peaks) == 0:
        return float("nan"), 0.0
    heights = correlation[peaks]
    chosen = np.flatnonzero(heights >= FIRST_PEAK_SHARE * heights.max())[0]
    return 60.0 * MEASURING_RATE / (first + int(peaks[chosen])), float(heights[chosen])


def beat_rate(beat_times_s: npt.NDArray[np.float64], start_s: float, end_s: float) -> float:
    """Beats per minute from the annotated beats inside a window: 60 over the mean interval; NaN below two beats."""
    inside = beat_times_s[(beat_times_s >= start_s) & (beat_times_s < end_s)]
    if len(inside) < 2:
        return float("nan")
    return float(60.0 * (len(inside) - 1) / (inside[-1] - inside[0]))
