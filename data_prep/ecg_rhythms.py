"""Stretches of one rhythm in a record: from its annotation file, or from a table of intervals beside the database."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.formats.wfdb import Annotations, read_annotations

__all__ = ["ONSET_MARGIN_S", "RecordLabels", "Stretch", "read_labels", "read_table_rows"]

ONSET_MARGIN_S = 5.0
"""In a record with onset marks only, this much on both sides of an onset or an end is uncertain."""
_BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""WFDB symbols that stand on a beat: https://physionet.org/physiotools/wag/annot.htm, isqrs()."""


@dataclass(frozen=True)
class Stretch:
    """Samples [start, end) of a record, all of one rhythm."""

    start: int
    end: int
    rhythm: str


@dataclass(frozen=True)
class RecordLabels:
    """Everything the annotations say about one record."""

    stretches: tuple[Stretch, ...]
    """In the order of time, without overlap; samples at the record's rate."""
    beat_times_s: npt.NDArray[np.float64]
    """(beats,) seconds from the record's start; empty where beats are not annotated."""


def read_labels(db: str, record: Path, n_samples: int, sampling_rate: float) -> RecordLabels:
    """The rhythms of a record from `RECORD.atr`, else from `intervals.csv` in the database's folder or the one above.

    Raises:
        InputError: there is neither, or what is there names no rhythm.
    """
    if record.with_name(record.name + ".atr").is_file():
        marks = read_annotations(record)
        if _has_onsets_only(db, marks):
            return RecordLabels(tuple(_whole(_from_onsets(marks, n_samples), n_samples)), np.zeros(0))
        if not any(note.startswith("(") for note in marks.note):
            raise InputError(
                f"{record}.atr names no rhythm; expected rhythm changes ('+' with a note like '(N') or '['."
            )
        beats = marks.sample[[symbol in _BEATS for symbol in marks.symbol]] / sampling_rate
        return RecordLabels(tuple(_whole(_from_rhythms(marks, n_samples), n_samples)), beats)
    rows = [
        row
        for row in read_table_rows(record.parent, "intervals.csv")
        if row["record"] == record.name and row["db"] == db
    ]
    if not rows:
        raise InputError(
            f"The record {record} has no rhythms: there is no {record.name}.atr beside it and no row of its own in an "
            "intervals.csv. Download the database's .atr files into the same folder."
        )
    found = [Stretch(int(row["start"]), min(int(row["end"]), n_samples), row["rhythm"]) for row in rows]
    return RecordLabels(tuple(_whole(found, n_samples)), np.zeros(0))


def _has_onsets_only(db: str, marks: Annotations) -> bool:
    """Whether fibrillation is marked by "[" and "]", and what lies outside was looked at by nobody."""
    rhythms = any(note.startswith("(") for note in marks.note)
    return db == "cudb" or (not rhythms and "[" in marks.symbol)


def _from_rhythms(marks: Annotations, n_samples: int) -> list[Stretch]:
    changes = [
        (int(sample), note[1:])
        for sample, symbol, note in zip(marks.sample, marks.symbol, marks.note, strict=True)
        if symbol == "+" and note.startswith("(")
    ]
    ends = [sample for sample, _ in changes[1:]] + [n_samples]
    return [Stretch(start, end, rhythm) for (start, rhythm), end in zip(changes, ends, strict=True)]


def _from_onsets(marks: Annotations, n_samples: int) -> list[Stretch]:
    """VF from "[" (or a "(VF..." note) to "]" (or the note of another rhythm), NONVF elsewhere; margins apart."""
    margin = round(ONSET_MARGIN_S * marks.sampling_rate)
    found, start, fibrillating = [], 0, False
    for sample, symbol, note in zip(marks.sample, marks.symbol, marks.note, strict=True):
        begins = symbol == "[" or note.startswith("(VF")
        ends = symbol == "]" or (note.startswith("(") and not begins)
        if (begins and not fibrillating) or (ends and fibrillating):
            found += _with_margins(start, int(sample), fibrillating, margin, n_samples)
            start, fibrillating = int(sample), begins
    return [*found, *_with_margins(start, n_samples, fibrillating, margin, n_samples)]


def _with_margins(start: int, end: int, fibrillating: bool, margin: int, n_samples: int) -> list[Stretch]:
    """One stretch with its margins next to a change; the record's own start and end are no change."""
    name = "VF" if fibrillating else "NONVF"
    inner = start if start == 0 else min(start + margin, end)
    outer = end if end == n_samples else max(end - margin, inner)
    return [Stretch(start, inner, f"{name}_EDGE"), Stretch(inner, outer, name), Stretch(outer, end, f"{name}_EDGE")]


def _whole(found: list[Stretch], n_samples: int) -> Iterator[Stretch]:
    """The stretches that have a length, with what lies between them as UNLABELLED."""
    position = 0
    for stretch in sorted(found, key=lambda part: part.start):
        if stretch.start > position:
            yield Stretch(position, stretch.start, "UNLABELLED")
        if stretch.end > stretch.start:
            yield stretch
        position = max(position, stretch.end)
    if position < n_samples:
        yield Stretch(position, n_samples, "UNLABELLED")


def read_table_rows(folder: Path, name: str) -> tuple[dict[str, str], ...]:
    """Rows of a CSV in a database's folder or in the one above; none where there is no such file."""
    for place in (folder, folder.parent):
        if (place / name).is_file():
            with (place / name).open(newline="", encoding="utf-8") as stream:
                return tuple(csv.DictReader(stream))
    return ()
