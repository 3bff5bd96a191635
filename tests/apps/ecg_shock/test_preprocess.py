"""`preprocess`: rate, band, size, gaps, and no swing at the start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ecg_shock.data import preprocess
from shared.errors import InputError


def tone(hertz: float, rate: float, seconds: float = 8.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [100, 125, 128, 250, 257, 360, 500, 1000])
def test_any_rate_gives_the_same_wave_at_125_hz(rate: float) -> None:
    reference = preprocess(tone(5, 125), 125)
    found = preprocess(tone(5, rate), rate)
    assert found.shape == (1000,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[100:-100], reference[100:-100], atol=0.02)


@pytest.mark.parametrize(("hertz", "kept"), [(0.05, 0.02), (5.0, 1.0), (60.0, 0.02)])
def test_band_keeps_the_heart_and_drops_wander_and_mains(hertz: float, kept: float) -> None:
    size = np.abs(preprocess(tone(hertz, 500, 10), 500)[250:]).max()
    assert size == pytest.approx(kept, abs=0.05)


def test_offset_causes_no_swing_at_the_start() -> None:
    assert np.abs(preprocess(np.full(1800, 5.0), 360)).max() < 1e-4


def test_size_is_kept() -> None:
    wave = tone(4, 250)
    np.testing.assert_allclose(preprocess(3 * wave, 250), 3 * preprocess(wave, 250), rtol=1e-5, atol=1e-6)


def test_gaps_are_bridged_and_the_input_is_left_alone() -> None:
    wave = tone(1, 250)
    wave[:20] = wave[700:720] = np.nan
    before = wave.copy()
    assert np.isfinite(preprocess(wave, 250)).all()
    np.testing.assert_array_equal(wave, before)


@given(st.integers(150, 4000), st.floats(75, 2000))
@settings(deadline=None, max_examples=40)
def test_length_follows_the_rate(samples: int, rate: float) -> None:
    found = preprocess(np.zeros(samples), rate)
    assert abs(len(found) - samples * 125 / rate) <= 1


def test_too_slow_and_empty_recordings_are_refused() -> None:
    with pytest.raises(InputError, match="at least 75 Hz"):
        preprocess(np.zeros(300), 50)
    with pytest.raises(InputError, match="missing"):
        preprocess(np.full(625, np.nan), 125)
