"""The tables and curves of `stress`: windows of other lengths, artefacts, gain, the leaky split, and the cost."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from apps.ecg_shock.baselines import SINGLE_DETECTOR
from apps.ecg_shock.report.counts import RULED, by_training, percent
from apps.ecg_shock.robustness.artefacts import ARTEFACTS, Artefact
from apps.ecg_shock.robustness.cost import Cost
from apps.ecg_shock.robustness.disturbances import GAIN, INVERSION, LENGTH, SECOND_LEAD, SNRS_DB
from apps.ecg_shock.robustness.stress_goals import goal_table
from apps.ecg_shock.robustness.stress_results import Rates, StressResults
from shared.crossval import fold_spread
from shared.figures import curve
from shared.metrics.binary import AUC, BALANCED_ACCURACY, SENSITIVITY, SPECIFICITY
from shared.report import ReportFigure, ReportTable, Section
from shared.results import NETWORK
from shared.table import Table, take

__all__ = ["sections"]

MEASURES = {"specificity": "specificity", "sensitivity": "sensitivity", "undecided": "share undecided"}
"""Field of `Rates` -> its name in captions."""
SNR_NOTE = (
    "Signal-to-noise ratio: variance of the clean window in the pass band (0.5-30 Hz) over the variance of the "
    "artefact before any filter; it is added to the raw samples. An asterisk marks kinds that no training here draws. "
    f"{RULED}"
)
Folds = Mapping[str, Any]


def sections(results: StressResults, cost: Cost, honest_and_leaky: tuple[Folds, Folds] | None) -> list[Section]:
    """The page; its tables in their order are what stress.json keeps.

    Args:
        results: of all models.
        cost: of one decision.
        honest_and_leaky: for a split by patient and for one that cuts them: model -> balanced accuracy over folds.
    """
    parts = [
        Section("Goals", tables=[goal_table(results, cost)]),
        _length_section(results, cost),
        *_artefact_sections(results),
        Section("Size, polarity and lead", tables=[_gain_table(results)]),
    ]
    if honest_and_leaky is not None:
        parts.append(_leaky_section(*honest_and_leaky))
    return [*parts, Section("What a decision costs", tables=[_size_table(cost), _time_table(cost)])]


def _length_section(results: StressResults, cost: Cost) -> Section:
    levels = sorted(results.levels(LENGTH))
    spread = {model: [_over_folds(results, model, level) for level in levels] for model in results.models}
    means = {model: [_or_nan(found["mean"]) for found in line] for model, line in spread.items()}
    figure = ReportFigure(
        curve(levels, {model: np.multiply(100, line) for model, line in means.items()}, "s", "balanced accuracy, %"),
        "Balanced accuracy by length of the window, mean over held-out folds.",
        f"Curves over {levels[0]:g} to {levels[-1]:g} s; the network begins at {100 * means[NETWORK][0]:.1f} %.",
    )
    compared = ReportTable(
        "Length of the window, all models: balanced accuracy, %",
        ("length", *results.models),
        [
            (f"{level:g} s", *(_mean_and_sd(spread[model][place]) for model in results.models))
            for place, level in enumerate(levels)
        ],
        "Mean over held-out folds (standard deviation over folds). The classical models were fitted on windows of each "
        f"length. {RULED}",
    )
    return Section("Length of the window", tables=[_length_table(results, cost), compared], figures=[figure])


def _over_folds(results: StressResults, model: str, seconds: float) -> Mapping[str, Any]:
    """Mean and deviation of the balanced accuracy over held-out folds; None where the model was not asked."""
    if not results.asked(model, LENGTH, seconds):
        return {"mean": None, "sd over folds": None}
    return fold_spread(BALANCED_ACCURACY, results.rows(model, LENGTH, seconds))[model]


def _length_table(results: StressResults, cost: Cost) -> ReportTable:
    lines = [
        (f"{level:g} s", *_length_cells(rows), f"{level + cost.decision_ms[level] / 1000:.3f}")
        for level, rows in ((level, results.rows(NETWORK, LENGTH, level)) for level in sorted(results.levels(LENGTH)))
    ]
    joined = _compared_with_joined(results)
    if joined is not None:
        lines.append(("5 s, where 10 s begin", *_length_cells(joined), f"{5 + cost.decision_ms[5.0] / 1000:.3f}"))
    return ReportTable(
        "Length of the window, the network",
        (
            "length", "balanced accuracy, %", "sensitivity, %", "specificity, %", "AUC", "undecided, %", "windows",
            "patients", "hands-off, s",
        ),
        lines,
        "Balanced accuracy: mean over held-out folds (standard deviation over folds); the others over all folds, mean "
        "over seeds; an undecided window counts by its probability. 8 and 10 s are joined from two windows that follow "
        "one another, each in one pair. Hands-off: the window and the time on one thread from its samples to the "
        "advice.",
    )  # fmt: skip


def _compared_with_joined(results: StressResults) -> Table | None:
    """The 5-s windows with which those of 10 s begin, so that both lengths are compared on the same patients."""
    if not {5.0, 10.0} <= set(results.levels(LENGTH)):
        return None
    rows = results.rows(NETWORK, LENGTH, 5.0)
    return take(rows, np.isin(rows["row"], results.rows(NETWORK, LENGTH, 10.0)["row"]))


def _length_cells(rows: Table) -> tuple[str, ...]:
    shares = (percent(by_training(metric, rows)) for metric in (SENSITIVITY, SPECIFICITY))
    return (
        _mean_and_sd(fold_spread(BALANCED_ACCURACY, rows)[NETWORK]),
        *shares,
        AUC.format(by_training(AUC, rows)),
        percent(float(rows["undecided"].mean())),
        str(len(np.unique(rows["row"]))),
        str(len(set(rows["patient"].tolist()))),
    )


def _mean_and_sd(spread: Mapping[str, Any]) -> str:
    if spread["mean"] is None:
        return "-"
    deviation = spread["sd over folds"]
    return f"{100 * spread['mean']:.1f}" + ("" if deviation is None else f" ({100 * deviation:.1f})")


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _artefact_sections(results: StressResults) -> Iterator[Section]:
    for measure, title in MEASURES.items():
        models = [NETWORK] if measure == "undecided" else results.models
        tables = [_artefact_table(results, model, measure, title) for model in models]
        figures = [_artefact_figure(results, artefact, models, measure, title) for artefact in ARTEFACTS.values()]
        yield Section(f"Artefacts: {title}", tables=tables, figures=figures)


def _artefact_table(results: StressResults, model: str, measure: str, title: str) -> ReportTable:
    clean = percent(getattr(results.clean(model), measure))
    lines = [
        (
            artefact.title + ("*" if artefact.unseen else ""),
            *(percent(getattr(results.rates(model, name, snr), measure)) for snr in SNRS_DB),
        )
        for name, artefact in ARTEFACTS.items()
    ]
    return ReportTable(
        f"Artefacts, {model}: {title}, %", ("artefact", *(f"{snr:g} dB" for snr in SNRS_DB)), lines,
        f"On the same windows without an artefact: {clean}. {SNR_NOTE}",
    )  # fmt: skip


def _artefact_figure(
    results: StressResults, artefact: Artefact, models: Sequence[str], measure: str, title: str
) -> ReportFigure:
    """A measure over the signal-to-noise ratio: a line for each model, shaded from its lowest to its highest seed."""
    lines, bands = {}, {}
    for model in models:
        by_seed = np.array([_per_seed(results.rows(model, artefact.name, snr), measure) for snr in SNRS_DB])
        lines[model], bands[model] = by_seed.mean(axis=1), (by_seed.min(axis=1), by_seed.max(axis=1))
    return ReportFigure(
        curve(SNRS_DB, lines, "signal-to-noise ratio, dB", f"{title}, %", bands),
        f"{artefact.title}: {title}; shaded from the lowest to the highest seed.",
        f"{title} under {artefact.title}: the network has {lines[NETWORK][-1]:.1f} % at {SNRS_DB[-1]:g} dB.",
    )


def _per_seed(rows: Table, measure: str) -> list[float]:
    seeds = np.unique(rows["seed"])
    return [100 * getattr(Rates.of(take(rows, rows["seed"] == seed)), measure) for seed in seeds]


def _gain_table(results: StressResults) -> ReportTable:
    lines = []
    for model in results.models:
        lines += [
            _gain_line(f"gain x{level:g}" if level != 1 else "as recorded", model, results.rates(model, GAIN, level))
            for level in sorted(results.levels(GAIN))
        ]
        lines.append(_gain_line("inverted", model, results.rates(model, INVERSION, 1.0)))
        if results.levels(SECOND_LEAD):
            second = results.rows(model, SECOND_LEAD, 1.0)
            lines.append(_gain_line("first lead, where there are two", model, results.clean(model, like=second)))
            lines.append(_gain_line("second lead, the same windows", model, Rates.of(second)))
    return ReportTable(
        "Gain, polarity and lead", ("window", "model", "sensitivity, %", "specificity, %", "undecided, %"), lines, RULED
    )


def _gain_line(what: str, model: str, rates: Rates) -> tuple[str, ...]:
    return (what, model, percent(rates.sensitivity), percent(rates.specificity), percent(rates.undecided))


def _leaky_section(honest: Folds, leaky: Folds) -> Section:
    shown = [name for name in honest if name in leaky and not name.startswith(SINGLE_DETECTOR)]
    table = ReportTable(
        "The leaky random split beside the honest one: balanced accuracy, %",
        ("model", "by patient", "random windows"),
        [(name, _mean_and_sd(honest[name]), _mean_and_sd(leaky[name])) for name in shown],
        "Mean over held-out folds (standard deviation over folds).",
    )
    told = (
        "Windows dealt at random put neighbours of every scored window, of the same patient and minute, into training. "
        "The right column therefore tells how well patients are recognised again, not how well a stranger is advised; "
        "it is here to compare with publications that split like this, and for nothing else."
    )
    return Section("What a random split pretends", [told], [table])


def _size_table(cost: Cost) -> ReportTable:
    lines = [
        ("parameters", f"{cost.parameters}"),
        ("multiplications with addition, 5 s", f"{cost.macs}"),
        ("bytes of weights, float32, four each", f"{4 * cost.parameters}"),
        ("bytes of weights, int8 with scales and biases in float32", f"{cost.int8_bytes}"),
    ]
    return ReportTable("Size of the network", ("what", "number"), lines)


def _time_table(cost: Cost) -> ReportTable:
    lines = [(what, f"{milliseconds:.3f}") for what, milliseconds in cost.milliseconds.items()]
    note = (
        f"Fastest rounds on one thread ({platform.machine()}), all in turn in one process; 5 s, or the nearest length."
    )
    return ReportTable("Time of a decision", ("what", "ms"), lines, note)
