"""A small made-up stand-in for ECG with shockable rhythms: WFDB records with annotations, and the prepared set."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import wfdb

from data_prep.ecg_databases import find_databases
from data_prep.ecg_set import Origin, write_prepared
from data_prep.ecg_shock import EcgShockConfig
from data_prep.synth.ecg_rhythms import RHYTHMS, Signal
from shared.errors import ConfigError

__all__ = ["prepare", "write_records"]

WINDOW_S = 5.0
_PAUSE_S = 2.5
"""Between two rhythms, marked as noise: too short for a window, long enough for filters to settle."""
_RATES_HZ = (250, 360)
_ORIGIN = Origin(
    title="Made-up ECG with shockable rhythms", source="generated from a seed", licence="CC0-1.0", synthetic=True
)


def prepare(out: Path, items: int = 24, seed: int = 0) -> None:
    """Write a synthetic prepared set with exactly `items` windows of 5 s.

    Raises:
        ConfigError: `out` is not empty, or fewer than 24 items are asked for (6 patients with 4 rhythms each).
    """
    with tempfile.TemporaryDirectory() as folder:
        records = write_records(Path(folder) / "synthetic", items, seed)
        write_prepared(find_databases([records]), out, EcgShockConfig(window_s=WINDOW_S, seed=seed), _ORIGIN)


def write_records(folder: Path, items: int = 24, seed: int = 0) -> Path:
    """Write WFDB records (.hea, .dat, .atr), one per made-up patient, with two leads, at 250 or 360 Hz.

    Together they hold `items` stretches of one rhythm, each as long as a window; the rhythms take turns.

    Returns:
        The folder.
    """
    if items < 24:
        raise ConfigError(f"A synthetic set of {items} items was asked for; expected at least 24.")
    patients = min(max(6, items // 8), 40)
    folder.mkdir(parents=True, exist_ok=True)
    codes = list(RHYTHMS)
    for patient in range(patients):
        own = [codes[(patient + turn) % len(codes)] for turn, _ in enumerate(range(patient, items, patients))]
        rng = np.random.default_rng((seed, patient))
        _write_record(f"s{patient:02d}", own, _RATES_HZ[patient % len(_RATES_HZ)], rng, folder)
    return folder


def _write_record(name: str, codes: list[str], rate: int, rng: np.random.Generator, folder: Path) -> None:
    pause, length = round(_PAUSE_S * rate), round(WINDOW_S * rate)
    size, second_lead = rng.uniform(0.7, 1.4), rng.uniform(0.4, 0.9) * rng.choice([-1.0, 1.0])
    parts, marks, notes = [np.zeros(pause)], [0], ["(NOISE"]
    for code in codes:
        marks += [sum(map(len, parts)), sum(map(len, parts)) + length]
        notes += [f"({code}", "(NOISE"]
        parts += [size * RHYTHMS[code](rng, np.arange(length) / rate), np.zeros(pause)]
    heart = np.concatenate(parts)
    leads = np.stack([heart, second_lead * heart], axis=1) + _disturbance(rng, len(heart), rate)
    wfdb.wrsamp(
        name,
        fs=rate,
        units=["mV", "mV"],
        sig_name=["ECG1", "ECG2"],
        p_signal=np.clip(leads, -10.0, 10.0),
        fmt=["16", "16"],
        adc_gain=[1000.0, 1000.0],
        baseline=[0, 0],
        comments=["synthetic"],
        write_dir=str(folder),
    )
    wfdb.wrann(name, "atr", np.array(marks), symbol=["+"] * len(marks), aux_note=notes, fs=rate, write_dir=str(folder))


def _disturbance(rng: np.random.Generator, n_samples: int, rate: int) -> Signal:
    """(samples, 2): slow wander and a little white noise, in mV."""
    times = np.arange(n_samples)[:, np.newaxis] / rate
    wander = 0.1 * np.sin(2.0 * np.pi * 0.25 * times + rng.uniform(0.0, 2.0 * np.pi, 2))
    return wander + 0.008 * rng.standard_normal((n_samples, 2))
