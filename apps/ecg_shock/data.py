"""From a prepared set to windows the network can read; `preprocess` is the one function that all verbs share."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import signal

from shared.errors import InputError
from shared.prepared import PreparedSet
from shared.table import Table, n_rows, require

__all__ = [
    "MAX_MISSING",
    "NOISE_CLASS",
    "SAMPLING_RATE",
    "ShockWindows",
    "band_pass",
    "band_pass_sections",
    "bridge_missing",
    "has_verdict",
    "preprocess",
    "readable",
    "resample",
    "training_rows",
]

Samples = npt.NDArray[np.floating]

SAMPLING_RATE = 125
"""Samples per second of every preprocessed window; 125 Hz as in Krasteva et al. 2020."""
BAND_HZ = (0.5, 30.0)
"""Pass band: below lies baseline wander, above mains and most muscle noise."""
MIN_RATE = 75.0
"""Lowest rate of a recording in Hz: below 2.5 times the band's upper edge the waveform is not there any more."""
MAX_MISSING = 0.1
"""Largest share of missing samples in a window that is bridged."""
NOISE_CLASS = "X_NOISE"
"""Class of windows that a reader marked as noise; they have no verdict."""


def preprocess(ecg: Samples, sampling_rate: float) -> npt.NDArray[np.float32]:
    """Bridge gaps, resample to 125 Hz, band-pass causally; the size stays in mV.

    The filter runs forward only (Butterworth, order 2, 0.5-30 Hz) and starts as if the first sample had stood for ever,
    so that a window cut out of a record has no start-up swing. Nothing is normalised: the border between fine
    ventricular fibrillation and asystole is a size, 0.2 mV.

    Args:
        ecg: (samples,) one lead in mV; NaN marks missing samples.
        sampling_rate: in Hz, 75 or more.

    Returns:
        (round(samples * 125 / sampling_rate),) float32 in mV. The input is not changed.

    Raises:
        InputError: the rate is too low, or every sample is missing.
    """
    if not sampling_rate >= MIN_RATE:
        raise InputError(
            f"The ECG was sampled at {sampling_rate:g} Hz; at least {MIN_RATE:g} Hz are needed to hold the band up to "
            f"{BAND_HZ[1]:g} Hz."
        )
    filtered = band_pass(resample(bridge_missing(np.asarray(ecg, dtype=np.float64)), sampling_rate))
    return filtered[: round(len(ecg) * SAMPLING_RATE / sampling_rate)].astype(np.float32)


def readable(ecg: Samples, sampling_rate: float) -> npt.NDArray[np.float32]:
    """`preprocess`, with a flat line where every sample is missing; that such a line is none, `fault` tells apart."""
    return preprocess(np.zeros_like(ecg) if np.isnan(ecg).all() else ecg, sampling_rate)


def resample(ecg: npt.NDArray[np.float64], sampling_rate: float) -> npt.NDArray[np.float64]:
    """(samples,) at `sampling_rate` to (ceil(samples * 125 / sampling_rate),) at 125 Hz, without what is faster."""
    ratio = Fraction(SAMPLING_RATE / sampling_rate).limit_denominator(10_000)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return ecg.copy()
    taps = _anti_alias(max(up, down))
    # The stubs do not know that a window may be the filter itself.
    resampled: npt.NDArray[np.float64] = signal.resample_poly(ecg, up, down, window=taps, padtype="line")  # type: ignore[call-overload]
    return resampled


@lru_cache(maxsize=16)
def _anti_alias(factor: int) -> npt.NDArray[np.float64]:
    """The low-pass that `resample_poly` would design anew for every window."""
    taps: npt.NDArray[np.float64] = signal.firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0))
    return taps


