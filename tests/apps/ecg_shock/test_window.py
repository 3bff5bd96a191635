"""`read_window`: an argument of the wrong kind is one sentence, never a wrong window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.ecg_shock.window import MAX_RATE, EcgWindow, WindowGrid, read_window
from shared.errors import InputError

RECORD = Path(__file__).parents[3] / "apps" / "ecg_shock" / "samples" / "noise"
ECG = np.sin(np.arange(1250) / 10)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("sampling_rate", ["250", True, np.True_, [250.0], 1j, np.nan, np.inf, 0, -250, 10**400]),
        ("unit", [None, 1, b"mV"]),
        ("lead", [None, 0.0, True, -1, [0]]),
        ("start_s", [None, "0", False, np.nan, np.inf]),
        ("duration_s", ["5", True, np.nan, np.inf]),
    ],
)
@pytest.mark.parametrize("source", [ECG, RECORD], ids=["array", "file"])
def test_a_value_of_the_wrong_kind_is_named(source: Any, keyword: str, values: list[Any]) -> None:
    stated = {} if source is RECORD else {"sampling_rate": 250.0}
    for value in values:
        with pytest.raises(InputError, match=f"^{keyword} is .* needed.$"):
            read_window(source, **{**stated, keyword: value})


def test_numbers_of_any_kind_are_taken() -> None:
    window = read_window(ECG, np.int16(250), lead=np.int64(0), start_s=1, duration_s=np.float32(3))  # type: ignore[arg-type]
    assert (window.sampling_rate, window.start_s, window.duration_s) == (250.0, 1.0, 3.0)
    assert read_window(RECORD, lead=0).sampling_rate == 250.0


def test_masked_samples_are_refused() -> None:
    masked = np.ma.masked_greater(ECG, 0.9)
    with pytest.raises(InputError, match="masked"):
        read_window(masked, 250.0)
    assert len(read_window(np.ma.masked_array(ECG), 250.0).ecg) == 1250, "nothing is masked"


def test_a_rate_that_no_recorder_has_is_refused() -> None:
    assert read_window(np.zeros(100_000), MAX_RATE).duration_s == 2.0
    with pytest.raises(InputError, match="200000 Hz; at most 50000 Hz"):
        read_window(np.zeros(1_000_000), 200e3)


@pytest.mark.parametrize("step_s", [0.0, -1.0, 1e-9, 0.5 / 250, 0.6 / 250, 0.999 / 250])
def test_windows_begin_a_sample_apart(step_s: float) -> None:
    with pytest.raises(InputError, match="at least one sample apart"):
        EcgWindow(ECG.astype(np.float32), 250.0).cut(2.0, step_s)


@pytest.mark.parametrize("rate", [75.0, 127.7, 250.0, 333.3, 360.0])
@pytest.mark.parametrize("samples", [1.0, 1.3, 1.5])
def test_no_window_is_cut_twice(rate: float, samples: float) -> None:
    grid = WindowGrid(rate, 2.0, samples / rate)
    assert (np.diff([grid.first(number) for number in range(3000)]) >= 1).all()


def test_lengths_of_windows_are_numbers() -> None:
    with pytest.raises(InputError, match="window_s is '2'"):
        EcgWindow(ECG.astype(np.float32), 250.0).cut("2", 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", ".", "/", Path()])
def test_a_folder_is_no_file(path: str | Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_window(path)
