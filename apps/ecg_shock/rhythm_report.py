"""What a defibrillator engineer asks of scored windows: advice per class, database, rhythm and patient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from apps.ecg_shock.baselines import SINGLE_DETECTOR
from apps.ecg_shock.evaluate import scored
from shared.evaluation import models_of
from shared.figures import per_group_bars
from shared.metrics.binary import ACCURACY, POSITIVE_RATE, SENSITIVITY, SPECIFICITY
from shared.report import ReportFigure, ReportTable, Section
from shared.results import NETWORK, network_rows
from shared.sections import binary_section
from shared.stats import clopper_pearson, per_group
from shared.table import Table, take

__all__ = ["CLASSES", "sections", "shock_rates"]

CLASSES = {
    "S_VF": "ventricular fibrillation",
    "S_VFL": "ventricular flutter",
    "S_VT": "regular VT, 150/min or faster",
    "S_VTVF": "irregular rhythm under a VT label (not scored)",
    "N_NSR": "normal sinus rhythm",
    "N_ONR": "other organised rhythms",
    "N_ASYS": "asystole, 0.2 mV at most",
    "I_SLOWVT": "VT under 150/min (not scored)",
    "I_FINEVF": "VF under 0.2 mV (not scored)",
    "U_NONVF": "no VF mark, unverified (not scored)",
    "U_ASYSLBL": "asystole label, larger signal (not scored)",
    "X_NOISE": "noise mark (not scored)",
}
"""Class of a window -> what it is, in the order of the report; a set's own classes follow under their own names."""
LEFT_OUT = ("X_EDGE", "X_INVALID", "X_UNLABELLED")
"""Classes that say nothing of a rhythm."""


def sections(table: Table) -> list[Section]:
    """What the field asks beyond the common figures: how the models rank, and what the network advised on what."""
    rows = network_rows(table)
    # Curves of all single detectors would hide one another; their figures stand in the table above.
    curves = {name: part for name, part in models_of(scored(table)).items() if not name.startswith(SINGLE_DETECTOR)}
    return [
        binary_section(curves, NETWORK, ("no shock", "shock")),
        Section(
            "What was advised, by rhythm class",
            ["Share of windows with the advice to shock; classes that are not scored are shown, never counted."],
            [_share_table("Advice by class", "class", rows, "cls", CLASSES)],
        ),
        Section(
            "By database and by rhythm",
            [
                "Database and class go together: sinus rhythm is mostly from one recorder, fibrillation from others. "
                "A specificity that is high on one database only is a recogniser of recorders."
            ],
            [
                _database_table(scored(rows)),
                _share_table("Advice by rhythm label, scored windows", "rhythm", scored(rows), "rhythm", {}),
            ],
        ),
        _patient_section(scored(rows)),
        *_second_reader_section(scored(rows)),
        Section("Withheld advice", [_withheld_sentence(rows)], [_withheld_table(rows)]),
    ]


def shock_rates(table: Table) -> dict[str, dict[str, float]]:
    """Share of decisions to shock for each rhythm class that occurs and each model: class -> model -> share."""
    models = models_of(table)
    return {
        title: {name: POSITIVE_RATE(take(rows, rows["cls"] == code)) for name, rows in models.items()}
        for code, title in _named(CLASSES, table, "cls").items()
    }


def _percent(share: float) -> str:
    return SENSITIVITY.format(share)


def _windows(rows: Table) -> int:
    """Distinct windows: several seeds score the same one."""
    return len(set(rows["item"].tolist()))


def _patients(rows: Table) -> str:
    return str(len(set(rows["patient"].tolist())))


def _named(names: Mapping[str, str], rows: Table, column: str) -> dict[str, str]:
    """Value -> title of the lines of a table: those named that occur, then the others under their own name."""
    present = set(rows[column].astype(str).tolist())
    others = sorted(value for value in present - names.keys() if value not in LEFT_OUT)
    return {value: names[value] for value in names if value in present} | {value: value for value in others}


