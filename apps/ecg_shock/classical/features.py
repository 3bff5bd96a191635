"""The 32 features of a window, by name and as one vector: the field's detectors of VF, and what describes its shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.classical.complexity import hilbert_boxes, lempel_ziv_complexity, phase_space_boxes, sample_entropy
from apps.ecg_shock.classical.measure import Scale, Window
from apps.ecg_shock.classical.spectrum import spectral_shape, spectrum_parameters, vf_filter_leakage
from apps.ecg_shock.classical.threshold_counts import (
    band_counts,
    mean_absolute_value,
    threshold_crossing_interval,
    threshold_crossing_samples,
)
from apps.ecg_shock.classical.waveform import amplitude, periodicity, slope
from apps.ecg_shock.data import SAMPLING_RATE
from shared.errors import InputError
from shared.progress import counted

__all__ = ["FEATURES", "SCALES", "features", "features_of"]

MEASURES = (
    threshold_crossing_interval,
    threshold_crossing_samples,
    mean_absolute_value,
    band_counts,
    vf_filter_leakage,
    spectrum_parameters,
    phase_space_boxes,
    hilbert_boxes,
    lempel_ziv_complexity,
    sample_entropy,
    spectral_shape,
    amplitude,
    slope,
    periodicity,
)

SCALES: dict[str, Scale] = {scale.name: scale for measure in MEASURES for scale in measure.scales}
"""Feature -> unit, range and answer for a flat window, in the order of the vector."""

FEATURES: dict[str, Callable[[Window], float]] = {
    scale.name: measure.alone(position) for measure in MEASURES for position, scale in enumerate(measure.scales)
}
"""Feature -> function of one preprocessed window, in the order of the vector; `help` of each tells its source."""

SHORTEST = 2 * SAMPLING_RATE
LONGEST = 10 * SAMPLING_RATE


def features(window: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """All features of one window.

    Args:
        window: (samples,) preprocessed ECG in mV at 125 Hz, 2 to 10 s.

    Returns:
        (32,) float64 in the order of `FEATURES`, always finite.

    Raises:
        InputError: another shape or length, or values that are not finite.
    """
    signal = np.asarray(window, dtype=np.float64)
    if signal.ndim != 1 or not SHORTEST <= len(signal) <= LONGEST:
        raise InputError(
            f"Features need one window (samples,) of {SHORTEST} to {LONGEST} samples, 2 to 10 s at {SAMPLING_RATE} Hz; "
            f"found the shape {signal.shape}. Preprocess one lead and cut it first."
        )
    if not np.isfinite(signal).all():
        raise InputError("The window holds NaN or infinite samples; preprocess it first, which bridges missing ones.")
    return np.array([value for measure in MEASURES for value in measure(signal)])


def features_of(windows: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.float64]:
    """All features of many windows, one after the other, with a bar on the terminal.

    Args:
        windows: (N, samples), or N windows that may differ in length; each as `features` takes it.

    Returns:
        (N, 32) float64; the columns are `FEATURES`.

    Raises:
        InputError: as `features`.
    """
    table = np.empty((len(windows), len(FEATURES)))
    for row, window in enumerate(counted(windows, "features")):
        table[row] = features(window)
    return table
