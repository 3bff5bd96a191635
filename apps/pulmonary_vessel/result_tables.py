"""What the field tabulates of scored scans: by origin, by condition, scan by scan, at sparse points, by threshold.

Phantoms, renderings and real scans are different sets: every line says which it is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.pulmonary_vessel.evaluate import REPORTED, point_column, scored
from apps.pulmonary_vessel.measures.agreement import AGREEMENT_SCORES
from apps.pulmonary_vessel.measures.points import POINT_KINDS
from apps.pulmonary_vessel.measures.scores import AIRWAY, CENTRELINE_RECALL, CLDICE, SCORES
from shared.evaluation import models_of
from shared.figures import curve
from shared.metrics import Metric
from shared.metrics.dense import MEAN_DICE
from shared.report import ReportFigure, ReportTable, Section, captioned
from shared.results import NETWORK
from shared.table import Table, n_rows, take

__all__ = ["sections", "tables"]

Mask = npt.NDArray[np.bool_]

_FISSURE, _OVER, _UNDER = (
    next(metric for metric in SCORES if metric.name == name)
    for name in ("fissure called vessel", "over-segmentation", "under-segmentation")
)
SHOWN = (MEAN_DICE, CLDICE, _OVER, _UNDER, *CENTRELINE_RECALL[1:], AIRWAY, _FISSURE)
"""Scores that are looked at first."""
CHALLENGE = (
    "real, 12 methods of the ISICDM 2020 challenge on its own scans, as published",
    "-", "-", "0.70 to 0.85, the top three about 0.80",
)  # fmt: skip
"""Tan et al. 2021, doi 10.3233/XST-210955 (abstract)."""
MOST_SCANS = 40
"""Scans that are listed one by one."""
BY_ORIGIN, CONDITIONS, EACH = "Beside the challenge", "By contrast, section and noise", "Scan by scan"
POINTS, PAIRS, SILVER = "At sparse points", "Two reconstructions of one acquisition", "Against masks made by a rule"
REGION = "Scored: voxels inside the lung as labelled, at one threshold for each model, chosen on other patients."


def tables(table: Table) -> list[ReportTable]:
    """Every table that these scans allow.

    Args:
        table: of all models, named in the column `model`.
    """
    models = {name: scored(rows) for name, rows in models_of(table).items()}
    made = (_by_origin(models), _conditions(models), _each(models), _points(models), _pairs(models), _silver(table))
    return [shown for shown in made if shown is not None]


def sections(table: Table, summary: Mapping[str, Any]) -> list[Section]:
    """The tables with the figures that go with them."""
    found = {words: captioned(summary["tables"], words) for words in (BY_ORIGIN, CONDITIONS, EACH)}
    other = [shown for words in (POINTS, PAIRS, SILVER) for shown in captioned(summary["tables"], words)]
    made = [
        Section("Kinds of scan", tables=[*found[BY_ORIGIN], *found[CONDITIONS]]),
        Section("Scans", ["Pictures of the network's errors are in the run's folder outputs."], found[EACH]),
        Section("Without voxel labels", tables=other),
        Section("Threshold", figures=_threshold_curves(table)),
    ]
    return [section for section in made if section.tables or section.figures]


def _labelled(rows: Table) -> Mask:
    return rows["truth"] == "labels"


def _scans(rows: Table) -> str:
    return str(len(set(rows["item"].tolist())))


def _cells(rows: Table, metrics: Sequence[Metric]) -> list[str]:
    return [metric.format(metric(rows)) for metric in metrics]


def _header(*first: str) -> tuple[str, ...]:
    return (*first, *(f"{metric.name}, %" if metric.percent else metric.name for metric in SHOWN))


def _by_origin(models: Mapping[str, Table]) -> ReportTable | None:
    """Each kind of scan with voxel labels and each model, and the challenge's published figures."""
    lines = []
    for origin in sorted({str(name) for rows in models.values() for name in rows["origin"][_labelled(rows)]}):
        for model, rows in models.items():
            own = take(rows, _labelled(rows) & (rows["origin"] == origin))
            lines.append((origin, model, _scans(own), *_cells(own, SHOWN)))
    if not lines:
        return None
    lines.append((*CHALLENGE, *["-"] * (len(SHOWN) - 1)))
    return ReportTable(
        f"{BY_ORIGIN}: scans whose voxels are labelled", _header("kind of scan", "model", "scans"), lines,
        f"{REGION} The challenge's scans are not available: its figures are of other scans and other labels. A phantom "
        "is made up; a rendering has mostly real anatomy and synthetic grey values.",
    )  # fmt: skip


def _bands(rows: Table) -> Iterator[tuple[str, Mask]]:
    section, noise = rows["section_mm"].astype(float), rows["noise_hu"].astype(float)
    usual = (section >= 1) & (section <= 2.5) & (noise >= 20) & (noise <= 50)
    yield "section 1 to 2.5 mm, noise 20 to 50 HU", usual
    for name, label in (("plain", "without contrast"), ("contrast", "with contrast")):
        yield f"the same, {label}", usual & (rows["contrast"] == name)
    yield "section under 1 mm", section < 1
    yield "section over 2.5 mm", section > 2.5
    yield "noise under 20 HU", noise < 20
    yield "noise over 50 HU", noise > 50


