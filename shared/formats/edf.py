"""EDF and EDF+ files, the usual export of Holter recorders and polysomnographs: their ECG leads in millivolts.

Format: Kemp B, Olivan J, Clin Neurophysiol 114:1755-1761, 2003 (https://www.edfplus.info/specs/edfplus.html).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.formats.recording import Recording, is_voltage, lead_numbers, millivolts_per, sample_range

__all__ = ["EDF_START", "read_edf"]

EDF_START = b"0       "
"""First bytes of an EDF file: its version."""

_ECG_LABEL = re.compile(r"ECG|EKG|\bM?(I|II|III|V[1-9]R?)\b|\bAV[RLF]\b|\bMLII\b|HOLTER", re.IGNORECASE)
_OTHER_LABEL = re.compile(r"EEG|EOG|EMG|ERG|MEG|RESP|PLETH|SPO2|SAO2|ABP|PRESS|TEMP|SOUND|EVENT|MARKER", re.IGNORECASE)


def read_edf(
    path: str | Path, lead: int | str | None = 0, start_s: float = 0.0, duration_s: float | None = None
) -> Recording:
    """Read ECG leads of an EDF or EDF+ file.

    ECG leads are the signals whose label says so ("ECG II", "EKG", "V5", "aVR"); in a file without such labels, the
    voltages that are not labelled as anything else.

    Args:
        path: the file.
        lead: a position from 0 among the ECG leads, the label of any signal, or None for every ECG lead.
        start_s: seconds to leave out at the start.
        duration_s: seconds to read; None: to the end.

    Raises:
        InputError: the file is missing, no EDF, cut short, discontinuous (EDF+D), without an ECG lead, in an unknown
            unit, without calibration, or its leads have different rates and all were asked for.
    """
    path = Path(path)
    file = _opened(path)
    if file.reserved.startswith("EDF+D"):
        raise InputError(
            f"{path} is a discontinuous recording (EDF+D), whose gaps would be read as if they were not there; "
            "export it as continuous EDF or EDF+C."
        )
    signals = _chosen(file.signals, lead, path)
    rates = {signal.sampling_frequency for signal in signals}
    if len(rates) > 1:
        raise InputError(f"The ECG leads of {path} have different rates, {sorted(rates)} Hz; choose one lead.")
    rate = float(rates.pop())
    first, end = sample_range(len(signals[0].digital), rate, start_s, duration_s, str(path))
    columns = [_millivolts(signal, first, end, path) for signal in signals]
    units = tuple(signal.physical_dimension for signal in signals)
    return Recording(np.stack(columns, axis=1), rate, tuple(signal.label for signal in signals), str(path), units)


def _opened(path: Path) -> edfio.Edf:
    """The file's header with its data mapped; what the library warns of (records missing) is an error here."""
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    with path.open("rb") as stream:
        if stream.read(len(EDF_START)) != EDF_START:
            raise InputError(f"{path} is no EDF file: it does not start with EDF's version number, 0.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return edfio.read_edf(path, lazy_load_data=True)
    except UserWarning as warning:
        raise InputError(f"{path} is damaged or cut short: {str(warning).rstrip('.')}.") from warning
    except Exception as error:
        raise InputError(f"{path} is no readable EDF file: its header is damaged or cut short.") from error


def _chosen(signals: Sequence[Any], lead: int | str | None, path: Path) -> list[Any]:
    """The signals asked for, never an empty list."""
    if isinstance(lead, str):
        return [signals[number] for number in lead_numbers([signal.label for signal in signals], lead, str(path))]
    ecg = [signal for signal in signals if _ECG_LABEL.search(signal.label)]
    if not ecg:
        ecg = [
            signal
            for signal in signals
            if is_voltage(signal.physical_dimension) and not _OTHER_LABEL.search(signal.label)
        ]
    if not ecg:
        listing = ", ".join(f"{signal.label} ({signal.physical_dimension or 'no unit'})" for signal in signals)
        raise InputError(f"{path} has no ECG lead; its signals are {listing or 'none'}. Choose one by its label.")
    return [ecg[number] for number in lead_numbers([signal.label for signal in ecg], lead, str(path))]


def _millivolts(signal: Any, first: int, end: int, path: Path) -> npt.NDArray[np.float32]:
    """Samples [first, end) of one signal."""
    lead = f"Lead {signal.label!r} of {path}"
    if signal.digital_min == signal.digital_max or signal.physical_min == signal.physical_max:
        raise InputError(f"{lead} has no calibration: its smallest and largest values in the header are equal.")
    rate = signal.sampling_frequency
    values = signal.get_data_slice(first / rate, end / rate)
    return (values * millivolts_per(signal.physical_dimension, lead)).astype(np.float32)
