"""Signals in tables of numbers (CSV, NumPy .npy and .npz), whose rate and unit somebody has to state."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.formats.csv_signal import Columns, read_columns
from shared.formats.recording import Recording, lead_numbers, millivolts_per, sample_range

__all__ = ["NUMPY_STARTS", "read_table_signal"]

NUMPY_STARTS = (b"\x93NUMPY", b"PK\x03\x04")
"""First bytes of .npy and .npz files."""
_LARGEST_DISAGREEMENT = 0.01


def read_table_signal(
    path: str | Path,
    *,
    sampling_rate: float | None = None,
    unit: str | None = None,
    lead: int | str | None = 0,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> Recording:
    """Read a CSV, .npy or .npz file.

    Args:
        path: a table of (samples,) or (samples, leads). An .npz holds it as "ecg" or "signal" or as its only array with
            more than one number, and may hold "sampling_rate" (Hz), "unit" and "leads".
        sampling_rate: Hz; needed where the file has no column of times and no rate of its own.
        unit: of the numbers where the file does not say it itself, as "ECG [uV]" in a header does; None: mV.
        lead: a position from 0 (a column of times is not counted), a column's name, or None for all.
        start_s: seconds to leave out at the start.
        duration_s: seconds to read; None: to the end.

    Raises:
        InputError: the file is missing, empty, damaged, not of numbers, of no known rate, or of two different ones.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    with path.open("rb") as stream:
        start = stream.read(6)
    if not start:
        raise InputError(f"{path} is empty; expected a table of numbers.")
    columns = _from_numpy(path) if start.startswith(NUMPY_STARTS) else read_columns(path)
    rate = _rate(columns.sampling_rate, sampling_rate, path)
    chosen = lead_numbers(columns.names, lead, str(path))
    first, end = sample_range(len(columns.values), rate, start_s, duration_s, str(path))
    scale = millivolts_per(columns.unit or unit or "mV", str(path))
    signal = (columns.values[first:end, chosen] * scale).astype(np.float32)
    units = (columns.unit,) * len(chosen) if columns.unit else ()
    return Recording(signal, rate, tuple(columns.names[number] for number in chosen), str(path), units)


def _rate(found: float | None, given: float | None, path: Path) -> float:
    rate = given if found is None else found
    if rate is None:
        raise InputError(f"{path} does not say its sampling rate; give sampling_rate in Hz.")
    if not rate > 0:
        raise InputError(f"A sampling rate of {rate} Hz was stated for {path}; expected a positive number.")
    if given is not None and abs(rate - given) > _LARGEST_DISAGREEMENT * rate:
        raise InputError(
            f"{path} says {rate:g} Hz by its own account, and {given:g} Hz was given; leave the latter out."
        )
    return float(rate)


def _from_numpy(path: Path) -> Columns:
    try:
        loaded = np.load(path, allow_pickle=False)
        content = (
            {"signal": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
        )
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        detail = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{path} is no readable NumPy file of plain numbers: {detail}.") from error
    values = _signal(content, path)
    names = tuple(str(name) for name in np.atleast_1d(content.get("leads", np.array([]))))
    if len(names) != values.shape[1]:
        names = tuple(f"lead {number}" for number in range(1, values.shape[1] + 1))
    unit = str(content["unit"]) if "unit" in content else None
    return Columns(values, names, unit, _number(content, "sampling_rate", path))


def _number(content: dict[str, npt.NDArray[Any]], name: str, path: Path) -> float | None:
    if name not in content:
        return None
    if content[name].size != 1 or content[name].dtype.kind not in "iuf":
        raise InputError(f"{name!r} in {path} is no single number.")
    return float(content[name].reshape(-1)[0])


def _signal(content: dict[str, npt.NDArray[Any]], path: Path) -> npt.NDArray[np.float64]:
    """(samples, leads) from the arrays of a file."""
    large = {name: array for name, array in content.items() if array.ndim and array.dtype.kind in "iuf"}
    named = next((name for name in ("ecg", "signal") if name in large), None)
    if named is None and len(large) != 1:
        raise InputError(f'{path} needs one array of real numbers, or one named "ecg"; it has {sorted(content)}.')
    array = large[named] if named else large.popitem()[1]
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or (array.size and array.shape[1] > array.shape[0]):
        raise InputError(f"The array in {path} has the shape {array.shape}; expected (samples,) or (samples, leads).")
    return array.astype(np.float64)
