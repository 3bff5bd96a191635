from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import wfdb as library
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.formats.wfdb import read_annotations, read_record

Array = npt.NDArray[np.float64]


def write(folder: Path, name: str, signal: Array, fmt: str = "16", units: tuple[str, str] = ("mV", "mV")) -> Path:
    scale = np.array([1000.0 if unit == "uV" else 1.0 for unit in units])
    library.wrsamp(
        name,
        fs=250,
        units=list(units),
        sig_name=["II", "V5"],
        p_signal=signal * scale,
        fmt=[fmt, fmt],
        write_dir=str(folder),
    )
    return folder / name


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212", "508", "516", "524"])
def test_every_storage_format_gives_the_signal_and_its_gaps(tmp_path: Path, wave: Array, fmt: str) -> None:
    recording = read_record(write(tmp_path, "r", wave, fmt), lead=None)
    assert recording.leads == ("II", "V5")
    assert recording.sampling_rate == 250.0
    assert recording.signal.dtype == np.float32
    assert np.array_equal(np.isnan(recording.signal), np.isnan(wave))
    coarseness = 0.02 if fmt in ("80", "508") else 1e-3
    assert np.nanmax(np.abs(recording.signal - wave)) < coarseness


def test_units_become_millivolts_and_stretches_are_cut_to_the_sample(tmp_path: Path, wave: Array) -> None:
    path = write(tmp_path, "r", wave, units=("mV", "uV"))
    whole = read_record(path, lead="v5")
    assert np.abs(whole.signal[:, 0] - wave[:, 1]).max() < 1e-3
    part = read_record(path.with_suffix(".hea"), lead=1, start_s=2.0, duration_s=3.0)
    assert np.array_equal(part.signal, whole.signal[500:1250])
    with pytest.raises(ValueError, match="read-only"):
        part.signal[0] = 1.0


def test_minus_32768_is_missing_and_no_spike(tmp_path: Path) -> None:
    raw = np.full((1000, 1), 40, dtype=np.int16)
    raw[10:20] = -32768
    (tmp_path / "r.dat").write_bytes(raw.astype("<i2").tobytes())
    (tmp_path / "r.hea").write_text("r 1 250 1000\nr.dat 16 400.0(0)/mV 16 0 0 0 0 ECG\n")
    signal = read_record(tmp_path / "r").signal[:, 0]
    assert np.isnan(signal[10:20]).all()
    assert np.nanmin(signal) == np.nanmax(signal) == np.float32(0.1)


def test_segments_are_joined_and_a_gap_between_them_is_missing(tmp_path: Path, wave: Array) -> None:
    whole = np.nan_to_num(wave)
    write(tmp_path, "a", whole[:1000])
    write(tmp_path, "b", whole[1500:])
    (tmp_path / "layout.hea").write_text("layout 2 250 0\n~ 0 200/mV 0 0 0 0 0 II\n~ 0 200/mV 0 0 0 0 0 V5\n")
    (tmp_path / "m.hea").write_text("m/4 2 250 2500\nlayout 0\na 1000\n~ 500\nb 1000\n")
    recording = read_record(tmp_path / "m", lead="II")
    assert np.isnan(recording.signal[1000:1500]).all()
    assert np.abs(recording.signal[1500:, 0] - whole[1500:, 0]).max() < 1e-3
    assert recording.sampling_rate == 250.0


def test_a_lead_with_several_samples_per_frame_keeps_its_own_rate(tmp_path: Path, wave: Array) -> None:
    frames = np.round(np.nan_to_num(wave[:, 0]) * 200).astype("<i2").reshape(-1, 2)
    slow = np.arange(len(frames), dtype="<i2")[:, np.newaxis]
    (tmp_path / "r.dat").write_bytes(np.hstack([frames, slow]).astype("<i2").tobytes())
    (tmp_path / "r.hea").write_text("r 2 125 1250\nr.dat 16x2 200/mV 16 0 0 0 0 ECG\nr.dat 16 1/mmHg 16 0 0 0 0 ABP\n")
    fast = read_record(tmp_path / "r", lead="ECG", start_s=1.0, duration_s=2.0)
    assert fast.sampling_rate == 250.0
    assert np.abs(fast.signal[:, 0] - np.nan_to_num(wave[250:750, 0])).max() < 5e-3
    everything = read_record(tmp_path / "r", lead=None)
    assert everything.leads == ("ECG",)
    assert everything.sampling_rate == 125.0


