"""Windows as the network and the classical models decide on them: the rows of the prediction table."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.amplitude import amplitude_mv
from apps.ecg_shock.baselines import baselines
from apps.ecg_shock.classical.features import features_of
from apps.ecg_shock.data import ShockWindows, has_verdict
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.window import EcgWindow
from shared.baselines import Baseline
from shared.metrics import Metric
from shared.metrics.binary import AUC, BALANCED_ACCURACY, SENSITIVITY, SPECIFICITY, sensitivity_at_specificity
from shared.table import Table, take

__all__ = ["LIMITS", "METRICS", "PLAIN_LIMIT", "baseline_decisions", "decisions", "fit_baseline", "scored"]

Rows = npt.NDArray[np.integer]

METRICS: tuple[Metric, ...] = (
    BALANCED_ACCURACY,
    SENSITIVITY,
    SPECIFICITY,
    AUC,
    sensitivity_at_specificity(0.99),
)
"""On windows of a class with a verdict; nothing withheld: an undecided window is scored by its probability."""

LIMITS = (
    "Not a medical device: nothing here was tested on patients in need, and no regulator has seen it.",
    "Trained and measured on Holter and laboratory recordings; no out-of-hospital arrest and no chest compressions.",
    "No fine ventricular fibrillation (under 0.2 mV) was in the data, and asystole comes almost from one patient.",
    "Ventricular tachycardia slower than 150 beats a minute mostly gets the advice to shock; no score counts it.",
    "Few patients decide: figures per patient group stand beside the pooled ones, and the intervals resample patients.",
)
PLAIN_LIMIT = "Trained on windows as recorded: strong noise pushes the advice towards shock."

_CARRIED = ("item", "db", "record", "patient", "rhythm", "cls", "target", "start_s", "reader2")


def _table(
    windows: ShockWindows, rows: Rows, logit: npt.NDArray[np.floating], **columns: npt.NDArray[np.generic]
) -> Table:
    """Prediction table: what is known of each window, and what a model said."""
    return {**{name: windows.index[name][rows] for name in _CARRIED}, "logit": np.asarray(logit, np.float32), **columns}


def decisions(advisor: ShockAdvisor, windows: ShockWindows, rows: Rows) -> Table:
    """Ask the advisor about each window as recorded, by the way every user goes.

    Returns:
        A table with one row per window: what the index knows of it, logit, probability, decision (1 shock; taken from
        the probability also where the advice was withheld), undecided (bool) and its reason, and amplitude_mv, whose
        rule for asystole has moved the probability but not the logit.
    """
    asked = [
        EcgWindow(windows.raw(row), float(windows.index["sampling_rate"][row]), float(windows.index["start_s"][row]))
        for row in rows
    ]
    answers = advisor.advise(asked)
    probability = np.array([answer.shock_probability for answer in answers])
    return _table(
        windows,
        rows,
        np.array([answer.logit for answer in answers]),
        probability=probability,
        decision=(probability >= advisor.threshold).astype(np.int8),
        undecided=np.array([answer.status == "undecided" for answer in answers]),
        reason=np.array([answer.reason for answer in answers], dtype=object),
        amplitude_mv=np.array([answer.amplitude_mv for answer in answers]),
    )


@lru_cache(maxsize=2)
def _features(windows: ShockWindows) -> npt.NDArray[np.float64]:
    """(windows, 32) of a whole set: every fold and every classical model reads the same."""
    return features_of([windows.read(row) for row in range(len(windows))])


@lru_cache(maxsize=2)
def _amplitudes(windows: ShockWindows) -> npt.NDArray[np.float64]:
    """(windows,) mV of a whole set, for the same reason."""
    rates = windows.index["sampling_rate"].astype(np.float64)
    return np.array([amplitude_mv(windows.raw(row), rate) for row, rate in enumerate(rates.tolist())])


def fit_baseline(name: str, windows: ShockWindows, rows: Rows, target: npt.NDArray[np.int64], seed: int) -> Baseline:
    """Fit the classical model `name` on windows with labels."""
    return baselines(seed)[name]().fit(_features(windows)[rows], target, groups=windows.index["patient"][rows])


def baseline_decisions(fitted: Baseline, windows: ShockWindows, rows: Rows) -> Table:
    """Score windows with a classical model; the columns are those of `decisions`."""
    probability = fitted.predict_proba(_features(windows)[rows])[:, 1]
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return _table(
        windows,
        rows,
        np.log(clipped / (1 - clipped)),
        probability=probability,
        decision=(probability >= 0.5).astype(np.int8),
        undecided=np.zeros(len(rows), dtype=bool),
        reason=np.full(len(rows), None, dtype=object),
        amplitude_mv=_amplitudes(windows)[rows],
    )


def scored(table: Table) -> Table:
    """The windows whose class has a verdict."""
    return take(table, has_verdict(table["target"]))
