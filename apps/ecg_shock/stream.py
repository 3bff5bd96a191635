"""Advice while the signal comes in: samples are pushed as a recorder delivers them, windows advised on as they fill.

A stream keeps raw samples and nothing that a filter remembers. Each window goes the way that `ShockAdvisor.predict`
goes, alone, so an answer does not depend on how the samples were cut into pushes, and equals that of `predict`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.window import EcgWindow, WindowGrid, in_millivolts, sampling_rate_of
from shared.errors import InputError

if TYPE_CHECKING:
    from apps.ecg_shock.predict import Advice, ShockAdvisor, ShockDecision

__all__ = ["AdviceChange", "ShockStream", "StandingAdvice"]

StandingAdvice = Literal["shock", "no shock"]
KEPT_CHANGES = 1000
"""Newest changes of advice that a stream remembers: it may run for days."""


@dataclass(frozen=True)
class AdviceChange:
    """A moment at which the standing advice became another."""

    advice: StandingAdvice | None
    """What it became; None where it was taken back."""
    at_s: float
    """Time of the newest sample used, in seconds from the stream's first."""
    time_to_advice_s: float | None
    """Signal that it took: from the beginning of the first of the windows that agree to `at_s`; None with no advice."""


class ShockStream:
    """One lead of ECG as it comes in; made by `ShockAdvisor.stream`. Not for several threads at once."""

    def __init__(
        self, advisor: ShockAdvisor, sampling_rate: float, window_s: float, step_s: float, confirm: int, unit: str
    ) -> None:
        """Start with no samples; the arguments are those of `ShockAdvisor.stream`.

        Raises:
            InputError: an argument of the wrong kind or size.
        """
        self._advisor, self._confirm, self._unit = advisor, _whole_number("confirm", confirm), unit
        self._grid = WindowGrid(sampling_rate_of(sampling_rate), window_s, step_s)
        in_millivolts([], unit)
        # Whatever else cannot be advised on is refused now, and not when the first window is full.
        advisor.advise([EcgWindow(np.zeros(self._grid.samples, np.float32), self._grid.sampling_rate)])
        self.reset()

    def reset(self) -> None:
        """Forget everything that was pushed: the next sample is the stream's first."""
        self._kept: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        self._kept_from = 0
        self._next_window = 0
        self._recent: deque[Advice] = deque(maxlen=self._confirm)
        self._changes: deque[AdviceChange] = deque(maxlen=KEPT_CHANGES)

    @property
    def advice(self) -> StandingAdvice | None:
        """What the last `confirm` windows all say; None where they differ, are undecided, or are not there yet."""
        if len(self._recent) < self._confirm or len(set(self._recent)) > 1:
            return None
        newest = self._recent[-1]
        return None if newest == "undecided" else newest

    @property
    def changes(self) -> tuple[AdviceChange, ...]:
        """Every change of the standing advice in the order of time, the newest 1000."""
        return tuple(self._changes)

    def push(self, samples: npt.NDArray[np.generic] | Sequence[float]) -> list[ShockDecision]:
        """Take the next samples, and advise on every window that they complete.

        Args:
            samples: (samples,) finite real numbers in the stream's unit, any number of them, also none.

        Returns:
            One decision for each window completed, in the order of time; `start_s` counts from the stream's first
            sample.

        Raises:
            InputError: not such an array; the stream stays as it was.
        """
        return self.take(in_millivolts(samples, self._unit))

    def take(self, ecg: npt.NDArray[np.float32]) -> list[ShockDecision]:
        """`push` for samples as a reader of files gives them.

        Args:
            ecg: (samples,) in mV; NaN marks missing samples, of which a window bears some.
        """
        signal, offset = np.concatenate([self._kept, ecg]), self._kept_from
        received = offset + len(signal)
        decisions = []
        number = self._next_window
        while self._grid.end(number) <= received:
            window = signal[self._grid.first(number) - offset : self._grid.end(number) - offset]
            decisions += self._advisor.advise([EcgWindow(window, self._grid.sampling_rate, self._grid.start_s(number))])
            number += 1
        self._kept_from = min(self._grid.first(number), received)
        self._kept = signal[self._kept_from - offset :].copy()  # a view would hold all that was ever pushed at once
        for decision in decisions:
            self._note(decision)
        return decisions

    def _note(self, decision: ShockDecision) -> None:
        """Follow the standing advice over one more window."""
        before = self.advice
        self._recent.append(decision.advice)
        at_s = self._grid.end(self._next_window) / self._grid.sampling_rate
        first_s = self._grid.start_s(self._next_window - self._confirm + 1)
        self._next_window += 1
        if self.advice != before:
            self._changes.append(AdviceChange(self.advice, at_s, at_s - first_s if self.advice else None))


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise InputError(f"{name} is {value!r}; a whole number of windows, 1 or more, is needed.")
    return int(value)
