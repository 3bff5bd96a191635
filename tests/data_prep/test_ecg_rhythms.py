from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from data_prep.ecg_rhythms import Stretch, read_labels
from shared.errors import InputError

RATE, LENGTH = 250, 100 * 250


def annotate(folder: Path, marks: list[tuple[float, str, str]]) -> Path:
    """A record of 100 s with marks of (seconds, symbol, note)."""
    samples = np.array([round(seconds * RATE) for seconds, _, _ in marks])
    symbols, notes = [symbol for _, symbol, _ in marks], [note for _, _, note in marks]
    wfdb.wrann("r", "atr", samples, symbol=symbols, aux_note=notes, fs=RATE, write_dir=str(folder))
    (folder / "r.hea").write_text(f"r 1 {RATE} {LENGTH}\nr.dat 16 200/mV 16 0 0 0 0 ECG\n")
    return folder / "r"


def in_seconds(stretches: tuple[Stretch, ...]) -> list[tuple[float, float, str]]:
    return [(stretch.start / RATE, stretch.end / RATE, stretch.rhythm) for stretch in stretches]


def test_rhythm_changes_and_beats(tmp_path: Path) -> None:
    record = annotate(tmp_path, [(2, "+", "(N"), (3, "N", ""), (3.8, "V", ""), (40, "~", ""), (60, "+", "(VFL\x00")])
    labels = read_labels("mitdb", record, LENGTH, RATE)
    assert in_seconds(labels.stretches) == [(0, 2, "UNLABELLED"), (2, 60, "N"), (60, 100, "VFL")]
    assert labels.beat_times_s.tolist() == [3.0, 3.8]


def test_onsets_have_uncertain_margins_and_all_else_is_unverified(tmp_path: Path) -> None:
    record = annotate(tmp_path, [(1, "N", ""), (40, "[", ""), (70, "]", ""), (90, "[", ""), (98, "]", "")])
    labels = read_labels("cudb", record, LENGTH, RATE)
    assert in_seconds(labels.stretches) == [
        (0, 35, "NONVF"),
        (35, 40, "NONVF_EDGE"),
        (40, 45, "VF_EDGE"),
        (45, 65, "VF"),
        (65, 70, "VF_EDGE"),
        (70, 75, "NONVF_EDGE"),
        (75, 85, "NONVF"),
        (85, 90, "NONVF_EDGE"),
        (90, 95, "VF_EDGE"),
        (95, 98, "VF_EDGE"),
        (98, 100, "NONVF_EDGE"),
    ]
    assert len(labels.beat_times_s) == 0


def test_rhythm_notes_in_cudb_count_as_onsets_only(tmp_path: Path) -> None:
    record = annotate(tmp_path, [(0, "+", "(AF"), (50, "+", "(VF"), (80, "+", "(N")])
    rhythms = {stretch.rhythm for stretch in read_labels("cudb", record, LENGTH, RATE).stretches}
    assert rhythms == {"NONVF", "NONVF_EDGE", "VF_EDGE", "VF"}


def test_fibrillation_that_lasts_to_the_end_has_no_margin_there(tmp_path: Path) -> None:
    record = annotate(tmp_path, [(40, "[", "")])
    assert in_seconds(read_labels("other", record, LENGTH, RATE).stretches)[-1] == (45, 100, "VF")


def test_flutter_waves_inside_a_record_with_rhythms_change_nothing(tmp_path: Path) -> None:
    record = annotate(tmp_path, [(0, "+", "(N"), (40, "[", ""), (40.5, "+", "(VFL"), (60, "]", ""), (60.5, "+", "(N")])
    assert [s.rhythm for s in read_labels("mitdb", record, LENGTH, RATE).stretches] == ["N", "VFL", "N"]


def test_a_table_serves_records_without_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "cudb"
    folder.mkdir()
    (tmp_path / "intervals.csv").write_text(
        "db,record,start,end,rhythm\ncudb,r,0,5000,NONVF\ncudb,r,5000,99999,VF\nvfdb,r,0,10,N\ncudb,q,0,10,N\n"
    )
    assert in_seconds(read_labels("cudb", folder / "r", LENGTH, RATE).stretches) == [(0, 20, "NONVF"), (20, 100, "VF")]


def test_a_record_without_any_rhythm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no rhythms: there is no r\.atr beside it"):
        read_labels("vfdb", tmp_path / "r", LENGTH, RATE)
    record = annotate(tmp_path, [(1, "N", ""), (2, "N", "")])
    with pytest.raises(InputError, match=r"r\.atr names no rhythm"):
        read_labels("nsrdb", record, LENGTH, RATE)
