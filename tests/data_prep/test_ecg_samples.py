from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.ecg_databases import find_databases
from data_prep.ecg_labels import classify, measure, monitor_band
from data_prep.ecg_samples import SAMPLES, Sample, write_samples
from shared.formats.ecg import read_ecg
from shared.formats.wfdb import read_annotations

FOLDER = Path(__file__).resolve().parents[2] / "apps" / "ecg_shock" / "samples"
CLASSES = {
    "VFIB": "S_VF", "VF": "S_VF", "VT": "S_VT", "ASYS": "N_ASYS", "NOISE": "X_NOISE", "N": "N_NSR", "AFIB": "N_ONR",
    "VER": "N_ONR",
}  # fmt: skip


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_samples_are_there_and_are_what_they_say(sample: Sample) -> None:
    recording = read_ecg(FOLDER / sample.name, lead=None)
    assert recording.duration_s == sample.duration_s
    filtered = monitor_band(recording.signal, recording.sampling_rate)
    for half in (filtered[:1250], filtered[1250:]):
        assert classify(sample.rhythm, measure(half, recording.signal[:, 0], float("nan"))) == CLASSES[sample.rhythm]
    row = f"| `{sample.name}` | {sample.db} 1.0.0 | {sample.record} | {sample.start_s} |"
    assert row in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.changes_to], ids=lambda sample: sample.name)
def test_changes_of_rhythm_are_marked_where_they_are(sample: Sample) -> None:
    marks, recording = read_annotations(FOLDER / sample.name), read_ecg(FOLDER / sample.name, lead=None)
    assert marks.note == tuple(f"({rhythm}" for rhythm in (sample.rhythm, *sample.changes_to))
    assert marks.sample[0] == 0
    filtered = monitor_band(recording.signal, recording.sampling_rate)
    ends = [*marks.sample[1:], len(recording.signal)]
    for rhythm, start, end in zip((sample.rhythm, *sample.changes_to), marks.sample, ends, strict=True):
        for first in range(start, end - 1250 + 1, 1250):
            part = slice(first, first + 1250)
            measured = measure(filtered[part], recording.signal[part, 0], float("nan"))
            assert classify(rhythm, measured) == CLASSES[rhythm]


def test_no_other_recordings_lie_among_the_samples() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {"README", *(sample.name for sample in SAMPLES)}
    assert len(find_databases([FOLDER])[0].records()) == len(SAMPLES)


@pytest.mark.slow
def test_samples_can_be_cut_again_from_the_databases(real_ecg: Path, tmp_path: Path) -> None:
    write_samples([real_ecg], tmp_path)
    for sample in SAMPLES:
        assert (tmp_path / f"{sample.name}.dat").read_bytes() == (FOLDER / f"{sample.name}.dat").read_bytes()
        if sample.changes_to:
            assert (tmp_path / f"{sample.name}.atr").read_bytes() == (FOLDER / f"{sample.name}.atr").read_bytes()
        again = read_ecg(tmp_path / sample.name, lead=None)
        assert np.array_equal(again.signal, read_ecg(FOLDER / sample.name, lead=None).signal)
