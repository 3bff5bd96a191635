"""Features: textbook answers for textbook signals, definitions written out plainly, no surprise on bad signals."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from apps.ecg_shock.classical.complexity import GRID
from apps.ecg_shock.classical.features import FEATURES, MEASURES, SCALES, features, features_of
from apps.ecg_shock.data import SAMPLING_RATE, preprocess
from apps.ecg_shock.data import SAMPLING_RATE as NETWORK_RATE
from shared.errors import InputError

Window = npt.NDArray[np.float64]

IN_UNITS_OF_MV = {"mV", "mV/s"}
SEES_POLARITY = {"tci", "psr", "hilb", "lempel_ziv", "skewness", "zero_crossings"}


def sine(frequency: float, seconds: float = 5.0, amplitude: float = 1.0) -> Window:
    time = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    return amplitude * np.sin(2 * np.pi * frequency * time)


def sinus_rhythm(rate: float = 75.0, seconds: float = 5.0) -> Window:
    """Narrow R waves and broad T waves on a nearly still line."""
    time = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    phase = np.mod(time - 0.3, 60.0 / rate)
    beats = np.exp(-0.5 * ((phase - 0.1) / 0.012) ** 2) + 0.2 * np.exp(-0.5 * ((phase - 0.35) / 0.05) ** 2)
    return beats - beats.mean() + np.random.default_rng(0).normal(0, 0.005, len(time))


def noise(seconds: float = 5.0, seed: int = 0) -> Window:
    return np.random.default_rng(seed).normal(0, 0.5, round(seconds * SAMPLING_RATE))


def value(name: str, window: Window) -> float:
    return FEATURES[name](window)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Any window that a preprocessed recording can be, the ugly ones first."""
    samples = draw(st.integers(2 * SAMPLING_RATE, 10 * SAMPLING_RATE))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kind = draw(st.sampled_from(["flat", "tick", "clipped", "square", "step", "noise", "paused", "ringing"]))
    gain = draw(st.sampled_from([1e-4, 1e-2, 1.0, 10.0]))
    time = np.arange(samples) / SAMPLING_RATE
    wave = rng.normal(size=samples).cumsum() * 0.1
    shapes = {
        "flat": np.full(samples, rng.normal()),
        "tick": (np.arange(samples) == rng.integers(samples)) * 1.0,
        "clipped": np.clip(10 * wave, -5.12, 5.12),
        "square": np.sign(np.sin(2 * np.pi * rng.uniform(0.5, 60) * time)),
        "step": (time > rng.uniform(0, time[-1])) * 1.0,
        "noise": rng.normal(size=samples),
        "paused": wave * (time < 1.2),
        "ringing": np.exp(-30 * time) * np.sin(2 * np.pi * 14 * time),
    }
    return gain * shapes[kind]


