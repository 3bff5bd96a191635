"""How the energy of a window is spread over frequency: the VF filter, SPEC, and moments of the power spectrum."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from apps.ecg_shock.classical.measure import Scale, Window, measure, ratio
from apps.ecg_shock.data import SAMPLING_RATE

__all__ = ["spectral_shape", "spectrum_parameters", "vf_filter_leakage"]

NYQUIST_HZ = SAMPLING_RATE / 2


@measure(Scale("leakage", "1", 0.0, 1.0, flat=1.0))
def vf_filter_leakage(window: Window) -> tuple[float]:
    """VF-filter leakage: what a notch at the mean frequency lets through; near 0 for a sine.

    Kuo, Dillman, Computers in Cardiology 1978:347-349; as in Amann et al., BioMed Eng OnLine 4:60, 2005: half a period
    is N = floor(pi sum|x| / sum|dx| + 1/2) samples, the leakage sum|x + x[-N]| / sum(|x| + |x[-N]|).
    """
    half_period = math.floor(math.pi * np.abs(window).sum() / np.abs(np.diff(window)).sum() + 0.5)
    half_period = min(max(half_period, 1), len(window) - 1)
    now, then = window[half_period:], window[:-half_period]
    return (ratio(np.abs(now + then).sum(), (np.abs(now) + np.abs(then)).sum(), otherwise=1.0),)


def _transform(window: Window) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.complex128]]:
    """Frequencies in Hz and the transform of the Hamming-windowed signal without its mean."""
    tapered = (window - window.mean()) * signal.windows.hamming(len(window), sym=False)
    return fft.rfftfreq(len(window), 1 / SAMPLING_RATE), fft.rfft(tapered)


@measure(
    Scale("spec_m", "1", 0.0, 20.0, flat=10.0),
    Scale("spec_a1", "1", 0.0, 1.0, flat=0.0),
    Scale("spec_a2", "1", 0.0, 1.0, flat=0.0),
    Scale("spec_a3", "1", 0.0, 1.0, flat=0.2),
)
def spectrum_parameters(window: Window) -> tuple[float, float, float, float]:
    """SPEC: first moment M and the shares A1, A2, A3 of the amplitude spectrum around its peak frequency F.

    Barro et al., J Biomed Eng 11:320-328, 1989; as in Amann et al., BioMed Eng OnLine 4:60, 2005: amplitudes
    |Re| + |Im| of the Hamming-windowed signal from 0.5 Hz to 20 F, F having the largest between 0.5 and 9 Hz; those
    below 5 % of the largest count as zero. M is the mean frequency in units of F; A1 the share up to F/2, A2 of 0.7 F
    to 1.4 F, A3 of the bands of 0.6 Hz around 2 F to 8 F. VF is narrow: M near 1, A2 large.
    """
    frequency, transform = _transform(window)
    amplitude = np.abs(transform.real) + np.abs(transform.imag)
    search = np.flatnonzero((frequency >= 0.5) & (frequency <= 9.0))
    peak = search[np.argmax(amplitude[search])]
    centre = frequency[peak]
    used = (frequency >= 0.5) & (frequency <= 20 * centre) & (amplitude >= 0.05 * amplitude[peak])
    frequency, amplitude = frequency[used], amplitude[used]
    harmonic = np.round(frequency / centre)
    bands = (
        frequency <= centre / 2,
        (frequency >= 0.7 * centre) & (frequency <= 1.4 * centre),
        (harmonic >= 2) & (harmonic <= 8) & (np.abs(frequency - harmonic * centre) <= 0.3),
    )
    total = amplitude.sum()
    moment = ratio((amplitude * frequency).sum(), total * centre, otherwise=1.0)
    a1, a2, a3 = (ratio(amplitude[band].sum(), total, otherwise=0.0) for band in bands)
    return moment, a1, a2, a3


@measure(
    Scale("peak_frequency", "Hz", 0.0, NYQUIST_HZ, flat=0.0),
    Scale("centroid", "Hz", 0.0, NYQUIST_HZ, flat=16.0),
    Scale("bandwidth", "Hz", 0.0, NYQUIST_HZ, flat=10.0),
    Scale("spectral_entropy", "1", 0.0, 1.0, flat=0.9),
    Scale("qrs_share", "1", 0.0, 1.0, flat=0.6),
)
def spectral_shape(window: Window) -> tuple[float, float, float, float, float]:
    """Peak, mean and spread of the power spectrum in Hz, its entropy, and the share of power from 8 to 30 Hz.

    Location in the manner of Dzwonczyk, Brown, Werner, IEEE Trans Biomed Eng 37(6):640-646, 1990, with the mean beside
    the peak; entropy of the power over frequency divided by its largest possible value, Inouye et al.,
    Electroencephalogr Clin Neurophysiol 79:204-210, 1991. Steep QRS complexes hold power above 8 Hz, VF hardly any.
    """
    frequency, transform = _transform(window)
    power = transform.real**2 + transform.imag**2
    share = power / power.sum()
    centroid = float(share @ frequency)
    present = share[share > 0]
    return (
        float(frequency[np.argmax(share)]),
        centroid,
        math.sqrt(share @ (frequency - centroid) ** 2),
        float(-(present @ np.log(present)) / math.log(len(share))),
        float(share[(frequency >= 8.0) & (frequency <= 30.0)].sum()),
    )
