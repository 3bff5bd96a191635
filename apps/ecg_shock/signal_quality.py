"""Faults of the signal for which no rhythm can be read: each is a stated rule with a stated limit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import MAX_MISSING

__all__ = ["fault"]

FLAT_MV = 0.01
"""Peak to peak of a dead line. Asystole keeps the noise of electrodes and amplifier, about 0.02 mV and more."""
CONSTANT_S = 2.0
"""A stretch of exactly equal samples this long is a lost electrode or a stopped converter, not a heart."""
CLIPPED = 0.25
"""Share of samples that stand in runs at the window's largest or smallest value."""
CLIPPED_RUN = 3
"""Samples in a row at the extreme that make a run: a steep beat touches its own peak once or twice."""
LARGEST_MV = 100.0
"""No surface ECG, and no polarisation of its electrodes after removing the mean, is larger."""


def fault(ecg: npt.NDArray[np.floating], sampling_rate: float) -> str | None:
    """Say why a window cannot be judged, or None where it can.

    Args:
        ecg: (samples,) one lead in mV as recorded, before any filter; NaN marks missing samples.
        sampling_rate: in Hz.

    Returns:
        "missing: ...", "flat: ...", "clipped: ..." or "out of range: ..." with what was found.
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
    longest = _longest_run(np.diff(present) == 0) / sampling_rate
    if longest >= CONSTANT_S:
        return f"flat: the line stands still for {longest:.1f} s (electrodes off?)"
    clipped = _clipped_share(present)
    if clipped > CLIPPED:
        return f"clipped: {clipped:.0%} of the samples stand at the end of the range"
    return None


def _run_lengths(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Lengths of the runs of True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges[1::2] - edges[::2]


def _longest_run(mask: npt.NDArray[np.bool_]) -> int:
    return int(_run_lengths(mask).max(initial=0))


def _clipped_share(ecg: npt.NDArray[np.floating]) -> float:
    runs = np.concatenate([_run_lengths(ecg == ecg.max()), _run_lengths(ecg == ecg.min())])
    return float(runs[runs >= CLIPPED_RUN].sum() / len(ecg))
