"""WFDB records, the format of PhysioNet: signals in any of its storage formats, and their annotations.

Missing samples (-32768 in format 16, -2048 in format 212, and so on) become NaN: read as numbers they are spikes of
up to 82 mV. FLAC formats (508, 516, 524) carry a nominal rate of 96 kHz inside; the rate is the header's.
Format: https://physionet.org/physiotools/wag/header-5.htm and signal-5.htm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import wfdb

from shared.errors import InputError
from shared.formats.recording import Recording, is_voltage, lead_numbers, millivolts_per, sample_range

__all__ = ["Annotations", "read_annotations", "read_record", "record_path"]


@dataclass(frozen=True)
class Annotations:
    """What a WFDB annotation file says, in the order of time."""

    sample: npt.NDArray[np.int64]
    """(marks,) sample numbers at the record's rate."""
    symbol: tuple[str, ...]
    """One character each: a beat type, or "+" for a change of rhythm, "[" and "]" for fibrillation."""
    note: tuple[str, ...]
    """The text beside the mark; for "+" the rhythm, like "(AFIB"; empty where there is none."""
    sampling_rate: float
    """Samples per second, from the record's header or the annotation file itself."""


def record_path(path: str | Path) -> Path:
    """The record's path without suffix, from that, or from the name of its header or signal file.

    Raises:
        InputError: there is no header beside it.
    """
    path = Path(path)
    for base in (path, path.with_suffix("")):
        if base.with_name(base.name + ".hea").is_file():
            return base
    raise InputError(f"There is no WFDB header {path.with_suffix('.hea')}; a record needs it beside its signal file.")


def read_record(
    path: str | Path, lead: int | str | None = 0, start_s: float = 0.0, duration_s: float | None = None
) -> Recording:
    """Read a record, single or multi-segment.

    Args:
        path: the record, with or without .hea or .dat.
        lead: a position from 0, a name, or None for every lead that is a voltage.
        start_s: seconds to leave out at the start.
        duration_s: seconds to read; None: to the end.

    Returns:
        The signal in mV. A lead with several samples per frame keeps its own rate; leads of different rates, and
        those of a multi-segment record, come at the frame rate.

    Raises:
        InputError: the record is missing, damaged, of an unknown unit, or holds nothing of what was asked for.
    """
    base = record_path(path)
    header = _parsed(base, wfdb.rdheader, rd_segments=True)
    if not header.sig_name:
        raise InputError(f"{base}.hea describes no signal; expected at least one lead.")
    chosen = lead_numbers(header.sig_name, lead, str(base))
    per_frame = _samples_per_frame(header, chosen)
    record = _read(base, header, chosen, start_s, duration_s, smooth_frames=per_frame == 1)
    kept = [column for column, unit in enumerate(record.units) if lead is not None or is_voltage(unit or "")]
    if not kept:
        raise InputError(f"{base} has no signal in mV, uV or V; its units are {', '.join(map(str, record.units))}.")
    columns = record.p_signal.T if per_frame == 1 else record.e_p_signal
    scale = [millivolts_per(record.units[column] or "", f"Lead {record.sig_name[column]} of {base}") for column in kept]
    signal = np.stack([columns[column] * factor for column, factor in zip(kept, scale, strict=True)], axis=1)
    leads = tuple(str(record.sig_name[column]) for column in kept)
    units = tuple(str(record.units[column]) for column in kept)
    return Recording(signal.astype(np.float32), float(record.fs) * per_frame, leads, str(base), units)


def _samples_per_frame(header: Any, chosen: list[int]) -> int:
    """How many samples of each chosen lead a frame holds; 1 where they differ, because frames are then averaged."""
    if not isinstance(header, wfdb.Record) or not header.samps_per_frame:
        return 1
    found = {int(header.samps_per_frame[number] or 1) for number in chosen}
    return found.pop() if len(found) == 1 else 1


def _read(
    base: Path, header: Any, chosen: list[int], start_s: float, duration_s: float | None, *, smooth_frames: bool
) -> Any:
    """The library's record of the leads and the stretch asked for."""
    if not header.fs or header.fs <= 0:
        raise InputError(f"{base}.hea gives a sampling rate of {header.fs} Hz; expected a positive number.")
    length = header.sig_len
    if length is None:
        length = _parsed(base, wfdb.rdrecord, channels=chosen[:1]).sig_len
    first, end = sample_range(length, float(header.fs), start_s, duration_s, str(base))
    return _parsed(base, wfdb.rdrecord, sampfrom=first, sampto=end, channels=chosen, smooth_frames=smooth_frames)


def _parsed(base: Path, reader: Any, **options: Any) -> Any:
    """Call the library; whatever it raises on a damaged file (nearly anything) becomes one sentence."""
    try:
        return reader(str(base.resolve()), **options)
    except (IndexError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{base} is no readable WFDB record: its header or annotation file is incomplete.") from error
    except Exception as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(f"{base} is no readable WFDB record, it may be damaged or cut short: {detail}.") from error


def read_annotations(path: str | Path, extension: str = "atr") -> Annotations:
    """Read an annotation file of a record.

    Args:
        path: the record, with or without suffix.
        extension: the annotator, "atr" for the reference annotations.

    Raises:
        InputError: there is no such file, or it is damaged or empty.
    """
    base = record_path(path)
    file = base.with_name(f"{base.name}.{extension}")
    if not file.is_file():
        raise InputError(f"There is no annotation file {file}.")
    found = _parsed(base, wfdb.rdann, extension=extension)
    if len(found.sample) == 0:
        raise InputError(f"The annotation file {file} holds no annotation.")
    rate = found.fs or _parsed(base, wfdb.rdheader).fs
    notes = tuple((note or "").rstrip("\x00").strip() for note in found.aux_note)
    return Annotations(np.asarray(found.sample, dtype=np.int64), tuple(found.symbol), notes, float(rate))
