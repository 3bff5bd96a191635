from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import numpy.typing as npt
import pytest

from shared.errors import InputError
from shared.formats.edf import read_edf

TIMES = np.arange(2560) / 256.0
ECG = np.sin(2 * np.pi * 1.3 * TIMES)


def signal(label: str, unit: str, values: npt.NDArray[np.float64] = ECG, rate: float = 256.0) -> edfio.EdfSignal:
    return edfio.EdfSignal(values, rate, label=label, physical_dimension=unit)


def write(path: Path, *signals: edfio.EdfSignal, plus: bool = False) -> Path:
    edfio.Edf(list(signals), annotations=[edfio.EdfAnnotation(0, None, "start")] if plus else None).write(path)
    return path


def test_ecg_leads_are_picked_and_scaled(tmp_path: Path) -> None:
    eeg, first, second = signal("EEG Fp1", "uV"), signal("ECG II", "uV", 1000 * ECG), signal("ECG V5", "mV", -ECG)
    path = write(tmp_path / "a.edf", eeg, first, second, plus=True)
    recording = read_edf(path, lead=None)
    assert recording.leads == ("ECG II", "ECG V5")
    assert recording.sampling_rate == 256.0
    assert np.abs(recording.signal[:, 0] - ECG).max() < 1e-3
    assert np.abs(recording.signal[:, 1] + ECG).max() < 1e-3
    part = read_edf(path, lead="ecg v5", start_s=2.5, duration_s=5.0)
    assert np.array_equal(part.signal, recording.signal[640:1920, 1:])
    assert read_edf(path, lead="EEG Fp1").leads == ("EEG Fp1",)


@pytest.mark.parametrize("label", ["ECG", "EKG1", "ECG I-Ref", "V5", "aVR", "MLII", "Lead II"])
def test_labels_of_the_field_are_known(tmp_path: Path, label: str) -> None:
    assert read_edf(write(tmp_path / "a.edf", signal("Pleth", "mV"), signal(label, "mV"))).leads == (label,)


def test_unnamed_voltages_serve_where_nothing_is_called_ecg(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", signal("CH1", "mV"), signal("EMG chin", "uV"), signal("CH2", "mV"))
    assert read_edf(path, lead=None).leads == ("CH1", "CH2")
    with pytest.raises(InputError, match=r"no ECG lead; its signals are EEG C3 \(uV\), X \(no unit\)"):
        read_edf(write(tmp_path / "b.edf", signal("EEG C3", "uV"), signal("X", "")))


def test_leads_of_different_rates_come_one_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", signal("ECG I", "mV"), signal("ECG II", "mV", ECG[:1280], 128.0))
    with pytest.raises(InputError, match="different rates"):
        read_edf(path, lead=None)
    assert read_edf(path, lead=1).sampling_rate == 128.0


def test_gaps_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", signal("ECG", "mV"), plus=True)
    path.write_bytes(path.read_bytes().replace(b"EDF+C", b"EDF+D", 1))
    with pytest.raises(InputError, match=r"discontinuous recording \(EDF\+D\)"):
        read_edf(path)


def test_a_signal_without_calibration_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", signal("ECG", "mV"))
    content = bytearray(path.read_bytes())
    physical_min = 256 + 16 + 80 + 8
    content[physical_min : physical_min + 8] = content[physical_min + 8 : physical_min + 16]
    path.write_bytes(content)
    with pytest.raises(InputError, match="no calibration"):
        read_edf(path)


@pytest.mark.parametrize("length", [0, 5, 100, 300, 2000, -1])
def test_a_cut_file_is_one_sentence(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "a.edf", signal("ECG", "mV"))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"no EDF file|damaged or cut short"):
        read_edf(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(InputError, match="no EDF file"):
        read_edf(tmp_path / "a.edf")
    with pytest.raises(InputError, match="There is no file"):
        read_edf(tmp_path / "b.edf")
