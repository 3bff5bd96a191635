"""Faults of the signal for which no rhythm can be read: each is a stated rule with a stated limit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.ecg_shock.data import MAX_MISSING

__all__ = ["FLAT_MV", "fault"]

FLAT_MV = 0.01
"""Peak to peak of a dead line. Asystole keeps the noise of electrodes and amplifier, about 0.02 mV and more."""
STILL_S = 2.0
"""A part of the window that is as dead for so long, or for half of a shorter window than 4 s, is a lost electrode."""
LARGEST_MV = 100.0
"""No surface ECG, and no polarisation of its electrodes after removing the mean, is larger."""
JUMP_MV = 10.0
"""Between the levels (medians) of two seconds of one window; wander and slipping electrodes stay under it."""
CLIPPED = 0.25
"""Share of samples that stand in runs at the window's largest or smallest value."""
CLIPPED_RUN = 3
"""Samples in a row at the extreme that make a run: a steep beat touches its own peak once or twice."""

Samples = npt.NDArray[np.floating]


def fault(ecg: Samples, sampling_rate: float) -> str | None:
    """Say why a window cannot be judged, or None where it can.

    Args:
        ecg: (samples,) one lead in mV as recorded, before any filter; NaN marks missing samples.
        sampling_rate: in Hz.

    Returns:
        "missing: ...", "flat: ...", "out of range: ...", "lead off: ..." or "clipped: ..." with what was found.
    """
    missing = np.isnan(ecg)
    if missing.mean() > MAX_MISSING:
        return f"missing: {missing.mean():.0%} of the samples are missing (at most {MAX_MISSING:.0%} can be bridged)"
    present = ecg[~missing]
    swing = float(np.ptp(present))
    if swing < FLAT_MV:
        return f"flat: the line moves {swing * 1000:.1f} uV in all (electrodes off?)"
    if swing > LARGEST_MV:
        return f"out of range: {swing:.0f} mV peak to peak is more than any surface ECG (unit or gain?)"
    still = _still_samples(present, sampling_rate) / sampling_rate
    if still:
        return f"lead off: the line stands still for {still:.1f} of {len(ecg) / sampling_rate:.1f} s"
    jump = float(np.ptp(_levels(present, sampling_rate)))
    if jump > JUMP_MV:
        return f"lead off: the line lies {jump:.0f} mV apart in two parts of the window"
    clipped = _clipped_share(present)
    if clipped > CLIPPED:
        return f"clipped: {clipped:.0%} of the samples stand at the end of the range"
    return None


def _still_samples(ecg: Samples, sampling_rate: float) -> int:
    """Length of the longest stretch that moves by less than `FLAT_MV`; 0 where none is as long as it must be."""
    least = min(round(STILL_S * sampling_rate), len(ecg) // 2)
    swing = ndimage.maximum_filter1d(ecg, least) - ndimage.minimum_filter1d(ecg, least)
    whole = swing[least // 2 : least // 2 + len(ecg) - least + 1]  # the filters also look beyond both ends
    longest = int(_run_lengths(whole < FLAT_MV).max(initial=0))
    return longest + least - 1 if longest else 0


def _levels(ecg: Samples, sampling_rate: float) -> Samples:
    """Medians of the full seconds, of which a window has two at least."""
    second = min(round(sampling_rate), len(ecg))
    seconds = len(ecg) // second
    levels: Samples = np.median(ecg[: seconds * second].reshape(seconds, second), axis=1)
    return levels


def _run_lengths(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Lengths of the runs of True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges[1::2] - edges[::2]


def _clipped_share(ecg: Samples) -> float:
    runs = np.concatenate([_run_lengths(ecg == ecg.max()), _run_lengths(ecg == ecg.min())])
    return float(runs[runs >= CLIPPED_RUN].sum() / len(ecg))
