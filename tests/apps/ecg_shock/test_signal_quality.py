"""Every fault is found by its stated rule, and a living signal has none."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ecg_shock.signal_quality import fault

RATE = 250.0


@pytest.fixture
def ecg() -> np.ndarray:
    rng = np.random.default_rng(0)
    time = np.arange(1250) / RATE
    return (np.sin(2 * np.pi * 5 * time) + 0.02 * rng.standard_normal(1250)).astype(np.float32)


def test_a_living_signal_has_no_fault(ecg: np.ndarray) -> None:
    assert fault(ecg, RATE) is None


def test_quiet_noise_of_asystole_has_no_fault() -> None:
    assert fault(0.03 * np.random.default_rng(1).standard_normal(1250), RATE) is None


@pytest.mark.parametrize("level", [0.0, 5.0, -3.2])
def test_a_constant_line_is_flat(level: float) -> None:
    assert str(fault(np.full(1250, level), RATE)).startswith("flat")


def test_a_lead_lost_halfway_is_off(ecg: np.ndarray) -> None:
    ecg[500:] = ecg[500]
    assert fault(ecg, RATE) == "lead off: the line stands still for 3.0 of 5.0 s"


def test_the_last_bit_of_a_converter_is_no_life(ecg: np.ndarray) -> None:
    ecg[:700] = 0.005 * np.random.default_rng(1).integers(0, 2, 700)
    assert str(fault(ecg, RATE)).startswith("lead off: the line stands still for 2.8")


def test_half_of_a_short_window_is_enough(ecg: np.ndarray) -> None:
    ecg[200:460] = 0.3
    assert fault(ecg, RATE) is None, "a second of five"
    assert str(fault(ecg[:500], RATE)).startswith("lead off: the line stands still for 1.0 of 2.0 s")


def test_a_line_that_leaves_for_the_rail_is_off(ecg: np.ndarray) -> None:
    ecg[700:] += 15.0
    assert str(fault(ecg, RATE)).startswith("lead off: the line lies 15 mV apart")


def test_a_large_wander_is_no_lost_lead(ecg: np.ndarray) -> None:
    assert fault(ecg + 4 * np.sin(2 * np.pi * 0.2 * np.arange(1250) / RATE), RATE) is None


def test_one_spike_on_a_dead_line_is_no_life() -> None:
    assert str(fault(np.where(np.arange(1250) == 400, 1.0, 0.0), RATE)).startswith("lead off")


def test_clipped_at_both_ends(ecg: np.ndarray) -> None:
    assert str(fault(np.clip(ecg, -0.3, 0.3), RATE)).startswith("clipped")


def test_tops_of_an_honest_wave_are_not_clipping() -> None:
    beats = np.zeros(1250)
    beats[::200] = 1.0
    assert fault(np.convolve(beats, np.hanning(40), "same") + np.linspace(0, 0.2, 1250), RATE) is None


def test_missing_samples(ecg: np.ndarray) -> None:
    ecg[:200] = np.nan
    assert str(fault(ecg, RATE)).startswith("missing: 16%")


def test_microvolts_taken_for_millivolts(ecg: np.ndarray) -> None:
    assert str(fault(1000 * ecg, RATE)).startswith("out of range")
