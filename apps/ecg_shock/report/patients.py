"""Patient by patient: who is decided wrongly, and what is left of the figures without the one who decides them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from apps.ecg_shock.amplitude import ASYSTOLE_MV
from apps.ecg_shock.report.counts import RULED, by_training, n_patients, n_windows, percent
from shared.crossval import fold_spread
from shared.evaluation import interval_text, models_of
from shared.figures import per_group_bars
from shared.metrics import Metric
from shared.metrics.binary import ACCURACY, AUC, BALANCED_ACCURACY, SENSITIVITY, SPECIFICITY
from shared.report import ReportFigure, ReportTable
from shared.results import NETWORK
from shared.stats import Difference, Resamples, average, difference, per_group, resample
from shared.table import Table, n_rows, take

__all__ = [
    "BY_PATIENT", "GAIN", "LEFT_OUT", "MOST_ERRORS",
    "accuracy_bars", "errors_told", "left_out_tables", "patient_tables",
]  # fmt: skip

BY_PATIENT = "Sensitivity and specificity of windows and of patients"
MOST_ERRORS = "The ten patients with most errors"
LEFT_OUT = "Main figures, all patients / without"
GAIN = "Network minus the best classical model"


def errors_by_patient(rows: Table) -> list[tuple[str, int, int]]:
    """Patient, scored rows, wrong rows; the most errors first."""
    names, code = np.unique(rows["patient"].astype(str), return_inverse=True)
    wrong = rows["decision"] != rows["target"]
    count = zip(names.tolist(), np.bincount(code).tolist(), np.bincount(code, wrong).astype(int).tolist(), strict=True)
    return sorted(count, key=lambda line: -line[2])


def errors_told(rows: Table) -> str:
    """How much of all that went wrong is one patient's."""
    ranked = errors_by_patient(rows)
    total = sum(errors for *_, errors in ranked)
    if not total:
        return "No scored window was decided wrongly."
    worst, _, errors = ranked[0]
    return f"{errors} of {total} errors ({errors / total:.0%}) are of one patient, {worst}."


def accuracy_bars(rows: Table) -> ReportFigure:
    """Share of right decisions of each patient."""
    accuracy = per_group(ACCURACY, rows, "patient")
    return ReportFigure(
        per_group_bars(accuracy, "share of right decisions"),
        "Right decisions of each patient's scored windows, lowest first.",
        f"Bars by patient; the mean over {len(accuracy)} patients is {100 * np.mean(list(accuracy.values())):.1f} %.",
    )


def patient_tables(rows: Table) -> list[ReportTable]:
    """Windows beside patients, and who is decided wrongly most often.

    Args:
        rows: scored rows of one model.
    """
    header = (
        "share", "windows", "patients", "of windows, %", "mean over patients, %", "lowest patient", "its share, %",
    )  # fmt: skip
    shares = [_windows_and_patients(metric, rows) for metric in (SENSITIVITY, SPECIFICITY)]
    note = "In the mean over patients one of two windows weighs as much as one of a thousand."
    errors = [(name, str(n), str(wrong), percent(wrong / n)) for name, n, wrong in errors_by_patient(rows)[:10]]
    return [
        ReportTable(BY_PATIENT, header, shares, note),
        ReportTable(MOST_ERRORS, ("patient", "decisions", "errors", "errors, %"), errors),
    ]


def _windows_and_patients(metric: Metric, rows: Table) -> tuple[str, ...]:
    part = metric.rows(rows)
    own = per_group(metric, part, "patient")
    if not own:
        return (metric.name, "0", "0", "-", "-", "-", "-")
    lowest = min(own, key=own.__getitem__)
    share = f"{percent(own[lowest])} ({n_windows(take(part, part['patient'].astype(str) == lowest))} windows)"
    counts = (str(n_windows(part)), str(n_patients(part)))
    return (metric.name, *counts, percent(metric(part)), percent(float(np.mean(list(own.values())))), lowest, share)


def hardest_patient(models: Mapping[str, Table]) -> str | None:
    """The patient with most false decisions of all models together, each model counted once; None without any."""
    errors: Counter[str] = Counter()
    for rows in models.values():
        seeds = len(np.unique(rows["seed"]))
        errors.update({name: wrong / seeds for name, _, wrong in errors_by_patient(rows)})
    name, most = max(errors.items(), key=lambda count: count[1], default=("", 0.0))
    return name if most else None


