from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.formats.table_signal import read_table_signal

ECG = np.sin(2 * np.pi * 1.3 * np.arange(500) / 250.0)


def rows(line: Callable[[int], str], header: str = "") -> str:
    return header + "".join(f"{line(number)}\n" for number in range(len(ECG)))


def time(number: int) -> str:
    return f"{number / 250:.3f}"


@pytest.mark.parametrize(
    "text",
    [
        rows(lambda n: f"{time(n)},{ECG[n]:.5f}", "time,ECG\n"),
        rows(lambda n: f"{time(n)},{ECG[n]:.5f}"),
        rows(lambda n: f"{n * 4};{1000 * ECG[n]:.2f}".replace(".", ","), "time_ms;ECG [uV]\n"),
        rows(lambda n: f"{n}\t{time(n)}\t{ECG[n]:.5f}", "sample\tt [s]\tII\n"),
        rows(lambda n: f'"{time(n)}","{ECG[n]:.5f}"', '# exported\n# by hand\n"Time","I"\n'),
    ],
)
def test_a_csv_with_times_carries_its_rate(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    recording = read_table_signal(tmp_path / "a.csv")
    assert recording.sampling_rate == 250.0
    assert recording.signal.shape == (500, 1)
    assert np.abs(recording.signal[:, 0] - ECG).max() < 1e-4


def test_a_csv_without_times_needs_a_rate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows(lambda n: f"{ECG[n]:.5f}"))
    with pytest.raises(InputError, match="does not say its sampling rate"):
        read_table_signal(tmp_path / "a.csv")
    recording = read_table_signal(tmp_path / "a.csv", sampling_rate=250, unit="V", start_s=1.0)
    assert np.allclose(recording.signal[:, 0], 1000 * ECG[250:], atol=0.01)


def test_row_numbers_are_no_lead_and_no_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows(lambda n: f"{n},{ECG[n]:.5f},{-ECG[n]:.5f}", "'sample #','MLII','V5'\n"))
    assert read_table_signal(tmp_path / "a.csv", sampling_rate=250, lead=None).leads == ("MLII", "V5")
    assert read_table_signal(tmp_path / "a.csv", sampling_rate=250, lead="v5").signal[50, 0] == pytest.approx(
        -ECG[50], abs=1e-4
    )


def test_times_printed_with_few_digits_still_give_the_rate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows(lambda n: f"{n / 360:.3f},{ECG[n]:.5f}", "time,ECG\n"))
    assert read_table_signal(tmp_path / "a.csv").sampling_rate == 360.0


def test_empty_cells_are_missing_samples(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows(lambda n: "" if n == 7 else f"{ECG[n]:.5f}", "ECG\n"))
    one = read_table_signal(tmp_path / "a.csv", sampling_rate=250).signal
    (tmp_path / "b.csv").write_text(rows(lambda n: "1," if n == 7 else f"1,{ECG[n]:.5f}", "x,ECG\n"))
    two = read_table_signal(tmp_path / "b.csv", sampling_rate=250, lead="ECG").signal
    assert np.array_equal(one, two, equal_nan=True)
    assert np.flatnonzero(np.isnan(one)).tolist() == [7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("ECG\n", "no table of numbers"),
        (rows(lambda n: "oops" if n == 70 else "1.0"), "invalid value 'oops'"),
        (rows(lambda n: "1,2" if n == 70 else "1.0"), "rows of one length"),
        (rows(lambda n: "1,2", "a,b,c\n"), "3 names of columns above rows of 2 cells"),
        (rows(lambda n: f"{n / 250 + (n > 300)},1", "time,ECG\n"), "do not rise evenly"),
        (rows(lambda n: "1.0,2.0", "I [mV],II [uV]\n"), "different units"),
        (rows(time, "time\n"), "no column of samples"),
        (rows(lambda n: "nan", "ECG\n"), "no valid sample"),
        (rows(lambda n: "inf", "ECG\n"), "infinite"),
        ("a story, not a table\nof numbers\n", "no table of numbers"),
    ],
)
def test_a_bad_csv_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_table_signal(tmp_path / "a.csv", sampling_rate=250)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=200))
def test_any_bytes_read_or_raise_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.csv"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert read_table_signal(path, sampling_rate=250).signal.ndim == 2


def test_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ECG)
    assert np.allclose(read_table_signal(tmp_path / "a.npy", sampling_rate=250).signal[:, 0], ECG)
    np.save(tmp_path / "b.npy", (1000 * np.stack([ECG, -ECG], axis=1)).astype(np.int16))
    both = read_table_signal(tmp_path / "b.npy", sampling_rate=250, unit="uV", lead=None)
    assert both.leads == ("lead 1", "lead 2")
    assert np.abs(both.signal[:, 1] + ECG).max() < 2e-3
    np.savez(tmp_path / "c.npz", ecg=1000 * ECG, sampling_rate=250.0, unit="uV", leads="II")
    recording = read_table_signal(tmp_path / "c.npz")
    assert recording.leads == ("II",)
    assert recording.sampling_rate == 250.0
    assert np.allclose(recording.signal[:, 0], ECG)
    with pytest.raises(InputError, match="250 Hz by its own account, and 360 Hz"):
        read_table_signal(tmp_path / "c.npz", sampling_rate=360)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 500)), r"shape \(2, 500\); expected \(samples,\) or \(samples, leads\)"),
        (np.zeros((3, 3, 3)), "shape"),
        (ECG + 1j, "real numbers"),
        (np.array(["a", "b"]), "real numbers"),
        (np.array([{}], dtype=object), "plain numbers"),
        (np.zeros(0), "holds no sample"),
        (np.full(500, np.nan), "no valid sample"),
        (np.full(500, np.inf), "infinite"),
    ],
)
def test_a_bad_array_is_one_sentence(tmp_path: Path, array: Any, message: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        read_table_signal(tmp_path / "a.npy", sampling_rate=250)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_cut_numpy_file_is_one_sentence(tmp_path: Path, name: str, share: float) -> None:
    if name == "a.npy":
        np.save(tmp_path / name, ECG)
    else:
        np.savez(tmp_path / name, ecg=ECG)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"NumPy file|no text file"):
        read_table_signal(tmp_path / name, sampling_rate=250)


def test_a_rate_must_be_positive_and_a_unit_a_voltage(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ECG)
    with pytest.raises(InputError, match="positive"):
        read_table_signal(tmp_path / "a.npy", sampling_rate=0)
    with pytest.raises(InputError, match="no known unit of voltage"):
        read_table_signal(tmp_path / "a.npy", sampling_rate=250, unit="furlong")
