"""How much calibration error a perfect model would show on the same rows: chance alone leaves a floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from apps.ctr_prediction.report.printed import fine
from apps.ctr_prediction.report.trainings import trainings
from shared.calibrate import reliability
from shared.evaluation import models_of
from shared.figures import curve
from shared.metrics.binary import ECE, ece
from shared.metrics.weighted import equal_mass_bins
from shared.report import ReportFigure, ReportTable
from shared.table import Table, n_rows, require

__all__ = ["CAPTION", "EceFloor", "calibration_figure", "calibration_table", "mean_floor", "simulated_ece"]

FloatArray = npt.NDArray[np.float64]

CAPTION = "Calibration error against what chance leaves"
BINS = 15
"""Of equal mass; those of the metric."""
SIMULATIONS = 400
LEVEL = 0.95


def simulated_ece(probability: npt.ArrayLike, simulations: int = SIMULATIONS, seed: int = 0) -> FloatArray:
    """Calibration errors of a model whose probabilities are the truth.

    Args:
        probability: (n,) the probabilities that labels are drawn from.
        simulations: how often.
        seed: of the draws.

    Returns:
        (simulations,) errors over bins of equal mass, as `shared.metrics.binary.ece` counts them.
    """
    ranked = np.sort(np.asarray(probability, dtype=np.float64))
    bins = equal_mass_bins(ranked, np.zeros(len(ranked)), np.ones(len(ranked)), BINS)
    starts = np.append(0, np.cumsum(bins.mass)[:-1]).astype(np.int64)
    rng = np.random.default_rng(seed)
    errors = np.empty(simulations)
    for number in range(simulations):
        clicks = np.add.reduceat((rng.random(len(ranked)) < ranked).astype(np.float64), starts)
        errors[number] = np.abs(clicks - bins.mass * bins.predicted).sum() / len(ranked)
    return errors


@dataclass(frozen=True)
class EceFloor:
    """A calibration error beside those of a perfect model on as many rows."""

    ece: float
    """Found."""
    expected: float
    """Mean of the perfect model's."""
    floor: float
    """95 % of the perfect model's lie below."""

    @property
    def excess(self) -> float:
        """What the found error has above the floor; negative where chance explains it."""
        return self.ece - self.floor

    @classmethod
    def of(cls, rows: Table) -> Self:
        """Of one training. NaN throughout where there are no rows."""
        require(rows, "probability", "target")
        if not n_rows(rows):
            return cls(float("nan"), float("nan"), float("nan"))
        perfect = simulated_ece(rows["probability"])
        found = ece(rows, np.ones(n_rows(rows)), BINS)
        return cls(found, float(perfect.mean()), float(np.quantile(perfect, LEVEL)))


def mean_floor(rows: Table) -> EceFloor:
    """Mean over the trainings of one model."""
    found = [EceFloor.of(part) for part in trainings(rows)]
    means = np.mean([(one.ece, one.expected, one.floor) for one in found], axis=0)
    return EceFloor(*means.tolist())


def calibration_table(table: Table) -> ReportTable:
    """One line for each model.

    Args:
        table: columns model, target, probability; seed where there are several trainings.
    """
    lines = []
    for name, rows in models_of(table).items():
        found = mean_floor(rows)
        values = (found.ece, found.expected, found.floor, found.excess)
        lines.append((name, *map(fine, values)))
    header = ("model", "calibration error", "a perfect model's mean", "its 95 % floor", "excess over the floor")
    note = (
        f"Calibration error over {BINS} bins of equal mass, on the rows as sampled. The floor is the 95th percentile "
        f"of {SIMULATIONS} simulations in which clicks are drawn from the model's own probabilities: a perfect model "
        "is below it 19 times in 20."
    )
    return ReportTable(CAPTION, header, lines, note)


def calibration_figure(rows: Table, n_bins: int = 10) -> ReportFigure:
    """Observed against predicted share of clicks in bins, with the band in which a perfect model's dots lie.

    Args:
        rows: of one model; of several trainings the first is drawn.
        n_bins: dots.
    """
    first = trainings(rows)[0]
    bins = reliability(first, n_bins=n_bins)
    predicted, mass = bins["predicted"], bins["mass"]
    low, high = (binom.ppf(tail, mass, predicted) / mass for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    lines: Mapping[str, Sequence[float]] = {"observed": bins["observed"].tolist(), "perfect": predicted.tolist()}
    return ReportFigure(
        curve(predicted, lines, "predicted click rate", "observed click rate", {"perfect": (low, high)}),
        "Observed against predicted click rate in bins of equal mass, as sampled; 95 % of a perfect model's dots lie "
        "in the band.",
        f"Reliability curve with a band; calibration error {fine(ECE(first))}.",
    )
