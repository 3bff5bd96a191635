"""What training does to a window so that the network learns the rhythm and not the recording.

Everything is done before the band-pass that every window goes through, as in nature: the place and the speed of the
window, the lead, noise, the bandwidth of the recorder, clipping, polarity. Gain is left alone: the residual network
divides by the window's size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from apps.ecg_shock.config import HIGHEST_SNR_DB, AugmentConfig
from apps.ecg_shock.data import SAMPLING_RATE, band_pass
from apps.ecg_shock.training.noise_bank import NoiseBank
from apps.ecg_shock.training.strips import Cuttings

__all__ = ["Augmentation"]

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]

JITTER_S = 2.5
"""A window's middle moves by up to half the usual length."""
SPEED_CHANGED = 0.5
"""Share of the windows whose speed drifts, and share of the organised ones that run at another speed altogether."""
SECOND_NOISE = 0.3
"""Share of the noisy windows in which two kinds meet."""
SECOND_SIZE = (0.2, 1.0)
"""Size of the second noise in theirs, as a part of the first."""
SECOND_NOISE_ALONE = 0.5
"""Share of the windows without a heart in which two kinds meet; the second may be of any size up to the first."""
SHARPENED = (-0.6, 0.8)
"""Part of a sample's distance from the mean of three that another recorder adds: it smooths below 0, sharpens above."""
HIGH_PASSED = 0.4
"""Share of the windows with another AC coupling, as a part of the share seen through another recorder."""
LEAST_MV = 1e-3
"""Size that noise is measured against where there is no signal."""
HIGH_PASS_HZ = (0.1, 1.5)
"""Its edge."""
CLIPPED_AT = 0.97
"""Share of the samples that a recorder which clips still holds."""


