"""Numbers as a network reads them: on a log scale, standardised, with a flag where they are missing; or in bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.ctr_prediction.features.columns import Texts

__all__ = ["NumberScale", "ScaleFit", "in_bins", "in_steps"]

FloatArray = npt.NDArray[np.float64]

_RATIO = 10 ** (1 / 12)
"""Of one step to the next: whole numbers up to 5 have steps of their own, and a decade has twelve."""
_FIRST, _LAST = -48, 144
"""Powers of the ratio that the scale begins and ends with: 0.0001 and 10^12."""


def _log(numbers: FloatArray) -> FloatArray:
    return np.sign(numbers) * np.log1p(np.abs(numbers))


@dataclass(frozen=True)
class NumberScale:
    """z = sign(x) log1p|x|, kept within the range of the training rows, less their mean, by their deviation.

    A number far outside what was seen says no more than the largest one seen; without that limit one typing error
    moves a logit anywhere.
    """

    mean: float = 0.0
    deviation: float = 1.0
    low: float = 0.0
    high: float = 0.0
    has_missing: bool = False
    """Whether the training rows taught what a missing number means; if not, it passes for a mean one."""

    def __call__(self, numbers: FloatArray) -> npt.NDArray[np.float32]:
        """(rows,) with NaN where missing -> (rows, 2): the scaled number, 0 where missing, and the flag."""
        missing = np.isnan(numbers)
        z = (np.clip(_log(numbers), self.low, self.high) - self.mean) / self.deviation
        flag = missing if self.has_missing else np.zeros(len(numbers))
        return np.stack([np.where(missing, 0.0, z), flag], axis=1).astype(np.float32)


class ScaleFit:
    """Gathers the moments of a stream by the pairwise update of Chan, Golub and LeVeque (1983)."""

    def __init__(self) -> None:
        self._n, self._mean, self._squares = 0, 0.0, 0.0
        self._low, self._high, self._missing = np.inf, -np.inf, False

    def add(self, numbers: FloatArray) -> None:
        """Take (rows,) numbers, NaN where missing."""
        there = ~np.isnan(numbers)
        self._missing |= not there.all()
        z = _log(numbers[there])
        if not len(z):
            return
        n, mean = self._n + len(z), float(z.mean())
        step = mean - self._mean
        self._squares += float(np.square(z - mean).sum()) + step**2 * self._n * len(z) / n
        self._mean += step * len(z) / n
        self._n, self._low, self._high = n, min(self._low, float(z.min())), max(self._high, float(z.max()))

    def scale(self) -> NumberScale:
        """What was learnt; a number that was never there, or never moved, has deviation 1."""
        if not self._n:
            return NumberScale(has_missing=self._missing)
        deviation = float(np.sqrt(self._squares / self._n)) if self._high > self._low else 0.0
        return NumberScale(self._mean, deviation or 1.0, self._low, self._high, self._missing)


def in_bins(numbers: FloatArray, edges: tuple[float, ...]) -> Texts:
    """Each number as the text of its bin: the number of edges at or below it; missing where it is NaN."""
    names = pa.array([*map(str, range(len(edges) + 1)), None], pa.large_string())
    bins = np.searchsorted(np.asarray(edges), numbers, side="right")
    return Texts(names, np.where(np.isnan(numbers), len(edges) + 1, bins).astype(np.int64))


def in_steps(numbers: FloatArray) -> Texts:
    """Each number as the text of its step, sign(x) times the power of 10^(1/12) nearest |x|; missing where it is NaN.

    The scale is fixed, so that a stream can be read once; 0 and all below 0.0001 are one step.
    """
    size = np.abs(np.nan_to_num(numbers))
    with np.errstate(divide="ignore"):
        power = np.clip(np.rint(np.log(size) / np.log(_RATIO)), _FIRST - 1, _LAST)
    step = np.where(numbers < 0, -1, 1) * (power - _FIRST + 1)
    names, codes = np.unique(np.where(np.isnan(numbers), np.nan, step), return_inverse=True)
    texts = pa.array([None if np.isnan(name) else str(int(name)) for name in names], pa.large_string())
    return Texts(texts, codes.ravel().astype(np.int64))
