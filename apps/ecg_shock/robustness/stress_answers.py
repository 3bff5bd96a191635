"""What a network and the classical models answer under every condition: one table for all that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.baselines import baselines
from apps.ecg_shock.classical.features import features_of
from apps.ecg_shock.data import ShockWindows, readable, training_rows
from apps.ecg_shock.evaluate import fit_baseline
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.robustness.disturbances import LENGTH, LENGTHS_S, disturbed, lengths, subset
from apps.ecg_shock.robustness.durations import Excerpts, excerpts
from apps.ecg_shock.train import ShockExperiment
from shared.baselines import Baseline
from shared.results import NETWORK
from shared.table import Table

__all__ = ["classical_answers", "network_answers"]

Rows = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]


def network_answers(advisor: ShockAdvisor, windows: ShockWindows, rows: Rows) -> Iterator[Table]:
    """Ask a network about rows of a set under every condition, from raw samples to advice.

    Yields:
        Tables with the columns model, test, level, row, patient, target, probability (of shock), decision (1 shock,
        from the probability also where advice was withheld) and undecided.
    """
    for condition in chain(lengths(windows, rows), disturbed(windows, np.intersect1d(subset(windows), rows))):
        answers = advisor.advise(condition.asked)
        yield _table(
            windows,
            (NETWORK, condition.test, condition.level),
            condition.rows,
            np.array([answer.shock_probability for answer in answers]),
            advisor.threshold,
            np.array([answer.status == "undecided" for answer in answers], dtype=bool),
        )


def classical_answers(names: Sequence[str], experiment: ShockExperiment, rows: Rows, seed: int) -> Iterator[Table]:
    """Fit classical models on the experiment's training rows and ask them the same; they never withhold.

    Some features grow with the window, so for every length the models are fitted again on windows of that length.

    Args:
        names: of the models.
        experiment: whose training rows they are fitted on.
        rows: of the set to ask about.
        seed: of the models.
    """
    windows = experiment.windows
    known = experiment.learnt("train")
    for seconds in LENGTHS_S:
        cut, features = _features(windows, seconds)
        held_out = cut.lie_in(rows)
        fitted = _fitted(names, cut, features, known, seed)
        if fitted and held_out.any():
            yield from _decided(windows, (LENGTH, seconds), cut.rows[held_out], fitted, features[held_out])
    fitted = {name: fit_baseline(name, windows, *known, seed) for name in names}
    for condition in disturbed(windows, np.intersect1d(subset(windows), rows)):
        features = features_of([readable(window.ecg, window.sampling_rate) for window in condition.asked])
        yield from _decided(windows, (condition.test, condition.level), condition.rows, fitted, features)


@lru_cache(maxsize=len(LENGTHS_S))
def _features(windows: ShockWindows, seconds: float) -> tuple[Excerpts, FloatArray]:
    """All windows of a length that a lesson or a verdict can be had from, and their features (n, 32).

    Every fold of one process reads the same.
    """
    cut = excerpts(windows, seconds).inside(training_rows(windows, np.arange(len(windows)), irregular_vt=True)[0])
    return cut, features_of([readable(window.ecg, window.sampling_rate) for window in cut.read()])


def _fitted(
    names: Sequence[str], cut: Excerpts, features: FloatArray, known: tuple[Rows, npt.NDArray[np.int64]], seed: int
) -> dict[str, Baseline]:
    """The models, fitted on those windows of a length that lie in the training rows; none where these are one-sided."""
    rows, target = known
    label = np.full(len(cut.windows), -1)
    label[rows] = target
    chosen = cut.lie_in(rows)
    learnt = cut.rows[chosen]
    if len(set(label[learnt].tolist())) < 2:
        return {}
    patients = cut.windows.index["patient"][learnt]
    return {name: baselines(seed)[name]().fit(features[chosen], label[learnt], groups=patients) for name in names}


def _decided(
    windows: ShockWindows, asked: tuple[str, float], rows: Rows, fitted: Mapping[str, Baseline], features: FloatArray
) -> Iterator[Table]:
    for name, model in fitted.items():
        probability = model.predict_proba(features)[:, 1]
        yield _table(windows, (name, *asked), rows, probability, 0.5, np.zeros(len(rows), dtype=bool))


def _table(
    windows: ShockWindows,
    about: tuple[str, str, float],
    rows: Rows,
    probability: FloatArray,
    threshold: float,
    undecided: npt.NDArray[np.bool_],
) -> Table:
    model, test, level = about
    n = len(rows)
    return {
        "model": np.full(n, model, dtype=object),
        "test": np.full(n, test, dtype=object),
        "level": np.full(n, level),
        "row": np.asarray(rows, dtype=np.int64),
        "patient": windows.index["patient"][rows],
        "target": windows.index["target"][rows].astype(np.int8),
        "probability": probability.astype(np.float32),
        "decision": (probability >= threshold).astype(np.int8),
        "undecided": undecided,
    }