def band_pass(ecg: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """0.5-30 Hz of (..., samples) at 125 Hz, causally, each row as if its first sample had stood for ever."""
    sections, resting = band_pass_sections()
    start = np.moveaxis(np.multiply.outer(resting, ecg[..., 0]), 1, -1)
    filtered: npt.NDArray[np.float64] = signal.sosfilt(sections, ecg, zi=start)[0]
    return filtered


@cache
def band_pass_sections() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The filter as second-order sections (sections, 6), and its state after a long constant input of 1."""
    sections = signal.butter(2, BAND_HZ, "bandpass", fs=SAMPLING_RATE, output="sos")
    return sections, signal.sosfilt_zi(sections)


def bridge_missing(ecg: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Replace NaN by a straight line between its neighbours, at the ends by the nearest sample.

    Raises InputError where every sample is missing.
    """
    missing = np.isnan(ecg)
    if not missing.any():
        return ecg
    if missing.all():
        raise InputError("Every sample of the window is missing: there is no ECG to read.")
    bridged = ecg.copy()
    bridged[missing] = np.interp(np.flatnonzero(missing), np.flatnonzero(~missing), ecg[~missing])
    return bridged


class ShockWindows:
    """The windows of a prepared set, preprocessed when they are first asked for and kept.

    Args:
        prepared: a set with the ragged field "ecg" (samples, leads) in mV.
    """

    def __init__(self, prepared: PreparedSet) -> None:
        require(prepared.index, "item", "patient", "sampling_rate", "cls", "target")
        self.prepared = prepared
        self.index = _with_optional_columns(prepared.index)
        self._kept: dict[tuple[int, int], npt.NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self.prepared)

    def raw(self, row: int, lead: int = 0) -> npt.NDArray[np.float32]:
        """(samples,) of one lead in mV at the recording's own rate, NaN where missing."""
        return self.prepared.read("ecg", row)[:, lead]

    def duration_s(self, row: int) -> float:
        """Length of a window in seconds."""
        return len(self.prepared.read("ecg", row)) / float(self.index["sampling_rate"][row])

    def read(self, row: int, lead: int = 0) -> npt.NDArray[np.float32]:
        """(samples,) of one lead, preprocessed, at 125 Hz in mV; all zero where every sample is missing."""
        key = (int(row), lead)
        if key not in self._kept:
            self._kept[key] = readable(self.raw(row, lead), float(self.index["sampling_rate"][row]))
        return self._kept[key]

    def stack(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """(rows, 1, samples) of the first lead, cut to the shortest window among them."""
        windows = [self.read(row) for row in rows]
        samples = min(len(window) for window in windows)
        return np.stack([window[:samples] for window in windows])[:, None]


def _with_optional_columns(index: Table) -> Table:
    """The index with what a report shows filled in where a set does not say it: nothing but labels and places."""
    nothing = np.full(n_rows(index), "", dtype=object)
    start = np.zeros(n_rows(index))
    stated = {"db": nothing, "record": index["patient"], "rhythm": index["cls"], "reader2": nothing, "start_s": start}
    return {**stated, **index}


@lru_cache(maxsize=2)
def _open_windows(folder: Path, manifest_hash: str) -> ShockWindows:
    del manifest_hash  # only there to tell a set that was prepared anew from the one before
    return ShockWindows(PreparedSet(folder))


def windows_of(prepared: PreparedSet) -> ShockWindows:
    """The windows of a set; every fold and seed of one process shares what has been preprocessed."""
    return _open_windows(prepared.folder, prepared.manifest_hash)


def training_rows(
    windows: ShockWindows, rows: npt.NDArray[np.integer], irregular_vt: bool
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.int64]]:
    """The rows a network may learn from, with their labels (1 shock, 0 no shock).

    Irregular rhythms under a VT label (class S_VTVF) are mostly unmarked VF: with `irregular_vt` they are learnt as
    shock although no score counts them. Unverified, intermediate and unreadable classes are left out.
    """
    target = windows.index["target"][rows].astype(np.int64)
    if irregular_vt:
        target = np.where(windows.index["cls"][rows] == "S_VTVF", 1, target)
    return rows[target >= 0], target[target >= 0]


def has_verdict(target: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Where a row counts in sensitivity and specificity: its class has a verdict (target 0 or 1)."""
    return np.asarray(target, dtype=np.int64) >= 0