@pytest.mark.parametrize("fmt", ["16", "212", "516"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_signal_file_is_one_sentence(tmp_path: Path, wave: Array, fmt: str, share: float) -> None:
    path = write(tmp_path, "r", wave, fmt)
    content = path.with_suffix(".dat").read_bytes()
    path.with_suffix(".dat").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_record(path)


@settings(deadline=None, max_examples=40)
@given(position=st.integers(0, 90), letter=st.characters(codec="ascii"))
def test_a_damaged_header_reads_or_raises_input_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, letter: str
) -> None:
    folder = tmp_path_factory.mktemp("header")
    path = write(folder, "r", np.zeros((500, 2)) + np.linspace(-1, 1, 500)[:, np.newaxis])
    text = path.with_suffix(".hea").read_text()
    path.with_suffix(".hea").write_text(text[:position] + letter + text[position + 1 :])
    with contextlib.suppress(InputError):
        assert read_record(path).signal.ndim == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lead": 7}, "no lead number 7; counted from 0 it has 0 = II, 1 = V5"),
        ({"lead": "V6"}, "has no lead 'V6'. Known: II, V5"),
        ({"start_s": 60.0}, "lasts 10 s"),
        ({"start_s": 9.0, "duration_s": 2.0}, "not all there"),
        ({"duration_s": 0.0}, "positive number of seconds"),
        ({"start_s": -1.0}, "cannot start at -1 s"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, wave: Array, arguments: dict[str, float], message: str) -> None:
    path = write(tmp_path, "r", wave)
    with pytest.raises(InputError, match=message):
        read_record(path, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/mV", "/mmHg", "no known unit of voltage"),
        (" 250 ", " 0 ", "sampling rate of 0"),
        ("r.dat", "gone.dat", "damaged or cut short"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, wave: Array, old: str, new: str, message: str) -> None:
    path = write(tmp_path, "r", wave)
    header = path.with_suffix(".hea")
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        read_record(path)


def test_segments_of_one_layout_are_joined(tmp_path: Path, wave: Array) -> None:
    whole = np.nan_to_num(wave)
    write(tmp_path, "a", whole[:1000])
    write(tmp_path, "b", whole[1000:])
    (tmp_path / "m.hea").write_text("m/2 2 250 2500\na 1000\nb 1500\n")
    recording = read_record(tmp_path / "m", lead=1, start_s=3.0, duration_s=2.0)
    assert np.abs(recording.signal[:, 0] - whole[750:1250, 1]).max() < 1e-3


def test_a_lead_without_any_valid_sample_is_refused(tmp_path: Path, wave: Array) -> None:
    path = write(tmp_path, "r", wave)
    with pytest.raises(InputError, match="no valid sample in lead II"):
        read_record(path, start_s=0.4, duration_s=0.02)
    both = read_record(path, lead=None, start_s=0.4, duration_s=0.02)
    assert np.isnan(both.signal[:, 0]).all()
    assert np.isfinite(both.signal[:, 1]).all()


def test_a_header_without_signals_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text("r 0 250 2500\n")
    with pytest.raises(InputError, match="describes no signal"):
        read_record(tmp_path / "r")


def test_annotations_keep_time_kind_and_note(tmp_path: Path, wave: Array) -> None:
    path = write(tmp_path, "r", wave)
    library.wrann("r", "atr", np.array([5, 300]), symbol=["+", "N"], aux_note=["(AFIB", ""], write_dir=str(tmp_path))
    marks = read_annotations(path)
    assert marks.sample.tolist() == [5, 300]
    assert marks.symbol == ("+", "N")
    assert marks.note == ("(AFIB", "")
    assert marks.sampling_rate == 250.0
    with pytest.raises(InputError, match=r"no annotation file .*r\.qrs"):
        read_annotations(path, "qrs")
    (tmp_path / "r.bad").write_bytes(b"")
    with pytest.raises(InputError, match=r"no readable WFDB record|holds no annotation"):
        read_annotations(path, "bad")
