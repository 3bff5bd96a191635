from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.ecg_labels import (
    CLASSES,
    MEASURING_RATE,
    WindowMeasures,
    beat_rate,
    classify,
    measure,
    monitor_band,
    target_of,
)

NAN = float("nan")


def measures(
    p2p: float = 1.0,
    largest_p2p: float = 1.0,
    rate_est: float = 75.0,
    regularity: float = 0.9,
    rate_from_beats: float = NAN,
    invalid_frac: float = 0.0,
) -> WindowMeasures:
    return WindowMeasures(p2p, largest_p2p, rate_est, regularity, rate_from_beats, invalid_frac)


@pytest.mark.parametrize(
    ("rhythm", "measured", "cls"),
    [
        ("VF", measures(p2p=0.2), "S_VF"),
        ("VFIB", measures(p2p=0.19, largest_p2p=2.0), "I_FINEVF"),
        ("VFL", measures(regularity=0.1), "S_VFL"),
        ("VT", measures(rate_est=150.0, regularity=0.7), "S_VT"),
        ("VT", measures(rate_est=149.9, regularity=0.7), "I_SLOWVT"),
        ("VT", measures(rate_est=200.0, regularity=0.69), "S_VTVF"),
        ("VT", measures(rate_est=80.0, regularity=0.3, rate_from_beats=160.0), "S_VT"),
        ("VT", measures(rate_est=200.0, rate_from_beats=90.0), "I_SLOWVT"),
        ("VT", measures(rate_est=NAN, regularity=0.0), "S_VTVF"),
        ("ASYS", measures(p2p=0.2, largest_p2p=0.2), "N_ASYS"),
        ("ASYS", measures(p2p=0.1, largest_p2p=0.21), "U_ASYSLBL"),
        ("NONVF", measures(), "U_NONVF"),
        ("N", measures(), "N_NSR"),
        ("NSR", measures(), "N_NSR"),
        ("AFIB", measures(), "N_ONR"),
        ("HGEA", measures(), "N_ONR"),
        ("NOISE", measures(), "X_NOISE"),
        ("VF_EDGE", measures(), "X_EDGE"),
        ("NONVF_EDGE", measures(), "X_EDGE"),
        ("UNLABELLED", measures(), "X_UNLABELLED"),
        ("SOMETHING NEW", measures(), "X_UNKNOWN"),
        ("VF", measures(invalid_frac=0.11), "X_INVALID"),
        ("VF", measures(invalid_frac=0.10), "S_VF"),
    ],
)
def test_class_by_label_and_measures(rhythm: str, measured: WindowMeasures, cls: str) -> None:
    assert classify(rhythm, measured) == cls
    assert cls in CLASSES


def test_only_the_strict_classes_are_scored() -> None:
    assert {cls for cls in CLASSES if target_of(cls) == 1} == {"S_VF", "S_VFL", "S_VT"}
    assert {cls for cls in CLASSES if target_of(cls) == 0} == {"N_NSR", "N_ONR", "N_ASYS"}


@settings(deadline=None, max_examples=25)
@given(rate=st.floats(45.0, 300.0), sampling_rate=st.sampled_from([125.0, 200.0, 250.0, 257.0, 360.0, 500.0]))
def test_a_regular_beat_is_measured_at_its_rate_whatever_the_sampling(rate: float, sampling_rate: float) -> None:
    times = np.arange(int(12 * sampling_rate)) / sampling_rate
    phase = (times * rate / 60.0 + 0.5) % 1.0 - 0.5
    beats = np.exp(-0.5 * (phase * 60.0 / rate / 0.04) ** 2)[:, np.newaxis].astype(np.float32)
    filtered = monitor_band(beats, sampling_rate)
    assert len(filtered) == pytest.approx(12 * MEASURING_RATE, abs=2)
    found = measure(filtered[750:2000], beats[:, 0], NAN)
    assert found.rate_est == pytest.approx(rate, rel=0.03)
    assert found.regularity > 0.9
    assert found.p2p == found.largest_p2p


def test_noise_repeats_nothing_and_a_flat_line_has_no_rate() -> None:
    noise = np.random.default_rng(0).standard_normal((3000, 1)).astype(np.float32)
    assert measure(monitor_band(noise, 250.0)[1000:2250], noise[:, 0], NAN).regularity < 0.5
    flat = measure(np.zeros((1250, 2)), np.zeros(1250, dtype=np.float32), NAN)
    assert np.isnan(flat.rate_est)
    assert flat.regularity == 0.0


def test_the_more_regular_lead_gives_the_rate_and_the_larger_one_the_asystole_limit() -> None:
    times = np.arange(1250) / 250.0
    noise = np.random.default_rng(1).standard_normal(1250)
    leads = np.stack([0.1 * noise, np.sin(2 * np.pi * 3.0 * times)], axis=1)
    found = measure(leads, leads[:, 0].astype(np.float32), NAN)
    assert found.rate_est == pytest.approx(180.0, rel=0.01)
    assert found.largest_p2p == pytest.approx(2.0, rel=0.01)
    assert found.p2p < 1.0


def test_missing_samples_are_bridged_for_measuring_and_counted() -> None:
    signal = np.ones((2500, 2), dtype=np.float32)
    signal[100:225, 0] = np.nan
    signal[:, 1] = np.nan
    filtered = monitor_band(signal, 250.0)
    assert np.isfinite(filtered).all()
    assert np.abs(filtered).max() < 1e-6
    assert measure(filtered[:1250], signal[:1250, 0], NAN).invalid_frac == pytest.approx(0.1)


def test_beat_rate_counts_the_beats_inside() -> None:
    beats = np.arange(0.1, 20.0, 0.8)
    assert beat_rate(beats, 5.0, 10.0) == pytest.approx(75.0)
    assert np.isnan(beat_rate(beats, 5.0, 5.9))
    assert np.isnan(beat_rate(np.zeros(0), 0.0, 5.0))
