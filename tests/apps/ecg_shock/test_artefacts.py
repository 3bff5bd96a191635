"""Artefacts are what their names say: as strong as stated, where in the spectrum as stated, the same from one seed."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ecg_shock.robustness.artefacts import ARTEFACTS, Artefact

EVERY = pytest.mark.parametrize("artefact", ARTEFACTS.values(), ids=ARTEFACTS)


def spectrum(name: str, rate: float = 250.0) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, and the share of the power at each, over many draws of 20 s."""
    drawn = ARTEFACTS[name].draw(np.random.default_rng(0), 60, round(20 * rate), rate)
    power = (np.abs(np.fft.rfft(drawn, axis=1)) ** 2).mean(axis=0)
    return np.fft.rfftfreq(drawn.shape[1], 1 / rate), power / power.sum()


def share(name: str, low: float, high: float) -> float:
    frequency, power = spectrum(name)
    return float(power[(frequency >= low) & (frequency <= high)].sum())


@EVERY
@pytest.mark.parametrize("rate", [125.0, 250.0, 360.0])
def test_variance_is_one_over_a_long_view(artefact: Artefact, rate: float) -> None:
    drawn = artefact.draw(np.random.default_rng(1), 40, round(60 * rate), rate)
    assert drawn.shape == (40, round(60 * rate))
    assert np.isfinite(drawn).all()
    assert abs(drawn.mean()) < 0.1
    assert (drawn**2).mean() == pytest.approx(1.0, rel=0.12)


@EVERY
def test_short_windows_are_as_strong_on_average(artefact: Artefact) -> None:
    drawn = artefact.draw(np.random.default_rng(2), 1500, 500, 250.0)
    assert (drawn**2).mean() == pytest.approx(1.0, rel=0.12)


@EVERY
def test_a_seed_draws_the_same_and_rows_differ(artefact: Artefact) -> None:
    first, second = (artefact.draw(np.random.default_rng(3), 2, 1250, 250.0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first[0] - first[1]).max() > 0.1


@EVERY
def test_the_lowest_rate_of_a_recording_is_served(artefact: Artefact) -> None:
    assert np.isfinite(artefact.draw(np.random.default_rng(4), 3, 150, 75.0)).all()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("wander", 0.0, 1.05), ("muscle", 13.0, 42.0), ("mains 50", 49.5, 50.5), ("mains 60", 59.5, 60.5),
     ("compressions", 1.3, 9.0), ("tremor", 3.5, 20.0), ("bursts", 2.0, 70.0)],
)  # fmt: skip
def test_the_power_lies_where_it_is_said_to(name: str, low: float, high: float) -> None:
    assert share(name, low, high) > 0.93


def test_compressions_have_overtones_but_no_fifth() -> None:
    assert 0.6 < share("compressions", 1.35, 2.25) < 0.8
    assert share("compressions", 2.6, 8.9) > 0.2


def test_pink_noise_has_the_same_power_in_every_octave() -> None:
    octaves = [share("pink", low, 2 * low) for low in (0.5, 2.0, 8.0, 32.0)]
    assert max(octaves) / min(octaves) < 1.25


def test_steps_stand_still_between_jumps() -> None:
    drawn = ARTEFACTS["steps"].draw(np.random.default_rng(5), 50, 2500, 250.0)
    jumps = np.count_nonzero(np.diff(drawn, axis=1), axis=1)
    assert jumps.mean() == pytest.approx(0.8 * 10, rel=0.2)


def test_pacing_is_quiet_between_spikes() -> None:
    drawn = np.abs(ARTEFACTS["pacing"].draw(np.random.default_rng(6), 20, 2500, 250.0))
    assert np.median(drawn) < 0.05 < 5 < drawn.max()


def test_bursts_come_and_go() -> None:
    drawn = ARTEFACTS["bursts"].draw(np.random.default_rng(7), 50, 2500, 250.0)
    assert (drawn != 0).mean() == pytest.approx(0.4, abs=0.04)


def test_what_trainings_draw_is_not_called_unseen() -> None:
    """Wander, muscle, compressions, pulled cables and bursts of noise are of families that `noise_bank` makes."""
    unseen = {name for name, artefact in ARTEFACTS.items() if artefact.unseen}
    assert unseen == {"mains 50", "mains 60", "pink", "tremor", "pacing"}


def test_mains_keeps_its_overtone_only_where_the_rate_holds_it() -> None:
    assert share("mains 50", 40, 60) > 0.99  # 150 Hz is beyond half of 250 Hz
    frequency, power = spectrum("mains 50", rate=500.0)
    assert power[frequency > 140].sum() == pytest.approx(0.05, abs=0.01)
