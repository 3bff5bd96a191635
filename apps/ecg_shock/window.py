"""Windows of one lead, as recorded: read from a file or an array, checked, and cut."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.config import LONGEST_S, SHORTEST_S
from apps.ecg_shock.verb_config import RecordingConfig
from shared.errors import InputError
from shared.formats.ecg import read_ecg
from shared.formats.recording import millivolts_per

__all__ = [
    "LONGEST_S",
    "MAX_RATE",
    "SHORTEST_S",
    "EcgWindow",
    "Source",
    "WindowGrid",
    "in_millivolts",
    "read_file",
    "read_window",
    "sampling_rate_of",
]

MAX_RATE = 50_000.0
"""Highest rate of a recording in Hz: no ECG recorder is faster, and resampling is exact enough up to there."""
Source = str | Path | npt.NDArray[np.generic] | Sequence[float]
"""Path of a WFDB record, EDF, CSV, NPY or NPZ file, or an array (samples,) of real numbers."""


@dataclass(frozen=True)
class WindowGrid:
    """Windows of one length that begin a fixed time apart: the same samples whether a file is cut or a stream comes in.

    Raises:
        InputError: a window is not 2-10 s long, or the step is under one sample.
    """

    sampling_rate: float
    """In Hz."""
    window_s: float
    """Length of each window."""
    step_s: float
    """From the beginning of a window to that of the next."""

    def __post_init__(self) -> None:
        for name in ("window_s", "step_s"):
            object.__setattr__(self, name, _seconds(name, getattr(self, name)))
        _check_length(self.window_s)
        if self.step_s * self.sampling_rate < 1 - 1e-9:  # else two windows may begin at the same sample
            raise InputError(f"step_s is {self.step_s:g}; windows must begin at least one sample apart.")

    @property
    def samples(self) -> int:
        """Length of each window in samples."""
        return round(self.window_s * self.sampling_rate)

    def start_s(self, number: int) -> float:
        """Where window `number`, counted from 0, begins, in seconds."""
        return number * self.step_s

    def first(self, number: int) -> int:
        """Its first sample. Each is rounded from its own time, so nothing adds up over hours."""
        return round(self.start_s(number) * self.sampling_rate)

    def end(self, number: int) -> int:
        """The sample after its last."""
        return self.first(number) + self.samples


@dataclass(frozen=True)
class EcgWindow:
    """One lead over one window, as recorded."""

    ecg: npt.NDArray[np.float32]
    """(samples,) in mV; NaN where a file marks samples as missing."""
    sampling_rate: float
    """In Hz."""
    start_s: float = 0.0
    """Where it begins in its record."""

    def __post_init__(self) -> None:
        if not self.sampling_rate <= MAX_RATE:
            raise InputError(f"The ECG was sampled at {self.sampling_rate:g} Hz; at most {MAX_RATE:g} Hz can be read.")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.ecg) / self.sampling_rate

    def check_length(self) -> None:
        """Raise InputError unless it is 2-10 s long, to the nearest sample."""
        _check_length(self.duration_s, tolerance_s=0.5 / self.sampling_rate + 1e-9)

    def check_fits(self, window_s: float) -> None:
        """Raise InputError where not even one window of that length fits."""
        if round(window_s * self.sampling_rate) > len(self.ecg):
            raise InputError(f"The recording has {self.duration_s:g} s here; a window of {window_s:g} s does not fit.")

    def cut(self, window_s: float, step_s: float) -> list[EcgWindow]:
        """The windows of `window_s` that begin `step_s` apart and fit; a shorter rest is left out.

        Raises:
            InputError: a window is not 2-10 s long, the step is under one sample, or not even one window fits.
        """
        grid = WindowGrid(self.sampling_rate, window_s, step_s)
        self.check_fits(window_s)
        fitting = itertools.takewhile(lambda number: grid.end(number) <= len(self.ecg), itertools.count())
        return [
            EcgWindow(
                self.ecg[grid.first(number) : grid.end(number)],
                self.sampling_rate,
                self.start_s + grid.start_s(number),
            )
            for number in fitting
        ]


def read_window(
    ecg: Source,
    sampling_rate: float | None = None,
    *,
    unit: str = "mV",
    lead: int | str = 0,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> EcgWindow:
    """Read one lead of a file or an array; the arguments are those of `ShockAdvisor.predict`. Any length is accepted.

    Raises:
        InputError: no rate, unknown unit or lead, NaN or infinity in an array, no such stretch, unreadable file, a rate
            or unit that contradicts the file's own, or an argument of the wrong kind.
    """
    rate = None if sampling_rate is None else sampling_rate_of(sampling_rate)
    start = _seconds("start_s", start_s)
    duration = None if duration_s is None else _seconds("duration_s", duration_s)
    _check_words(unit, lead)
    if isinstance(ecg, str | Path):
        # "mV" may just be the default: where a file carries a unit, that counts.
        stated = None if unit == "mV" else unit
        recording = read_ecg(ecg, sampling_rate=rate, unit=stated, lead=lead, start_s=start, duration_s=duration)
        return EcgWindow(recording.signal[:, 0], recording.sampling_rate, start)
    if lead != 0:
        raise InputError(f"An array holds one lead, and lead {lead!r} was asked for: pass that lead's samples.")
    return _from_array(ecg, rate, unit, start, duration)


def read_file(path: Path, config: RecordingConfig) -> EcgWindow:
    """The lead that a command asks for, from `start_s` on.

    Unlike in Python no unit is assumed: the file or the flag must say it.

    Raises:
        InputError: as `read_window`; also where nothing says the unit.
    """
    lead = int(config.lead) if config.lead.isdecimal() else config.lead
    recording = read_ecg(path, sampling_rate=config.sampling_rate, unit=config.unit, lead=lead, start_s=config.start_s)
    if config.unit is None and not recording.units:
        raise InputError(f"{path} does not say its unit: give --unit mV, uV or V.")
    return EcgWindow(recording.signal[:, 0], recording.sampling_rate, config.start_s)


def _check_length(seconds: float, tolerance_s: float = 1e-6) -> None:
    """Raise InputError unless a window of that length can be advised on."""
    if not SHORTEST_S - tolerance_s <= seconds <= LONGEST_S + tolerance_s:
        raise InputError(
            f"A window of {seconds:g} s was found; {SHORTEST_S:g} to {LONGEST_S:g} s are needed. Choose with start_s "
            "and duration_s, or let predict_record cut a longer recording."
        )


def sampling_rate_of(value: object) -> float:
    """A sampling rate as a number of Hz. Raises InputError unless it is a positive number."""
    rate = _finite(value)
    if rate is None or rate <= 0:
        raise InputError(f"sampling_rate is {value!r}; a positive number of Hz is needed.")
    return rate


def _seconds(name: str, value: object) -> float:
    """A time. Raises InputError unless it is a finite number."""
    seconds = _finite(value)
    if seconds is None:
        raise InputError(f"{name} is {value!r}; a number of seconds is needed.")
    return seconds


def _finite(value: object) -> float | None:
    """The value as a float; None where it is no finite real number. A truth value is none, nor is text."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _check_unit(unit: object) -> None:
    if not isinstance(unit, str):
        raise InputError(f"unit is {unit!r}; 'mV', 'uV' or 'V' is needed.")