@dataclass(frozen=True)
class _Case:
    """All models on some of the patients."""

    title: str
    models: Mapping[str, Table]
    means: Mapping[str, float]
    """Model -> mean over folds of the balanced accuracy, NaN where no fold has one."""

    @classmethod
    def of(cls, title: str, rows: Table) -> Self:
        means = {name: spread["mean"] for name, spread in fold_spread(BALANCED_ACCURACY, rows).items()}
        return cls(title, models_of(rows), {name: np.nan if mean is None else mean for name, mean in means.items()})

    def ranked(self) -> list[str]:
        """Names of the models, the best first, those without a mean last."""
        return sorted(self.means, key=lambda name: -np.nan_to_num(self.means[name], nan=-1.0))

    def figures(self, name: str) -> tuple[str, ...]:
        """Balanced accuracy as the mean over folds, sensitivity, specificity and AUC of a model."""
        rows = self.models[name]
        ranking = AUC.format(by_training(AUC, rows))
        return (percent(self.means[name]), percent(SENSITIVITY(rows)), percent(SPECIFICITY(rows)), ranking)


def left_out_tables(table: Table) -> list[ReportTable]:
    """The main figures of all models with all patients and without the hardest, and the network's gain in both cases.

    Args:
        table: scored rows of all models, with the columns model, fold, seed and, for a line with the amplitude rule
            for all models, amplitude_mv.
    """
    hardest = hardest_patient(models_of(table))
    rest = take(table, table["patient"].astype(str) != str(hardest))
    if hardest is None or not n_rows(rest):
        return []
    everyone, others = _Case.of("all patients", table), _Case.of(f"without {hardest}", rest)
    lines = [
        (name, *(" / ".join(pair) for pair in zip(everyone.figures(name), others.figures(name), strict=True)))
        for name in everyone.ranked()
    ]
    header = ("model", "balanced accuracy, mean over folds, %", "sensitivity, %", "specificity, %", "AUC")
    note = (
        f"Patient {hardest} has the most false decisions of all models together, each model counted once. Nothing was "
        f"trained or chosen anew without this patient. {RULED}"
    )
    cases = [everyone, others]
    if "amplitude_mv" in table:
        cases.append(_Case.of("all patients, the rule for both", _with_amplitude_rule(table)))
    return [ReportTable(f"{LEFT_OUT} {hardest}", header, lines, note), *_gain_table(cases)]


def _with_amplitude_rule(table: Table) -> Table:
    """The decisions if every model, not the network alone, left signals under the limit of asystole alone."""
    return {**table, "decision": np.where(table["amplitude_mv"].astype(np.float64) < ASYSTOLE_MV, 0, table["decision"])}


def _gain_table(cases: Sequence[_Case]) -> list[ReportTable]:
    """What the network adds to the best classical model; no table where there is none of them."""
    lines = []
    for case in cases:
        best = next((name for name in case.ranked() if name != NETWORK), None)
        if best is not None:
            gain = _pooled_gain(case.models[NETWORK], case.models[best])
            paired, at_most_zero = interval_text(BALANCED_ACCURACY, gain), percent(gain.share_at_most_zero)
            means = case.means[NETWORK], case.means[best], case.means[NETWORK] - case.means[best]
            lines.append((case.title, best, *map(percent, means), paired, at_most_zero))
    header = (
        "patients", "best classical model", "network, %", "classical model, %", "difference, points",
        "folds pooled, points", "draws at or below 0, %",
    )  # fmt: skip
    note = (
        "Balanced accuracy, mean over folds; in the last columns pooled over folds, with a 95 % interval from the same "
        "1000 draws of patients for both models. The best classical model is chosen on these very rows, for each line "
        f"anew: the network has the hardest opponent. {RULED} In the last line they were given it."
    )
    return [ReportTable(GAIN, header, lines, note)] if lines else []


def _pooled_gain(network: Table, other: Table) -> Difference:
    """The paired difference of the balanced accuracy, each model's mean over its seeds."""
    return difference(_over_seeds(network), _over_seeds(other))


def _over_seeds(rows: Table) -> Resamples:
    seeds = [take(rows, rows["seed"] == seed) for seed in np.unique(rows["seed"])]
    return average([resample(BALANCED_ACCURACY, part, "patient") for part in seeds])
