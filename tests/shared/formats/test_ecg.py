from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import numpy.typing as npt
import pytest
import wfdb as library

from shared.errors import InputError
from shared.formats.ecg import Recording, read_ecg

Array = npt.NDArray[np.float64]


@pytest.fixture
def files(tmp_path: Path, wave: Array) -> Path:
    """The same lead in every kind of file."""
    lead = np.nan_to_num(wave[:, :1])
    library.wrsamp("r", fs=250, units=["mV"], sig_name=["II"], p_signal=lead, fmt=["16"], write_dir=str(tmp_path))
    edfio.Edf([edfio.EdfSignal(lead[:, 0], 250.0, label="ECG II", physical_dimension="mV")]).write(tmp_path / "r.edf")
    (tmp_path / "without_suffix").write_bytes((tmp_path / "r.edf").read_bytes())
    np.savetxt(tmp_path / "r.csv", lead, fmt="%.5f")
    np.save(tmp_path / "r.npy", lead)
    (tmp_path / "numpy.bin").write_bytes((tmp_path / "r.npy").read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", ["r", "r.hea", "r.dat", "r.edf", "without_suffix"])
def test_a_path_carries_its_own_rate(files: Path, wave: Array, name: str) -> None:
    recording = read_ecg(files / name, start_s=1.0, duration_s=4.0)
    assert recording.sampling_rate == 250.0
    assert recording.duration_s == 4.0
    assert np.abs(recording.signal[:, 0] - np.nan_to_num(wave[250:1250, 0])).max() < 1e-3
    with pytest.raises(InputError, match="250 Hz by its own account, and 360 Hz was given"):
        read_ecg(files / name, sampling_rate=360)


@pytest.mark.parametrize("name", ["r.csv", "r.npy", "numpy.bin"])
def test_a_table_must_be_told_its_rate(files: Path, wave: Array, name: str) -> None:
    with pytest.raises(InputError, match="does not say its sampling rate"):
        read_ecg(files / name)
    signal = read_ecg(files / name, sampling_rate=250, unit="mV").signal
    assert np.abs(signal[:, 0] - np.nan_to_num(wave[:, 0])).max() < 1e-3


def test_what_is_no_ecg_file_is_refused(files: Path) -> None:
    (files / "picture.png").write_bytes(b"\x89PNG....")
    for name, message in (
        ("picture.png", "no known kind"),
        ("gone.csv", "no file"),
        (".", "is a folder"),
        ("x.dat", "header"),
    ):
        with pytest.raises(InputError, match=message):
            read_ecg(files / name, sampling_rate=250)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_recording_has_a_usable_rate(rate: float) -> None:
    with pytest.raises(InputError, match="sampling rate"):
        Recording(np.zeros((10, 1), dtype=np.float32), rate, ("II",), "here")