def _check_words(unit: object, lead: object) -> None:
    """Raise InputError unless `unit` is text and `lead` a number from 0 or text."""
    _check_unit(unit)
    if isinstance(lead, str):
        return
    if isinstance(lead, bool) or not isinstance(lead, Integral) or int(lead) < 0:
        raise InputError(f"lead is {lead!r}; a whole number from 0 or a name is needed.")


def in_millivolts(ecg: npt.NDArray[np.generic] | Sequence[float], unit: str) -> npt.NDArray[np.float32]:
    """Samples of one lead in mV; a new array.

    Args:
        ecg: (samples,) finite real numbers, any number of them.
        unit: "mV", "uV" or "V".

    Raises:
        InputError: another shape or kind of values, NaN or infinity, or an unknown unit.
    """
    if np.ma.is_masked(ecg):
        raise InputError("The ECG is a masked array with masked samples: cut those samples out.")
    try:
        signal = np.asarray(ecg)
    except ValueError as error:  # lists of different lengths
        raise InputError(f"The ECG is no array of numbers: {error}. One lead of shape (samples,) is needed.") from error
    if signal.dtype.kind not in "fiu":
        raise InputError(f"The ECG is an array of {signal.dtype}; real numbers in {unit} are needed.")
    if signal.ndim != 1:
        raise InputError(f"The ECG has shape {signal.shape}; one lead of shape (samples,) is needed.")
    _check_unit(unit)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused
        millivolts: npt.NDArray[np.float32] = (signal * millivolts_per(unit, "The ECG")).astype(np.float32)
    if not np.isfinite(millivolts).all():
        raise InputError(
            "The ECG holds NaN or infinity: cut those samples out, or read the file, where they are known."
        )
    return millivolts


def _from_array(
    ecg: npt.NDArray[np.generic] | Sequence[float],
    sampling_rate: float | None,
    unit: str,
    start_s: float,
    duration_s: float | None,
) -> EcgWindow:
    """Check an array and cut the window out of it, from and to the nearest sample."""
    millivolts = in_millivolts(ecg, unit)
    if sampling_rate is None:
        raise InputError("An array does not say how fast it was sampled: give sampling_rate in Hz.")
    first = np.rint(start_s * sampling_rate)  # infinite where `start_s` is absurd
    end = len(millivolts) if duration_s is None else first + np.rint(duration_s * sampling_rate)
    if start_s < 0 or (duration_s is not None and duration_s <= 0) or not first <= end <= len(millivolts):
        wanted = "to the end" if duration_s is None else f"{duration_s:g} s long"
        total = len(millivolts) / sampling_rate
        raise InputError(f"The ECG lasts {total:g} s; there is no window from {start_s:g} s {wanted}.")
    return EcgWindow(millivolts[int(first) : int(end)], sampling_rate, start_s)
