"""Stretches of one rhythm as they were recorded, from which windows of any length, place and speed are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import SAMPLING_RATE, ShockWindows, bridge_missing, resample
from shared.progress import counted

__all__ = ["TOUCHING_S", "Cuttings", "Strips", "stretches", "strips_of"]

Rows = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]

TOUCHING_S = 1e-3
"""Windows of one record whose ends are this near follow one another."""


class Strips:
    """The windows of a set joined where one follows the other in the same record and rhythm.

    The signal is at 125 Hz in mV and not filtered, because whatever disturbs a recording comes before the filter.

    Args:
        windows: of a prepared set.
    """

    def __init__(self, windows: ShockWindows) -> None:
        self.n_leads = np.empty(len(windows), dtype=np.int64)
        self.begin, self.end = np.empty(len(windows)), np.empty(len(windows))
        self.stretch = np.empty(len(windows), dtype=np.int64)
        signals = []
        filled = 0
        for number, rows in enumerate(counted(list(stretches(windows, "rhythm")), "stretches of one rhythm")):
            signal, edges = _joined(windows, rows)
            self.n_leads[rows], self.stretch[rows] = len(signal), number
            self.begin[rows], self.end[rows] = filled + edges[:-1], filled + edges[1:]
            filled += signal.shape[1]
            signals.append(signal)
        self.signal = _side_by_side(signals)

    def within(self, rows: Rows, label: npt.NDArray[np.int64]) -> Cuttings:
        """The stretches that hold nothing but these rows, and of each only neighbours of one label.

        What is cut from them shows no window that is held out, unreadable or of another label.

        Args:
            rows: (n,) of the set, each once.
            label: (n,) what is learnt from each.
        """
        order = np.argsort(self.begin[rows])
        row, learnt = rows[order], label[order]
        touching = (self.begin[row[1:]] == self.end[row[:-1]]) & (self.stretch[row[1:]] == self.stretch[row[:-1]])
        run = np.concatenate([[0], np.cumsum(~(touching & (learnt[1:] == learnt[:-1])))])
        first = np.flatnonzero(np.diff(run, prepend=-1))
        last = np.append(first[1:], len(row)) - 1
        low, high = np.full(len(self.begin), np.nan), np.full(len(self.begin), np.nan)
        low[row], high[row] = self.begin[row[first]][run], self.end[row[last]][run]
        return Cuttings(self, low, high)


@dataclass(frozen=True)
class Cuttings:
    """Windows of any place, length and speed around the rows of a set that may be learnt from.

    A window of the set is only a place here: what is cut around it may begin earlier, last longer or run faster, as
    long as it stays inside its stretch; where the stretch is too short for it, the signal turns back at the ends.
    """

    strips: Strips
    low: FloatArray
    """(rows of the set,) where the stretch of each begins, in samples of the joined signal; NaN for other rows."""
    high: FloatArray
    """(rows of the set,) where it ends."""

    def cut(self, rows: Rows, samples: int, speed: FloatArray, lead: Rows, jitter: FloatArray) -> FloatArray:
        """Windows around rows.

        Args:
            rows: (n,) of the set, among those that may be learnt from.
            samples: length of each window at 125 Hz.
            speed: (n,) seconds of recording per second of window.
            lead: (n,) which lead, from 0.
            jitter: (n,) samples by which the window's middle is moved, as far as the stretch allows.

        Returns:
            (n, samples) mV, not filtered.
        """
        low, last = self.low[rows], self.high[rows] - 1
        span = speed * (samples - 1)
        middle = (self.strips.begin[rows] + self.strips.end[rows] - 1) / 2
        start = np.clip(middle - span / 2 + jitter, low, np.maximum(low, last - span))
        place = _turned_back(start[:, None] + np.arange(samples) * speed[:, None], low[:, None], last[:, None])
        before = place.astype(np.int64)
        share = place - before
        after = np.minimum(before + 1, self.strips.signal.shape[1] - 1)
        signal, lead = self.strips.signal, lead[:, None]
        return signal[lead, before] * (1 - share) + signal[lead, after] * share


def _turned_back(place: FloatArray, low: FloatArray, last: FloatArray) -> FloatArray:
    """Places beyond the last sample counted back from it, and forth again from the first."""
    length = last - low
    return low + length - np.abs((place - low) % (2 * length) - length)


def stretches(windows: ShockWindows, label: str) -> Iterator[list[int]]:
    """Rows of a set that follow one another in one record under one label, in the order of time.

    Args:
        windows: of a prepared set.
        label: column of its index in which the windows of a stretch are alike.
    """
    index = windows.index
    names = (index["db"], index["record"], index[label], index["sampling_rate"])
    kind = np.unique(
        np.array(["\0".join(map(str, values)) for values in zip(*names, strict=True)]), return_inverse=True
    )[1]
    stretch: list[int] = []
    end, last = np.inf, -1
    for row in np.lexsort([index["start_s"], kind]).tolist():
        start = float(index["start_s"][row])
        if stretch and (kind[row] != last or abs(start - end) > TOUCHING_S):
            yield stretch
            stretch = []
        stretch.append(row)
        end, last = start + windows.duration_s(row), kind[row]
    yield stretch


def _joined(windows: ShockWindows, rows: list[int]) -> tuple[npt.NDArray[np.float32], FloatArray]:
    """One stretch (leads, samples) at 125 Hz, and where its windows begin and end (len(rows) + 1,), in samples."""
    raw = [windows.prepared.read("ecg", row) for row in rows]
    n_leads = min(part.shape[1] for part in raw)
    rate = float(windows.index["sampling_rate"][rows[0]])
    leads = np.concatenate([part[:, :n_leads] for part in raw]).T.astype(np.float64)
    filled = [np.zeros_like(lead) if np.isnan(lead).all() else bridge_missing(lead) for lead in leads]
    signal = np.stack([resample(lead, rate) for lead in filled]).astype(np.float32)
    edges = np.cumsum([0, *(len(part) for part in raw)]) * SAMPLING_RATE / rate
    return signal, edges


def _side_by_side(stretches: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """(most leads, all samples); a stretch with fewer leads repeats its first."""
    most = max(len(signal) for signal in stretches)
    full = [np.concatenate([signal, np.repeat(signal[:1], most - len(signal), axis=0)]) for signal in stretches]
    return np.concatenate(full, axis=1)


@lru_cache(maxsize=2)
def strips_of(windows: ShockWindows) -> Strips:
    """The strips of a set, made once in a process."""
    return Strips(windows)