def _conditions(models: Mapping[str, Table]) -> ReportTable | None:
    """How a model fares where scans are alike; of phantoms, whose making is known."""
    phantoms = {model: take(rows, _labelled(rows) & (rows["origin"] == "phantom")) for model, rows in models.items()}
    bands = {model: dict(_bands(rows)) for model, rows in phantoms.items()}
    lines = []
    for words in bands[NETWORK]:
        for model, rows in phantoms.items():
            own = take(rows, bands[model][words])
            if n_rows(own):
                lines.append((f"phantom, {words}", model, _scans(own), *_cells(own, SHOWN)))
    return ReportTable(CONDITIONS, _header("kind of scan", "model", "scans"), lines, REGION) if lines else None


def _each(models: Mapping[str, Table]) -> ReportTable | None:
    """Dice and clDice of every model on every scan, and the network's errors."""
    network = models[NETWORK]
    items = list(dict.fromkeys(network["item"][_labelled(network)].tolist()))
    if not 0 < len(items) <= MOST_SCANS:
        return None
    lines = []
    for item in items:
        of_item = {model: take(rows, rows["item"] == item) for model, rows in models.items()}
        own = of_item[NETWORK]
        both = [" / ".join(_cells(rows, (MEAN_DICE, CLDICE))) for rows in of_item.values()]
        name = f"{item} ({own['origin'][0]})"
        lines.append((name, *_cells(own, (AIRWAY, _FISSURE, _OVER, _UNDER)), *both))
    errors = ("airway, %", "fissure, %", "over, %", "under, %")
    header = ("scan", *(f"network: {word}" for word in errors), *(f"{model}: Dice / clDice" for model in models))
    return ReportTable(f"{EACH}: Dice / clDice", header, lines, REGION)


def _points(models: Mapping[str, Table]) -> ReportTable | None:
    lines = []
    for model, rows in models.items():
        own = take(rows, rows["points"].astype(float) > 0)
        if not n_rows(own):
            return None
        total = {name: float(np.nansum(own[name].astype(float))) for name in own if str(name).startswith("point")}
        lines.append(
            (
                f"real, {total['points']:.0f} sparse points in {_scans(own)} scans",
                model,
                _share(total["points_right"], total["points"]),
                _share(total["point_pairs_right"], total["point_pairs"]),
                *(_of(total, kind) for kind in POINT_KINDS),
            )
        )
    header = ("kind of scan", "model", "accuracy", "AUC", *(f"{kind}, called vessel" for kind in POINT_KINDS))
    note = "AUC: share of the pairs of a vessel's point and another of the same scan that are ranked rightly."
    return ReportTable(POINTS, header, lines, f"{note} Accuracy is of the finished mask.")


def _of(total: Mapping[str, float], kind: str) -> str:
    return f"{total[point_column(kind, '_marked')]:.0f} of {total[point_column(kind)]:.0f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def _pairs(models: Mapping[str, Table]) -> ReportTable | None:
    lines = []
    for model, rows in models.items():
        own = take(rows, np.isfinite(rows["pair_tp"].astype(float)))
        for number in range(n_rows(own)):
            counts = {name: own[f"pair_{name}"][number : number + 1] for name in ("tp", "fp", "fn")}
            lines.append((f"{own['pair'][number]} ({own['origin'][number]})", model, *_cells(counts, AGREEMENT_SCORES)))
    header = ("pair", "model", "Dice of the two masks", "vessel volumes differ by, % of the smaller")
    return ReportTable(PAIRS, header, lines, "No truth is needed; inside the lung.") if lines else None


def _silver(table: Table) -> ReportTable | None:
    """Sanity only: a rule that is a threshold flatters thresholds."""
    lines = []
    for model, rows in models_of(table).items():
        own = take(rows, rows["chosen"].astype(bool) & (rows["truth"] == "silver"))
        if n_rows(own):
            lines.append((f"{own['origin'][0]}, mask made by a rule", model, _scans(own), *_cells(own, SHOWN)))
    note = "The rule is a threshold, so these figures flatter thresholds: a check that nothing is broken, no more."
    return ReportTable(SILVER, _header("kind of scan", "model", "scans"), lines, note) if lines else None


def _threshold_curves(table: Table) -> list[ReportFigure]:
    """Mean Dice over the thresholds: how much a model depends on its own."""
    lines = {}
    for model, rows in models_of(table).items():
        known = take(rows, _labelled(rows))
        dice = [MEAN_DICE(take(known, known["threshold"] == step)) for step in REPORTED]
        if np.isfinite(dice).all():
            lines[model] = np.array(dice)
    if not lines:
        return []
    best = ", ".join(f"{model} {REPORTED[int(values.argmax())]:g}" for model, values in lines.items())
    figure = curve(np.array(REPORTED), lines, "threshold", "mean Dice")
    return [
        ReportFigure(
            figure, f"Mean Dice by threshold on the scored scans. Best here, for information only: {best}.",
            f"Lines of the mean Dice over the threshold; best at {best}.",
        )
    ]  # fmt: skip
