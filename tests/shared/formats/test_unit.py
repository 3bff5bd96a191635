"""A file that says its unit is not overruled; one that does not is taken at the caller's word."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import numpy.typing as npt
import pytest
import wfdb

from shared.errors import InputError
from shared.formats.ecg import read_ecg


@pytest.fixture
def files(tmp_path: Path, wave: npt.NDArray[np.float64]) -> Path:
    """One lead in microvolts, in files that say so and in files that do not."""
    lead = np.nan_to_num(1000 * wave[:, :1])
    wfdb.wrsamp("r", fs=250, units=["uV"], sig_name=["II"], p_signal=lead, fmt=["16"], write_dir=str(tmp_path))
    edfio.Edf([edfio.EdfSignal(lead[:, 0], 250.0, label="ECG II", physical_dimension="uV")]).write(tmp_path / "r.edf")
    np.savez(tmp_path / "r.npz", ecg=lead, unit="uV", sampling_rate=250.0)
    np.savetxt(tmp_path / "r.csv", lead, header="ECG [uV]", comments="")
    np.save(tmp_path / "bare.npy", lead)
    return tmp_path


@pytest.mark.parametrize("name", ["r", "r.edf", "r.npz", "r.csv"])
def test_a_unit_of_its_own_counts(files: Path, name: str, wave: npt.NDArray[np.float64]) -> None:
    rate = 250 if name == "r.csv" else None
    for stated in (None, "uV", "microvolts"):
        recording = read_ecg(files / name, sampling_rate=rate, unit=stated)
        assert recording.units == ("uV",)
        assert np.abs(recording.signal[:, 0] - np.nan_to_num(wave[:, 0])).max() < 1e-3
    with pytest.raises(InputError, match="is in uV by its own account, and mV was given; leave the latter out"):
        read_ecg(files / name, sampling_rate=rate, unit="mV")
    with pytest.raises(InputError, match="furlong"):
        read_ecg(files / name, sampling_rate=rate, unit="furlong")


def test_a_file_without_a_unit_is_told_one(files: Path, wave: npt.NDArray[np.float64]) -> None:
    recording = read_ecg(files / "bare.npy", sampling_rate=250, unit="uV")
    assert recording.units == ()
    assert np.abs(recording.signal[:, 0] - np.nan_to_num(wave[:, 0])).max() < 1e-3