@given(windows())
@settings(deadline=None, max_examples=60)
def test_every_value_is_finite_and_in_its_range(window: Window) -> None:
    before = window.copy()
    values = features(window)
    assert values.shape == (32,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    for number, scale in zip(values, SCALES.values(), strict=True):
        assert scale.low - 1e-9 <= number <= scale.high + 1e-9, scale
    np.testing.assert_array_equal(window, before)


def test_there_are_32_described_features_in_one_order() -> None:
    assert len(FEATURES) == len(SCALES) == 32
    assert list(FEATURES) == list(SCALES)
    window = noise()
    np.testing.assert_array_equal(features(window), [feature(window) for feature in FEATURES.values()])
    for name, feature in FEATURES.items():
        assert feature.__name__ == name
        assert SCALES[name].low <= SCALES[name].flat <= SCALES[name].high
    for measure in MEASURES:
        assert measure.__doc__
        assert any(year in measure.__doc__ for year in map(str, range(1976, 2015))), "the docstring names its source"


def test_features_and_network_share_one_rate() -> None:
    assert SAMPLING_RATE == NETWORK_RATE


@pytest.mark.parametrize("level", [0.0, 3.7, -1e3])
def test_a_flat_line_gets_the_stated_answers(level: float) -> None:
    rounding = 1e-9 * np.random.default_rng(0).normal(size=625)
    np.testing.assert_array_equal(features(level + rounding), [scale.flat for scale in SCALES.values()])


def test_a_flat_line_lies_on_the_far_side_of_sinus_rhythm_from_fibrillation() -> None:
    flat, sinus, fibrillation = (dict(zip(FEATURES, features(w), strict=True)) for w in (
        np.zeros(625), sinus_rhythm(), sine(4.0) + 0.1 * noise(),
    ))  # fmt: skip
    for name in ("tci", "tcsc", "mav", "count2", "count3", "leakage", "psr", "hilb", "kurtosis", "slope_ratio"):
        assert abs(flat[name] - fibrillation[name]) > abs(sinus[name] - fibrillation[name]), name


@given(st.sampled_from([0.01, 0.3, 7.0]), st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_only_features_in_millivolts_see_the_gain(gain: float, seed: int) -> None:
    window = sinus_rhythm(90) + 0.3 * noise(seed=seed)
    once, scaled = features(window), features(gain * window)
    for number, (name, scale) in enumerate(SCALES.items()):
        factor = gain if scale.unit in IN_UNITS_OF_MV else 1.0
        tolerance = 0.01 if name == "sample_entropy" else 1e-6  # its distances are float32
        assert scaled[number] == pytest.approx(factor * once[number], rel=tolerance, abs=1e-9), name


@pytest.mark.parametrize("name", sorted(FEATURES.keys() - SEES_POLARITY))
def test_a_swapped_lead_changes_nothing(name: str) -> None:
    window = sinus_rhythm() + 0.1 * noise()
    assert value(name, -window) == pytest.approx(value(name, window), rel=1e-9)


@pytest.mark.parametrize("seconds", [2.0, 2.5, 3.0, 5.0, 7.9, 10.0])
def test_a_sine_has_the_textbook_values_at_any_length(seconds: float) -> None:
    window = sine(4.0, seconds)
    expected = {
        "tci": (250.0, 15.0), "mav": (2 / math.pi, 0.01), "leakage": (0.0, 0.06), "spec_m": (1.0, 0.06),
        "spec_a1": (0.0, 0.02), "spec_a2": (1.0, 0.05), "spec_a3": (0.0, 0.02), "peak_frequency": (4.0, 0.26),
        "centroid": (4.0, 0.1), "peak_to_peak": (2.0, 0.01), "std": (math.sqrt(0.5), 0.01), "skewness": (0.0, 0.03),
        "median_deviation": (math.sqrt(0.5), 0.02), "kurtosis": (1.5, 0.02), "zero_crossings": (8.0, 0.6),
        "slope_ratio": (math.sqrt(0.5), 0.01), "slope_p99": (8 * math.pi, 0.1), "regularity": (1.0, 0.01),
        "rate": (240.0, 8.0), "peak_variation": (0.0, 0.01), "lempel_ziv": (0.1, 0.1),
    }  # fmt: skip
    for name, (answer, tolerance) in expected.items():
        assert value(name, window) == pytest.approx(answer, abs=tolerance), name


@pytest.mark.parametrize("rate", [60, 75, 150, 210])
def test_rate_and_regularity_of_even_beats(rate: int) -> None:
    window = sinus_rhythm(rate)
    assert value("rate", window) == pytest.approx(rate, rel=0.03)
    assert value("regularity", window) > 0.9


def test_pulses_three_times_a_second_have_an_interval_of_a_third() -> None:
    time = np.arange(5 * SAMPLING_RATE) / SAMPLING_RATE
    assert value("tci", (np.mod(3 * time + 0.4, 1) < 0.3) - 0.3) == pytest.approx(1000 / 3, rel=0.03)


def test_a_second_without_a_pulse_counts_as_a_full_second() -> None:
    window = sine(4.0, 3.0)
    window[SAMPLING_RATE : 2 * SAMPLING_RATE] = -0.5
    assert value("tci", window) == 1000.0


@pytest.mark.parametrize("seconds", [2.0, 4.2, 5.0])
def test_tcsc_as_the_paper_counts(seconds: float) -> None:
    window = sinus_rhythm(90, seconds)
    length = min(3 * SAMPLING_RATE, len(window))
    percentages = []
    for start in range(0, len(window) - length + 1, SAMPLING_RATE):
        piece = window[start : start + length]
        taper = [min(1, 0.5 * (1 - math.cos(4 * math.pi * t))) if t < 0.25 else 1.0 for t in np.arange(length) / 125]
        size = np.abs(piece * taper * taper[::-1])
        percentages.append(100 * np.mean(size / size.max() > 0.2))
    assert value("tcsc", window) == pytest.approx(np.mean(percentages), abs=0.5)


def test_the_band_of_the_counts_is_that_of_the_paper() -> None:
    fast, ours = (
        signal.freqz(b, a, worN=np.linspace(1, 40, 4000), fs=rate)
        for b, a, rate in (
            ([0.5, 0, -0.5], [8, -14, 7], 250),
            ([1, 0, -1], [1, -1.3125, 0.765625], SAMPLING_RATE),
        )
    )
    for frequency, response in (fast, ours):
        assert frequency[np.argmax(np.abs(response))] == pytest.approx(14.6, abs=0.4)
    widths = [np.ptp(f[np.abs(h) > np.abs(h).max() / math.sqrt(2)]) for f, h in (fast, ours)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_counts_as_the_paper_counts_them() -> None:
    window = sinus_rhythm() + 0.2 * noise()
    filtered = [0.0] * len(window)
    x = window - window[0]
    for i in range(len(x)):
        past = [filtered[i - k] if i >= k else 0.0 for k in (1, 2)]
        filtered[i] = 1.3125 * past[0] - 0.765625 * past[1] + x[i] - (x[i - 2] if i >= 2 else 0.0)
    shares = []
    for start in range(0, len(x), SAMPLING_RATE):
        size = np.abs(filtered[start : start + SAMPLING_RATE])
        deviation = np.mean(np.abs(size - size.mean()))
        within = (size >= size.mean() - deviation) & (size <= size.mean() + deviation)
        shares.append([np.mean(size > size.max() / 2), np.mean(size > size.mean()), np.mean(within)])
    assert [value(f"count{k}", window) for k in (1, 2, 3)] == pytest.approx(np.mean(shares, axis=0))


@pytest.mark.parametrize("name", ["psr", "hilb"])
def test_boxes_as_the_paper_counts_them(name: str) -> None:
    window = sinus_rhythm() + 0.05 * noise()
    other = np.roll(window, -62) if name == "psr" else signal.hilbert(window - window.mean()).imag
    points = list(zip(window, other, strict=True))[: len(window) - (62 if name == "psr" else 0)]
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*points, strict=True))
    visited = {
        (min(int(GRID * (x - left) / (right - left)), 39), min(int(GRID * (y - low) / (high - low)), 39))
        for x, y in points
    }
    assert value(name, window) == pytest.approx(len(visited) / 1600)


def test_fibrillation_fills_phase_space_and_sinus_rhythm_does_not() -> None:
    chirp = signal.chirp(np.arange(625) / 125, 3.0, 5.0, 7.0) * (1 + 0.5 * sine(0.3))
    for name in ("psr", "hilb"):
        assert value(name, chirp) > 1.5 * value(name, sinus_rhythm())


@pytest.mark.parametrize("window", [sinus_rhythm(), sine(3.3), noise(), sinus_rhythm(180, 2.0)], ids=range(4))
def test_lempel_ziv_by_its_definition(window: Window) -> None:
    centred = window - window.mean()
    top, bottom = centred.max(), centred.min()
    above = np.sum((centred > 0) & (centred < 0.1 * top))
    below = np.sum((centred < 0) & (centred > 0.1 * bottom))
    threshold = 0.0 if above + below < 0.4 * len(window) else 0.2 * (top if above < below else bottom)
    text = "".join("1" if x > threshold else "0" for x in centred)
    words, word, seen = 0, "", ""
    for letter in text:
        word += letter
        if word not in (seen + word)[:-1]:
            seen, word, words = seen + word, "", words + 1
    expected = (words + bool(word)) * math.log2(len(text)) / len(text)
    assert value("lempel_ziv", window) == pytest.approx(expected)


def test_lempel_ziv_of_coin_flips_is_near_one_and_of_repetition_near_zero() -> None:
    flips = np.random.default_rng(0).integers(0, 2, 1250) - 0.5
    assert value("lempel_ziv", flips) == pytest.approx(1.0, abs=0.12)
    assert value("lempel_ziv", np.tile([1.0, 1.0, -1.0, -1.0], 312)) < 0.1


@pytest.mark.parametrize("window", [sinus_rhythm(75, 2.0), sine(3.3, 3.0), noise(2.0)], ids=range(3))
def test_sample_entropy_by_its_definition(window: Window) -> None:
    tolerance, count = 0.2 * window.std(), {2: 0, 3: 0}
    for m in count:
        templates = np.stack([window[i : i + m] for i in range(len(window) - 2)])
        for i in range(len(templates) - 1):
            distance = np.abs(templates[i + 1 :] - templates[i]).max(axis=1)
            count[m] += int(np.sum(distance <= tolerance))
    assert value("sample_entropy", window) == pytest.approx(-math.log(count[3] / count[2]), rel=2e-3)


def test_moments_against_scipy() -> None:
    window = sinus_rhythm() + 0.1 * noise()
    assert value("kurtosis", window) == pytest.approx(stats.kurtosis(window, fisher=False))
    assert value("skewness", window) == pytest.approx(stats.skew(window))
    assert value("median_deviation", window) == pytest.approx(stats.median_abs_deviation(window))


def test_windows_of_several_lengths() -> None:
    several = [noise(2.0), sine(4.0), sinus_rhythm(seconds=10.0).astype(np.float32)]
    table = features_of(several)
    np.testing.assert_array_equal(table, [features(window) for window in several])
    assert features_of([]).shape == (0, 32)


@pytest.mark.parametrize("window", [np.zeros((2, 625)), np.zeros(249), np.zeros(1251), np.float64(1.0)], ids=range(4))
def test_another_shape_or_length_is_refused(window: Window) -> None:
    with pytest.raises(InputError, match="2 to 10 s at 125 Hz"):
        features(window)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_number_are_refused(bad: float) -> None:
    window = noise()
    window[10] = bad
    with pytest.raises(InputError, match="NaN or infinite"):
        features(window)


def test_preprocessing_then_features_keeps_a_rhythm_apart_from_fibrillation() -> None:
    """At the rates of the public databases, through the filter that the network uses."""
    for rate in (250, 360):
        time = np.arange(5 * rate) / rate
        fibrillation = preprocess(np.sin(2 * np.pi * 4.5 * time) * (1 + 0.3 * np.sin(time)), rate)
        sinus = preprocess(np.interp(time, np.arange(625) / 125, sinus_rhythm()), rate)
        shocking, organised = (dict(zip(FEATURES, features(w), strict=True)) for w in (fibrillation, sinus))
        assert shocking["leakage"] < 0.2 < 0.6 < organised["leakage"]
        assert shocking["slope_ratio"] > 0.5 > 0.1 > organised["slope_ratio"]
        assert shocking["count2"] > 1.3 * organised["count2"]
