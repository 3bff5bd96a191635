"""A piece of a recording in millivolts: what every reader of this package returns, and the checks they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.errors import InputError, did_you_mean

__all__ = ["Recording", "is_voltage", "lead_numbers", "millivolts_per", "refuse_other_unit", "sample_range"]

_NAMES_OF_UNITS = {
    1e3: ("v", "volt", "volts"),
    1.0: ("mv", "millivolt", "millivolts"),
    1e-3: ("uv", "\u00b5v", "\u03bcv", "microvolt", "microvolts"),  # micro sign and Greek mu
    1e-6: ("nv", "nanovolt", "nanovolts"),
}
_MILLIVOLTS = {name: millivolts for millivolts, names in _NAMES_OF_UNITS.items() for name in names}


@dataclass(frozen=True)
class Recording:
    """One or more leads over one stretch of time. The array is made read-only.

    Raises:
        InputError: nothing in it (no sample, or all of them missing), an infinite sample, or no usable rate.
    """

    signal: npt.NDArray[np.float32]
    """(samples, leads), millivolts; NaN where the file marks a sample as missing."""
    sampling_rate: float
    """Samples per second of every lead."""
    leads: tuple[str, ...]
    """Lead names as the file spells them, or "lead 1", "lead 2" where it has none."""
    source: str
    """Where it was read from, for messages and tables."""
    units: tuple[str, ...] = ()
    """Unit of each lead by the file's own account, before it became mV; empty where the file does not say."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sampling_rate) and self.sampling_rate > 0):
            raise InputError(
                f"{self.source} gives a sampling rate of {self.sampling_rate} Hz; expected a positive number."
            )
        if self.signal.size == 0:
            raise InputError(f"{self.source} holds no sample in the stretch asked for; expected at least one.")
        if np.isinf(self.signal).any():
            raise InputError(
                f"{self.source} holds infinite samples; write NaN, or the format's own code, where one is missing."
            )
        if np.isnan(self.signal).all():
            leads = ", ".join(self.leads)
            raise InputError(f"{self.source} has no valid sample in lead {leads}; choose another lead or stretch.")
        self.signal.setflags(write=False)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.signal) / self.sampling_rate


def millivolts_per(unit: str, source: str) -> float:
    """How many millivolts one `unit` is ("mV", "uV", "µV", "nV", "V" and their names, in any case).

    Raises:
        InputError: the unit is none of a voltage.
    """
    try:
        return _MILLIVOLTS[unit.strip().lower()]
    except KeyError:
        raise InputError(f"{source} is in {unit!r}, which is no known unit of voltage; expected mV, uV or V.") from None


def refuse_other_unit(recording: Recording, given: str | None) -> None:
    """Do nothing where the file does not say its unit, where none was given, or where both are the same.

    Raises:
        InputError: the file is in another unit by its own account, or the one given is none of a voltage.
    """
    if given is None:
        return
    millivolts = millivolts_per(given, f"{recording.source}, as stated,")
    for own in recording.units:
        if millivolts_per(own, recording.source) != millivolts:
            raise InputError(
                f"{recording.source} is in {own} by its own account, and {given} was given; leave the latter out."
            )


def is_voltage(unit: str) -> bool:
    """Whether `millivolts_per` knows the unit."""
    return unit.strip().lower() in _MILLIVOLTS


def lead_numbers(names: Sequence[str], lead: int | str | None, source: str) -> list[int]:
    """Positions of the leads asked for: all for None, one for a position or for a name in any case.

    Raises:
        InputError: there is no such lead, saying which there are.
    """
    if lead is None:
        return list(range(len(names)))
    if isinstance(lead, str):
        folded = [name.strip().casefold() for name in names]
        if lead.strip().casefold() in folded:
            return [folded.index(lead.strip().casefold())]
        raise InputError(f"{source} has no lead {lead!r}.{did_you_mean(lead, names)}")
    if 0 <= lead < len(names):
        return [lead]
    listing = ", ".join(f"{number} = {name}" for number, name in enumerate(names))
    raise InputError(f"{source} has no lead number {lead}; counted from 0 it has {listing or 'none'}.")


def sample_range(n_samples: int, rate: float, start_s: float, duration_s: float | None, source: str) -> tuple[int, int]:
    """First sample and the one after the last of a stretch given in seconds.

    Raises:
        InputError: the stretch is not inside the recording, or has no length.
    """
    if n_samples == 0:
        raise InputError(f"{source} holds no sample.")
    total = n_samples / rate
    if not (math.isfinite(start_s) and start_s >= 0) or start_s >= total:
        raise InputError(f"{source} lasts {total:g} s, so a stretch cannot start at {start_s:g} s.")
    first = round(start_s * rate)
    if duration_s is None:
        return first, n_samples
    length = round(duration_s * rate) if math.isfinite(duration_s) else 0
    if length <= 0:
        raise InputError(f"A stretch of {duration_s:g} s was asked of {source}; expected a positive number of seconds.")
    if first + length > n_samples:
        raise InputError(f"{source} lasts {total:g} s, so {duration_s:g} s from {start_s:g} s on are not all there.")
    return first, first + length
