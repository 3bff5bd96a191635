"""One door for ECG files of every kind: WFDB, EDF, CSV and NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from shared.errors import InputError
from shared.formats.edf import EDF_START, read_edf
from shared.formats.recording import Recording, refuse_other_unit
from shared.formats.table_signal import NUMPY_STARTS, read_table_signal
from shared.formats.wfdb import read_record

__all__ = ["Recording", "read_ecg"]

_TABLES = {".csv", ".tsv", ".txt", ".npy", ".npz"}
_RATE_TOLERANCE = 1e-3


def read_ecg(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    unit: str | None = None,
    lead: int | str | None = 0,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> Recording:
    """Read an ECG from a file, the kind chosen by its suffix, or by its content where the suffix says nothing.

    Args:
        path: a WFDB record (.hea, .dat, or without suffix), an EDF file, a CSV (.csv, .tsv, .txt), .npy or .npz.
        sampling_rate: Hz. WFDB and EDF carry their own, and a different one given here is an error; tables need it
            unless they have a column of times.
        unit: of a table's numbers (None: mV). WFDB, EDF and some tables carry their own, and a different one given
            here is an error.
        lead: a position from 0, a name, or None for all leads.
        start_s: seconds to leave out at the start.
        duration_s: seconds to read; None: to the end.

    Raises:
        InputError: the file is missing, of another kind, damaged, or does not hold what was asked for.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "table":
        recording = read_table_signal(
            path, sampling_rate=sampling_rate, unit=unit, lead=lead, start_s=start_s, duration_s=duration_s
        )
    else:
        reader = read_edf if kind == "edf" else read_record
        recording = reader(path, lead, start_s, duration_s)
        _refuse_other_rate(recording, sampling_rate)
    refuse_other_unit(recording, unit)
    return recording


def _refuse_other_rate(recording: Recording, given: float | None) -> None:
    found = recording.sampling_rate
    if given is not None and abs(found - given) > _RATE_TOLERANCE * found:
        raise InputError(
            f"{recording.source} has {found:g} Hz by its own account, and {given:g} Hz was given; leave it out."
        )


def _kind(path: Path) -> Literal["wfdb", "edf", "table"]:
    """One of "wfdb", "edf" and "table"."""
    suffix = path.suffix.lower()
    if suffix in (".hea", ".dat") or (path.name and path.with_name(path.name + ".hea").is_file()):
        return "wfdb"
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected one ECG file or WFDB record.")
    if not path.is_file():
        raise InputError(f"There is no file {path}, and no WFDB header {path.name}.hea beside it.")
    if suffix == ".edf":
        return "edf"
    if suffix in _TABLES:
        return "table"
    with path.open("rb") as stream:
        start = stream.read(len(EDF_START))
    if start == EDF_START:
        return "edf"
    if start.startswith(NUMPY_STARTS):
        return "table"
    raise InputError(f"{path} is no known kind of ECG file; expected WFDB (.hea beside it), EDF, CSV, .npy or .npz.")
