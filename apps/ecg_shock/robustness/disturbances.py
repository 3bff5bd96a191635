"""The conditions under which a network is asked again: windows of other lengths, disturbed, scaled, inverted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import ShockWindows
from apps.ecg_shock.robustness.artefacts import ARTEFACTS, Artefact
from apps.ecg_shock.robustness.durations import excerpts
from apps.ecg_shock.window import EcgWindow

__all__ = [
    "GAIN", "GAINS", "INVERSION", "LENGTH", "LENGTHS_S", "SECOND_LEAD", "SNRS_DB", "Condition", "disturbed", "lengths",
    "subset",
]  # fmt: skip

Rows = npt.NDArray[np.integer[Any]]

LENGTHS_S = (2.0, 3.0, 4.0, 5.0, 8.0, 10.0)
"""Windows in seconds."""
SNRS_DB = (12.0, 6.0, 0.0, -6.0)
"""Signal-to-noise ratios."""
GAINS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors of size; 1 is the window as it is, the reference of all other conditions."""
LENGTH, GAIN, INVERSION, SECOND_LEAD = "length", "gain", "inversion", "second lead"
"""Tests beside those of the artefacts, which go by their own names."""
MOST_NEGATIVES = 1500
"""Non-shockable windows that are disturbed; shockable ones are all."""
SEED = 0
"""Of the windows that are disturbed and of what disturbs them: the same for every network and classical model."""


@dataclass(frozen=True)
class Condition:
    """Windows of a set under one condition."""

    test: str
    """Name of an artefact, or one of `LENGTH`, `GAIN`, `INVERSION`, `SECOND_LEAD`."""
    level: float
    """Seconds, signal-to-noise ratio in dB, or factor; 1 where there is only one."""
    rows: Rows
    """(n,) row of the set of each window."""
    asked: Sequence[EcgWindow]
    """The n windows."""


def lengths(windows: ShockWindows, rows: Rows) -> Iterator[Condition]:
    """These rows of a set as windows of each of `LENGTHS_S` that the set can give."""
    for seconds in LENGTHS_S:
        found = excerpts(windows, seconds).inside(rows)
        if len(found):
            yield Condition(LENGTH, seconds, found.rows, list(found.read()))


def subset(windows: ShockWindows) -> Rows:
    """The rows that are disturbed: all shockable ones, and of the others some drawn at random."""
    target = windows.index["target"].astype(np.int64)
    negatives = np.flatnonzero(target == 0)
    if len(negatives) > MOST_NEGATIVES:
        negatives = np.random.default_rng(SEED).choice(negatives, MOST_NEGATIVES, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(target == 1), negatives]))


def disturbed(windows: ShockWindows, rows: Rows) -> Iterator[Condition]:
    """These rows of a set under every artefact at each of `SNRS_DB`, every gain, inverted, and from the second lead."""
    if not len(rows):
        return
    for artefact in ARTEFACTS.values():
        noise = [_of_equal_power(artefact, windows, row) for row in rows]
        for snr in SNRS_DB:
            size = 10 ** (-snr / 20)
            added = [windows.raw(row) + size * part for row, part in zip(rows, noise, strict=True)]
            yield _condition(artefact.name, snr, windows, rows, added)
    for test, factors in ((GAIN, GAINS), (INVERSION, (-1.0,))):
        for factor in factors:
            scaled = [factor * windows.raw(row) for row in rows]
            yield _condition(test, abs(factor), windows, rows, scaled)
    several = np.array([row for row in rows.tolist() if windows.prepared.read("ecg", row).shape[1] > 1], dtype=np.int64)
    if len(several):
        yield _condition(SECOND_LEAD, 1.0, windows, several, [windows.raw(row, lead=1) for row in several])


def _of_equal_power(artefact: Artefact, windows: ShockWindows, row: int) -> npt.NDArray[np.float64]:
    """(samples,) of an artefact in mV, at the recording's rate, as strong as the window is in the pass band.

    It depends on the artefact and the row alone: neither on the model that is asked nor on the other windows.
    """
    rng = np.random.default_rng([SEED, list(ARTEFACTS).index(artefact.name), row])
    samples, rate = len(windows.raw(row)), float(windows.index["sampling_rate"][row])
    return float(windows.read(row).std()) * artefact.draw(rng, 1, samples, rate)[0]


def _condition(
    test: str, level: float, windows: ShockWindows, rows: Rows, signals: Sequence[npt.NDArray[np.floating]]
) -> Condition:
    rate, start = windows.index["sampling_rate"], windows.index["start_s"]
    asked = [
        EcgWindow(ecg.astype(np.float32), float(rate[row]), float(start[row]))
        for row, ecg in zip(rows, signals, strict=True)
    ]
    return Condition(test, level, rows, asked)
