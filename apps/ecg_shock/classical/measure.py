"""What a feature of one ECG window is: named numbers with a unit, a range, and a stated answer for a flat line.

The functions in `threshold_counts`, `spectrum`, `complexity` and `waveform` are each wrapped by `@measure(...)`, which
says what their numbers mean and keeps them finite where there is no signal to measure.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import SAMPLING_RATE

__all__ = ["RESOLUTION_MV", "Measure", "Scale", "Window", "measure", "ratio", "segments"]

RESOLUTION_MV = 1e-3
"""What moves by less than this is flat: ECG recorders resolve 2.5 to 5 uV, the rest is rounding."""

Window = npt.NDArray[np.float64]
"""One preprocessed ECG window: (samples,) in mV at `SAMPLING_RATE`, finite, 2 to 10 s."""


@dataclass(frozen=True)
class Scale:
    """What the values of one feature mean."""

    name: str
    """Key in `FEATURES`."""
    unit: str
    """"1" for a pure number."""
    low: float
    """Smallest possible value; `-math.inf` where there is no bound."""
    high: float
    """Largest possible value; `math.inf` where there is no bound."""
    flat: float
    """Answer for a flat window: about what one tick of the converter on a still line gives, far from fibrillation."""


class Measure:
    """A function of a window that answers one or several features.

    Attributes:
        scales: one `Scale` per number, in the order in which they are returned.
    """

    def __init__(self, function: Callable[[Window], tuple[float, ...]], scales: tuple[Scale, ...]) -> None:
        functools.update_wrapper(self, function)
        self.scales = scales
        self._function = function

    def __call__(self, window: Window) -> tuple[float, ...]:
        """The features of `window` in the order of `scales`; always finite for a finite window."""
        if np.ptp(window) < RESOLUTION_MV:
            return tuple(scale.flat for scale in self.scales)
        return self._function(window)

    def alone(self, position: int) -> Callable[[Window], float]:
        """The function that answers only the feature at `position` of `scales`."""

        def feature(window: Window) -> float:
            return self(window)[position]

        feature.__name__ = self.scales[position].name
        feature.__doc__ = self.__doc__
        return feature


def measure(*scales: Scale) -> Callable[[Callable[[Window], tuple[float, ...]]], Measure]:
    """Decorator: the function below returns the features described by `scales`, in that order."""
    return lambda function: Measure(function, scales)


def ratio(numerator: float, denominator: float, otherwise: float) -> float:
    """The quotient, or `otherwise` where the denominator is zero."""
    return float(numerator / denominator) if denominator else otherwise


def segments(window: Window, seconds: int) -> npt.NDArray[np.float64]:
    """Pieces of a window, one beginning at each full second; flat pieces are zero, so that no rounding is scaled up.

    Args:
        window: (samples,).
        seconds: length of a piece; a window shorter than that is its own only piece.

    Returns:
        (pieces, samples per piece), a copy.
    """
    length = min(seconds * SAMPLING_RATE, len(window))
    pieces = np.lib.stride_tricks.sliding_window_view(window, length)[::SAMPLING_RATE]
    return np.where(np.ptp(pieces, axis=1, keepdims=True) < RESOLUTION_MV, 0.0, pieces)
