from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.ecg_databases import find_databases
from data_prep.ecg_labels import classify, measure, monitor_band
from data_prep.ecg_samples import SAMPLES, Sample, write_samples
from shared.formats.ecg import read_ecg

FOLDER = Path(__file__).resolve().parents[2] / "apps" / "ecg_shock" / "samples"
CLASSES = {"VFIB": "S_VF", "VT": "S_VT", "ASYS": "N_ASYS", "NOISE": "X_NOISE", "N": "N_NSR", "AFIB": "N_ONR"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_samples_are_there_and_are_what_they_say(sample: Sample) -> None:
    recording = read_ecg(FOLDER / sample.name, lead=None)
    assert recording.duration_s == sample.duration_s
    filtered = monitor_band(recording.signal, recording.sampling_rate)
    for half in (filtered[:1250], filtered[1250:]):
        assert classify(sample.rhythm, measure(half, recording.signal[:, 0], float("nan"))) == CLASSES[sample.rhythm]
    row = f"| `{sample.name}` | {sample.db} 1.0.0 | {sample.record} | {sample.start_s} |"
    assert row in (FOLDER / "README.md").read_text()


def test_no_other_recordings_lie_among_the_samples() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {"README", *(sample.name for sample in SAMPLES)}
    assert len(find_databases([FOLDER])[0].records()) == len(SAMPLES)


@pytest.mark.slow
def test_samples_can_be_cut_again_from_the_databases(real_ecg: Path, tmp_path: Path) -> None:
    write_samples([real_ecg], tmp_path)
    for sample in SAMPLES:
        assert (tmp_path / f"{sample.name}.dat").read_bytes() == (FOLDER / f"{sample.name}.dat").read_bytes()
        again = read_ecg(tmp_path / sample.name, lead=None)
        assert np.array_equal(again.signal, read_ecg(FOLDER / sample.name, lead=None).signal)
