"""Stretches of one rhythm as they were recorded, from which windows of any length, place and speed are cut."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import SAMPLING_RATE, ShockWindows, bridge_missing, resample
from shared.progress import counted

__all__ = ["Strips", "strips_of"]

Rows = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]

TOUCHING_S = 1e-3
"""Windows of one record and rhythm whose ends are this near follow one another."""


class Strips:
    """The windows of a set joined where one follows the other in the same record and rhythm.

    A window of the set is then only a place: what is cut around it may begin earlier, last longer or run faster, as
    long as it stays inside the stretch. The signal is at 125 Hz in mV and not filtered, because whatever disturbs a
    recording comes before the filter.

    Args:
        windows: of a prepared set.
    """

    def __init__(self, windows: ShockWindows) -> None:
        self.n_leads = np.empty(len(windows), dtype=np.int64)
        self._middle, self._low, self._high = (np.empty(len(windows)) for _ in range(3))
        stretches = []
        filled = 0
        for rows in counted(list(_stretches(windows)), "stretches of one rhythm"):
            signal, edges = _joined(windows, rows)
            self.n_leads[rows] = len(signal)
            self._middle[rows] = filled + (edges[1:] + edges[:-1] - 1) / 2
            self._low[rows], self._high[rows] = filled, filled + signal.shape[1]
            filled += signal.shape[1]
            stretches.append(signal)
        self._signal = _side_by_side(stretches)

    def cut(self, rows: Rows, samples: int, speed: FloatArray, lead: Rows, jitter: FloatArray) -> FloatArray:
        """Windows around rows of the set.

        Args:
            rows: (n,) of the set.
            samples: length of each window at 125 Hz.
            speed: (n,) seconds of recording per second of window; lowered where the stretch is too short for it.
            lead: (n,) which lead, from 0.
            jitter: (n,) samples by which the window's middle is moved, as far as the stretch allows.

        Returns:
            (n, samples) mV, not filtered.
        """
        low, high = self._low[rows], self._high[rows]
        step = np.minimum(speed, (high - low - 1) / (samples - 1))
        length = step * (samples - 1)
        start = np.clip(self._middle[rows] - length / 2 + jitter, low, high - 1 - length)
        place = start[:, None] + np.arange(samples) * step[:, None]
        before = place.astype(np.int64)
        share = place - before
        after = np.minimum(before + 1, self._signal.shape[1] - 1)
        lead = lead[:, None]
        return self._signal[lead, before] * (1 - share) + self._signal[lead, after] * share


def _stretches(windows: ShockWindows) -> Iterator[list[int]]:
    """Rows of the set that follow one another in one record and rhythm, in the order of time."""
    index = windows.index
    names = (index["db"], index["record"], index["rhythm"], index["sampling_rate"])
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
