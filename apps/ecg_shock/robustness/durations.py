"""Windows of other lengths than a prepared set holds: the first seconds of its windows, or two of them joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import ShockWindows
from apps.ecg_shock.training.strips import TOUCHING_S, stretches
from apps.ecg_shock.window import EcgWindow

__all__ = ["Excerpts", "excerpts"]

Rows = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Excerpts:
    """Windows of one length, cut out of the windows of a set."""

    windows: ShockWindows
    seconds: float
    """Length of each."""
    rows: Rows
    """(n,) row of the set in which each begins."""
    following: Rows | None
    """(n,) row that is joined to it; None where one window of the set is long enough."""

    def __len__(self) -> int:
        return len(self.rows)

    def lie_in(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """(n,) which of them lie in these rows of the set with all their parts."""
        inside = np.isin(self.rows, rows)
        return inside if self.following is None else inside & np.isin(self.following, rows)

    def inside(self, rows: Rows) -> Self:
        """Those that lie in these rows of the set."""
        kept = self.lie_in(rows)
        return replace(self, rows=self.rows[kept], following=None if self.following is None else self.following[kept])

    def read(self) -> Iterator[EcgWindow]:
        """Each as recorded, one after the other."""
        index = self.windows.index
        parts = [self.rows] if self.following is None else [self.rows, self.following]
        for joined in np.stack(parts, axis=1).tolist():
            rate = float(index["sampling_rate"][joined[0]])
            ecg = np.concatenate([self.windows.raw(row) for row in joined])[: round(self.seconds * rate)]
            yield EcgWindow(ecg, rate, float(index["start_s"][joined[0]]))


def excerpts(windows: ShockWindows, seconds: float) -> Excerpts:
    """All windows of a length that a set can give: from each of its windows the first seconds, or else from each pair.

    A pair are two windows of one record and one class of which the second begins where the first ends; no window is in
    two pairs. Windows and pairs that are too short are left out.

    Args:
        windows: of a prepared set.
        seconds: length of the windows.
    """
    duration = _durations(windows)
    if len(duration) and seconds <= np.median(duration) + TOUCHING_S:
        return Excerpts(windows, seconds, np.flatnonzero(duration >= seconds - TOUCHING_S), None)
    pairs = np.array([pair for pair in sorted(_pairs(windows)) if duration[list(pair)].sum() >= seconds - TOUCHING_S])
    first, second = pairs.reshape(-1, 2).astype(np.int64).T
    return Excerpts(windows, seconds, first, second)


@lru_cache(maxsize=2)
def _durations(windows: ShockWindows) -> npt.NDArray[np.float64]:
    """(windows,) in seconds."""
    return np.array([windows.duration_s(row) for row in range(len(windows))])


def _pairs(windows: ShockWindows) -> Iterator[tuple[int, int]]:
    """Rows of windows that follow one another, each in one pair at most."""
    for stretch in stretches(windows, "cls"):
        yield from zip(stretch[:-1:2], stretch[1::2], strict=True)
