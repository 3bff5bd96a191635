"""The size of a window is that of its ECG: not of wander, mains or clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ecg_shock.amplitude import ASYSTOLE_MV, amplitude_mv


def tone(hertz: float, rate: float = 250.0, size_mv: float = 1.0, seconds: float = 5.0) -> np.ndarray:
    """A sine of `size_mv` peak to peak."""
    return size_mv / 2 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate + 0.3)


@given(st.floats(75, 2000), st.floats(2, 10), st.floats(0.05, 5), st.floats(2.5, 8))
@settings(deadline=None, max_examples=40)
def test_fibrillation_has_its_size_at_every_rate_and_length(
    rate: float, seconds: float, size_mv: float, hertz: float
) -> None:
    """Never smaller, or a shock would be withheld; a little larger where the window ends on a crest."""
    assert 0.98 * size_mv < amplitude_mv(tone(hertz, rate, size_mv, seconds), rate) < 1.16 * size_mv


@pytest.mark.parametrize(
    ("hertz", "size_mv"), [(0.1, 3.0), (0.3, 1.0), (50.0, 0.5), (60.0, 0.5), (50.0, 1.0), (100.0, 1.0)]
)
@pytest.mark.parametrize("rate", [250.0, 360.0, 500.0])
def test_wander_and_mains_do_not_count(hertz: float, size_mv: float, rate: float) -> None:
    line = np.random.default_rng(0).normal(0, 0.01, round(5 * rate))
    assert amplitude_mv(line + tone(hertz, rate, size_mv), rate) < ASYSTOLE_MV


def test_an_offset_and_a_drift_do_not_count() -> None:
    assert amplitude_mv(np.linspace(7.0, 8.0, 1250), 250) < ASYSTOLE_MV


@pytest.mark.parametrize("place", [0, 3, 600, 1240, 1249])
@pytest.mark.parametrize("rate", [250.0, 500.0])
def test_one_click_makes_no_rhythm(place: int, rate: float) -> None:
    line = np.random.default_rng(0).normal(0, 0.01, round(5 * rate))
    line[place if place < 1249 else -1] += 1.0
    assert amplitude_mv(line, rate) < ASYSTOLE_MV


def test_gaps_are_bridged_and_the_input_is_left_alone() -> None:
    wave = tone(5)
    wave[100:130] = np.nan
    before = wave.copy()
    assert amplitude_mv(wave, 250) == pytest.approx(1.0, rel=0.08)
    np.testing.assert_array_equal(wave, before)
    assert amplitude_mv(np.full(1250, np.nan), 250) == 0.0
