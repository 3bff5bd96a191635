"""Windows of a labelled record: where each one lies, what is measured in it, which class it gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from data_prep.ecg_labels import MEASURING_RATE, beat_rate, classify, measure, monitor_band, target_of
from data_prep.ecg_rhythms import RecordLabels, read_labels, read_table_rows
from data_prep.ecg_shock import EcgShockConfig
from shared.formats.recording import Recording
from shared.formats.wfdb import read_record

__all__ = ["LabelledRecord", "Row", "cut", "second_reading"]

LEAST_OVERLAP_S = 1.0
"""A second reader's mark counts for a window that it overlaps by more than this."""

Row = dict[str, Any]
"""One window: its columns of the index."""


@dataclass(frozen=True)
class LabelledRecord:
    """A record with its annotations, ready to be cut."""

    db: str
    name: str
    patient: str
    recording: Recording
    """All leads."""
    filtered: npt.NDArray[np.float64]
    """The same in the band that is measured, at 250 Hz (`ecg_labels.monitor_band`)."""
    labels: RecordLabels
    second_reader: Sequence[Mapping[str, str]]
    """Rows of second_reader_8s.csv about this record."""

    @classmethod
    def read(cls, db: str, path: Path, patient: str) -> Self:
        """Read a record and everything that is said about it. Raises InputError where a file is missing or damaged."""
        recording = read_record(path, lead=None)
        labels = read_labels(db, path, len(recording.signal), recording.sampling_rate)
        marks = read_table_rows(path.parent, "second_reader_8s.csv")
        own = [mark for mark in marks if mark["db"] == db and mark["record"] == path.name]
        filtered = monitor_band(recording.signal, recording.sampling_rate)
        return cls(db, path.name, patient, recording, filtered, labels, own)

    def windows(self, config: EcgShockConfig) -> list[Row]:
        """Every window inside one rhythm, in the order of time."""
        rate = self.recording.sampling_rate
        length, step = round(config.window_s * rate), round((config.step_s or config.window_s) * rate)
        return [
            self._window(first, length, stretch.rhythm)
            for stretch in self.labels.stretches
            for first in range(stretch.start, stretch.end - length + 1, step)
        ]

    def _window(self, first: int, length: int, rhythm: str) -> Row:
        rate = self.recording.sampling_rate
        start_s, duration_s = first / rate, length / rate
        low = round(start_s * MEASURING_RATE)
        measures = measure(
            self.filtered[low : low + round(duration_s * MEASURING_RATE)],
            self.recording.signal[first : first + length, 0],
            beat_rate(self.labels.beat_times_s, start_s, start_s + duration_s),
        )
        cls = classify(rhythm, measures)
        return {
            "item": f"{self.db}/{self.name}/{start_s:010.3f}",
            "db": self.db,
            "record": self.name,
            "patient": self.patient,
            "start_s": start_s,
            "duration_s": duration_s,
            "sampling_rate": rate,
            "lead_names": ",".join(self.recording.leads),
            "rhythm": rhythm,
            "cls": cls,
            "target": target_of(cls),
            "p2p_mV": measures.p2p,
            "rate_est": measures.rate_est,
            "regularity": measures.regularity,
            "invalid_frac": measures.invalid_frac,
            "reader2": second_reading(self.second_reader, start_s, start_s + duration_s),
        }


def second_reading(marks: Sequence[Mapping[str, str]], start_s: float, end_s: float) -> str:
    """The second reader's mark on a window, without its bracket; empty where none overlaps by more than a second.

    "X" (unusable) comes before every other mark, then the one that overlaps most.
    """
    overlaps = [
        (mark["mark"] == "X", min(end_s, float(mark["end_s"])) - max(start_s, float(mark["start_s"])), mark["mark"])
        for mark in marks
    ]
    rounding = 1e-6
    enough = [found for found in overlaps if found[1] > LEAST_OVERLAP_S + rounding]
    return max(enough)[2].lstrip("(") if enough else ""


def cut(path: Path, rows: Sequence[Row]) -> Iterator[tuple[Row, npt.NDArray[np.float32]]]:
    """Each window of a record with its samples, (samples, leads) in mV."""
    if not rows:
        return
    recording = read_record(path, lead=None)
    for row in rows:
        first = round(row["start_s"] * recording.sampling_rate)
        yield row, recording.signal[first : first + round(row["duration_s"] * recording.sampling_rate)]