def _share_table(caption: str, heading: str, rows: Table, column: str, names: Mapping[str, str]) -> ReportTable:
    """Advice to shock per value of a column, with an exact interval that takes windows as independent."""
    lines = []
    for value, title in _named(names, rows, column).items():
        part = take(rows, rows[column] == value)
        share, windows = POSITIVE_RATE(part), _windows(part)
        exact = clopper_pearson(round(share * windows), windows, 0.95)
        lines.append(
            (
                title,
                str(windows),
                _patients(part),
                _percent(share),
                f"{_percent(exact.low)} to {_percent(exact.high)}",
                _percent(float(part["undecided"].mean())),
            )
        )
    header = (heading, "windows", "patients", "shock advised, %", "exact 95 %", "withheld, %")
    return ReportTable(
        caption,
        header,
        lines,
        "The exact interval counts a window once, whatever the number of seeds, and takes windows as independent; they "
        "are not.",
    )


def _database_table(rows: Table) -> ReportTable:
    lines = []
    for database in sorted(set(rows["db"].tolist())):
        part = take(rows, rows["db"] == database)
        lines.append(
            (database, str(_windows(part)), _patients(part), _percent(SENSITIVITY(part)), _percent(SPECIFICITY(part)))
        )
    return ReportTable(
        "Sensitivity and specificity by database",
        ("database", "windows", "patients", "sensitivity, %", "specificity, %"),
        lines,
    )


def _errors_by_patient(rows: Table) -> list[tuple[str, int, int]]:
    """Patient, scored rows, wrong rows; the most errors first."""
    patients, code = np.unique(rows["patient"].astype(str), return_inverse=True)
    wrong = rows["decision"] != rows["target"]
    count = list(zip(patients.tolist(), np.bincount(code).tolist(), np.bincount(code, wrong).astype(int), strict=True))
    return sorted(((name, n, int(errors)) for name, n, errors in count), key=lambda line: -line[2])


def _patient_section(rows: Table) -> Section:
    accuracy = per_group(ACCURACY, rows, "patient")
    bars = ReportFigure(
        per_group_bars(accuracy, "share of right decisions"),
        "Right decisions of each patient's scored windows, lowest first.",
        f"Bars by patient; the mean over {len(accuracy)} patients is {100 * np.mean(list(accuracy.values())):.1f} %.",
    )
    return Section("Patient by patient", [_patients_sentence(rows)], [_patient_table(rows)], [bars])


def _patients_sentence(rows: Table) -> str:
    ranked = _errors_by_patient(rows)
    total = sum(errors for *_, errors in ranked)
    if not total:
        return "No scored window was decided wrongly."
    worst, _, errors = ranked[0]
    return f"{errors} of {total} errors ({errors / total:.0%}) are of one patient, {worst}."


def _patient_table(rows: Table) -> ReportTable:
    lines = [(name, str(n), str(errors), _percent(errors / n)) for name, n, errors in _errors_by_patient(rows)[:10]]
    return ReportTable("The ten patients with most errors", ("patient", "decisions", "errors", "errors, %"), lines)


def _second_reader_section(rows: Table) -> list[Section]:
    """The same figures without the windows whose label a second reader contradicts, where there was one."""
    if "reader2" not in rows or not (rows["reader2"] != "").any():
        return []
    mark, target = rows["reader2"].astype(str), rows["target"].astype(int)
    same = np.where(target == 1, np.isin(mark, ("VF", "VT")), mark == "N")
    agreed = take(rows, np.isin(mark, ("", "C")) | same)
    told = (
        f"A second reader contradicts {_windows(rows) - _windows(agreed)} labels or finds the window unusable. Without "
        f"them sensitivity is {_percent(SENSITIVITY(agreed))} % (with them {_percent(SENSITIVITY(rows))} %) and "
        f"specificity {_percent(SPECIFICITY(agreed))} % ({_percent(SPECIFICITY(rows))} %)."
    )
    return [Section("Second reader", [told])]


def _withheld_sentence(rows: Table) -> str:
    inside = scored(take(rows, ~rows["undecided"].astype(bool)))
    share = float(scored(rows)["undecided"].mean())
    return (
        f"{share:.1%} of the scored windows are undecided. On the others sensitivity is "
        f"{_percent(SENSITIVITY(inside))} % and specificity {_percent(SPECIFICITY(inside))} %; the figures above count "
        "every window."
    )


def _withheld_table(rows: Table) -> ReportTable:
    reasons = np.array([str(reason).partition(":")[0] if reason else "" for reason in rows["reason"]])
    lines = [
        (reason, str(int((reasons == reason).sum())), _percent(float((reasons == reason).mean())))
        for reason in sorted(set(reasons) - {""})
    ]
    return ReportTable("Why advice was withheld, all windows", ("reason", "decisions", "share, %"), lines)