class Augmentation:
    """Windows cut and disturbed anew.

    Args:
        config: how often and how strongly.
        cuttings: what windows are cut from.
        seed: of the noise.
    """

    def __init__(self, config: AugmentConfig, cuttings: Cuttings, seed: int) -> None:
        self.config, self.cuttings, self.bank = config, cuttings, NoiseBank(seed)

    def length(self, rng: np.random.Generator, usual: int) -> int:
        """Samples of the windows of one batch: mostly the usual number, else any as the configuration says."""
        shortest, longest = self.config.lengths_s
        if rng.random() >= self.config.other_length:
            return usual
        return int(rng.integers(round(shortest * SAMPLING_RATE), round(longest * SAMPLING_RATE) + 1))

    def windows(self, rng: np.random.Generator, rows: Rows, organised: Mask, samples: int) -> npt.NDArray[np.float32]:
        """(rows, samples) disturbed and filtered.

        Args:
            rng: of this batch.
            rows: (n,) of the set.
            organised: (n,) no shock: rhythms of beats stay what they are at any speed that a heart can have.
            samples: length of each at 125 Hz.
        """
        n = len(rows)
        lead = ((rng.random(n) < self.config.second_lead) & (self.cuttings.strips.n_leads[rows] > 1)).astype(np.int64)
        jitter = rng.uniform(-JITTER_S, JITTER_S, n) * SAMPLING_RATE
        ecg = self.cuttings.cut(rows, samples, self._speed(rng, organised), lead, jitter)
        return self._recorded(rng, ecg + self._noise(rng, ecg))

    def noise_only(self, rng: np.random.Generator, rows: int, samples: int) -> npt.NDArray[np.float32]:
        """(rows, samples) of noise without a heart, recorded as windows are."""
        second = rng.uniform(0, 1, (rows, 1)) * (rng.random((rows, 1)) < SECOND_NOISE_ALONE)
        noise = self.bank.pieces(rng, rows, samples) + second * self.bank.pieces(rng, rows, samples)
        return self._recorded(rng, noise)

    def _speed(self, rng: np.random.Generator, organised: Mask) -> FloatArray:
        """Seconds of recording per second of window; beats may come much faster, fibrillation hardly."""
        n = len(organised)
        drift = self.config.speed_drift
        speed = np.exp(rng.uniform(-drift, drift, n) * (rng.random(n) < SPEED_CHANGED))
        slow, fast = self.config.organised_speed
        changed = organised & (rng.random(n) < SPEED_CHANGED)
        return np.where(changed, np.exp(rng.uniform(np.log(slow), np.log(fast), n)), speed)

    def _noise(self, rng: np.random.Generator, ecg: FloatArray) -> FloatArray:
        """(rows, samples) noise at a ratio drawn for each window; the signal is what passes the filter."""
        n, samples = ecg.shape
        noisy = rng.random(n) < self.config.noisy
        decibels = rng.uniform(self.config.lowest_snr_db, HIGHEST_SNR_DB, n)
        size = noisy * (band_pass(ecg).std(axis=1) + LEAST_MV) * 10 ** (-decibels / 20)
        second = size * rng.uniform(*SECOND_SIZE, n) * (rng.random(n) < SECOND_NOISE)
        first_noise, second_noise = self.bank.pieces(rng, n, samples), self.bank.pieces(rng, n, samples)
        return size[:, None] * first_noise + second[:, None] * second_noise

    def _recorded(self, rng: np.random.Generator, ecg: FloatArray) -> npt.NDArray[np.float32]:
        """Through a recorder of another bandwidth and range, perhaps with the leads swapped, and our own filter."""
        n = len(ecg)
        sharper = rng.uniform(*SHARPENED, n) * (rng.random(n) < self.config.recorder)
        ecg = ecg + sharper[:, None] * (ecg - _three_point_mean(ecg))
        ecg = self._high_passed(rng, ecg)
        ecg = self._low_passed(rng, ecg)
        ecg = _clipped(ecg, rng.random(n) < self.config.clipped)
        sign = np.where(rng.random(n) < 0.5, 1, -1)[:, None]
        return (sign * band_pass(ecg)).astype(np.float32)

    def _high_passed(self, rng: np.random.Generator, ecg: FloatArray) -> FloatArray:
        """The AC coupling of another recorder, for part of the batch."""
        chosen = rng.random(len(ecg)) < self.config.recorder * HIGH_PASSED
        edge = rng.uniform(*HIGH_PASS_HZ)
        numerator, denominator = signal.butter(1, edge, "high", fs=SAMPLING_RATE)
        passed = signal.lfilter(numerator, denominator, ecg - ecg[:, :1], axis=1)
        return np.where(chosen[:, None], passed, ecg)

    def _low_passed(self, rng: np.random.Generator, ecg: FloatArray) -> FloatArray:
        """Blunt complexes, as wide beats, another lead or a strong monitor filter show them, for part of the batch."""
        chosen = rng.random(len(ecg)) < self.config.blunt
        low, high = self.config.blunt_hz
        sections = signal.butter(
            int(rng.integers(1, 3)), np.exp(rng.uniform(np.log(low), np.log(high))), fs=SAMPLING_RATE, output="sos"
        )
        start = signal.sosfilt_zi(sections)[:, None, :] * ecg[None, :, :1]
        return np.where(chosen[:, None], signal.sosfilt(sections, ecg, axis=1, zi=start)[0], ecg)


def _three_point_mean(ecg: FloatArray) -> FloatArray:
    padded = np.pad(ecg, ((0, 0), (1, 1)), mode="edge")
    return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3


def _clipped(ecg: FloatArray, chosen: Mask) -> FloatArray:
    """Cut off where the largest samples are, on both sides of the median."""
    middle = np.median(ecg, axis=1, keepdims=True)
    limit = np.quantile(np.abs(ecg - middle), CLIPPED_AT, axis=1, keepdims=True)
    return np.where(chosen[:, None], np.clip(ecg, middle - limit, middle + limit), ecg)
