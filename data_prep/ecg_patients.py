"""Which records of the public ECG databases are, or may be, of one person. A split must not cut them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import InputError, did_you_mean

__all__ = ["ONE_PATIENT", "OnePatient", "patient_of", "read_groups"]


@dataclass(frozen=True)
class OnePatient:
    """Records to be treated as one patient's."""

    db: str
    records: tuple[str, ...]
    evidence: Literal["documented", "inferred"]
    """documented by the database, or inferred from the correlation of the median sinus beats of all leads."""
    similarity: float | None = None
    """At least this correlated; unrelated records of VFDB reach 0.87."""


ONE_PATIENT = (
    OnePatient("mitdb", ("201", "202"), "documented"),
    OnePatient("vfdb", ("418", "419"), "inferred", 0.93),
    OnePatient("vfdb", ("421", "422"), "inferred", 0.93),
    OnePatient("vfdb", ("425", "605"), "inferred", 0.93),
    OnePatient("vfdb", ("428", "429", "430"), "inferred", 0.93),
    OnePatient("cudb", ("cu13", "cu14"), "inferred", 0.96),
    OnePatient("cudb", ("cu22", "cu23", "cu24"), "inferred", 0.99),
)
"""Checked on 77 of the records of the three databases; the others count as a patient each."""

_PREFIXES = {"vfdb": "v", "cudb": "c", "mitdb": "m"}
_FIRST_RECORD = {(group.db, record): group.records[0] for group in ONE_PATIENT for record in group.records}


def patient_of(db: str, record: str, groups: Mapping[tuple[str, str], str]) -> str:
    """The name of the patient a record is of.

    Args:
        db: database.
        record: name of the record in it.
        groups: what `read_groups` found; comes before the table above.

    Returns:
        The name given in `groups`, or one made of the database and the first record of the patient: "v418" for 419 of
        vfdb. A record nothing is known about is its own patient.
    """
    known = groups.get((db, record)) or groups.get(("", record))
    if known:
        return known
    first = _FIRST_RECORD.get((db, record), record)
    return _PREFIXES[db] + first.removeprefix("cu") if db in _PREFIXES else f"{db}-{first}"


def read_groups(path: Path | None) -> dict[tuple[str, str], str]:
    """Read a CSV with the columns record, patient and, where two databases share record names, db.

    Returns:
        (db or "", record) -> patient; empty without a path.

    Raises:
        InputError: the file is missing, is no text, or lacks a column or a value.
    """
    if path is None:
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The table of patients {path} cannot be read as CSV: {error}") from error
    columns = set(rows[0]) if rows else set()
    for column in ("record", "patient"):
        if column not in columns:
            found = did_you_mean(column, [name for name in columns if name])
            raise InputError(f"{path} needs the columns record and patient, and has no {column!r}.{found}")
    if any(not row["record"] or not row["patient"] for row in rows):
        raise InputError(f"{path} has a row without a record or a patient; every row needs both.")
    return {(row.get("db") or "", row["record"]): row["patient"] for row in rows}
