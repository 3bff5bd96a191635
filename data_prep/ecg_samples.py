"""The short real excerpts that the shock advisor's demo reads: how they were cut from VFDB and MITDB.

`write_samples` re-creates apps/ecg_shock/samples from the databases; its README names records, times and licence.
Raw integers, gain and baseline are those of the databases; only the storage format is WFDB's plain 16-bit one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb

from data_prep.ecg_databases import find_databases
from data_prep.ecg_rhythms import Stretch, read_labels
from shared.errors import InputError

__all__ = ["SAMPLES", "Sample", "write_samples"]


@dataclass(frozen=True)
class Sample:
    """One excerpt."""

    name: str
    db: str
    record: str
    start_s: float
    rhythm: str
    """Code of the rhythm that the database's .atr gives for the whole excerpt, or up to its first change."""
    duration_s: float = 10.0
    changes_to: tuple[str, ...] = ()
    """Codes that follow it within the excerpt; their times are then written beside it as an .atr of its own."""


SAMPLES = (
    Sample("ventricular_fibrillation", "vfdb", "422", 1815.152, "VFIB"),
    Sample("ventricular_tachycardia", "vfdb", "605", 1662.768, "VT"),
    Sample("asystole", "vfdb", "427", 1993.036, "ASYS"),
    Sample("noise", "vfdb", "421", 282.996, "NOISE"),
    Sample("vf_onset", "vfdb", "430", 1959.0, "VER", 40.0, ("VF",)),
    Sample("sinus_rhythm", "mitdb", "100", 300.05, "N"),
    Sample("atrial_fibrillation", "mitdb", "202", 1321.883, "AFIB"),
)


def write_samples(paths: Iterable[Path], folder: Path) -> None:
    """Write every sample as a WFDB record (format 16) into `folder`, over those that are there.

    Args:
        paths: folders that hold the databases vfdb and mitdb.
        folder: where to write; made if needed.

    Raises:
        InputError: a database or record is missing, or its annotations no longer give the rhythm stated here.
    """
    databases = {database.name: database for database in find_databases(paths, ("vfdb", "mitdb"))}
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        _write(sample, databases[sample.db].folder / sample.record, folder)


def _write(sample: Sample, record: Path, folder: Path) -> None:
    header = wfdb.rdheader(str(record))
    first, end = round(sample.start_s * header.fs), round((sample.start_s + sample.duration_s) * header.fs)
    stretches = read_labels(sample.db, record, header.sig_len, header.fs).stretches
    inside = [part for part in stretches if part.start < end and part.end > first]
    if tuple(part.rhythm for part in inside) != (sample.rhythm, *sample.changes_to):
        raise InputError(
            f"{record} is not {', then '.join((sample.rhythm, *sample.changes_to))} by its annotations from "
            f"{sample.start_s} s on, all the sample long."
        )
    raw = wfdb.rdrecord(str(record), sampfrom=first, sampto=end, physical=False, return_res=16)
    wfdb.wrsamp(
        sample.name,
        fs=raw.fs,
        units=raw.units,
        sig_name=raw.sig_name,
        d_signal=raw.d_signal,
        fmt=["16"] * raw.n_sig,
        adc_gain=raw.adc_gain,
        baseline=raw.baseline,
        comments=[
            f"PhysioNet {sample.db} 1.0.0, record {sample.record}, {sample.duration_s:g} s from {sample.start_s} s on",
            f"rhythm by the database's annotation: {', then '.join((sample.rhythm, *sample.changes_to))}; "
            "Open Data Commons Attribution License 1.0",
        ],
        write_dir=str(folder),
    )
    if sample.changes_to:
        _write_rhythms(sample.name, inside, first, folder)


def _write_rhythms(name: str, stretches: list[Stretch], first: int, folder: Path) -> None:
    """The excerpt's own annotations: each rhythm where it begins."""
    wfdb.wrann(
        name,
        "atr",
        np.array([max(part.start - first, 0) for part in stretches]),
        symbol=["+"] * len(stretches),
        aux_note=[f"({part.rhythm}" for part in stretches],
        write_dir=str(folder),
    )
