"""What a defibrillator engineer asks of scored windows: the AHA's rhythms, classes, databases, patients, doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.ecg_shock.baselines import SINGLE_DETECTOR
from apps.ecg_shock.data import NOISE_CLASS
from apps.ecg_shock.evaluate import scored
from apps.ecg_shock.report import aha, calibration, patients, withheld
from apps.ecg_shock.report.counts import exact_limits, n_patients, n_windows, percent, with_trainings
from shared.evaluation import models_of
from shared.metrics.binary import POSITIVE_RATE, SENSITIVITY, SPECIFICITY
from shared.report import ReportTable, Section, captioned
from shared.results import NETWORK, network_rows
from shared.sections import binary_section
from shared.table import Table, take

__all__ = ["CLASSES", "sections", "shock_rates", "tables"]

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
    NOISE_CLASS: "noise mark (not scored)",
}
"""Class of a window -> what it is, in the order of the report; a set's own classes follow under their own names."""
WITHOUT_RHYTHM = ("X_EDGE", "X_INVALID", "X_UNLABELLED")
"""Classes that say nothing of a rhythm."""

BY_CLASS = "Advice by class"
BY_RHYTHM = "Advice by rhythm label, scored windows"
BY_DATABASE = "Sensitivity and specificity by database"


def tables(table: Table) -> list[ReportTable]:
    """All that the field tabulates, in the order of the report.

    Args:
        table: predictions of all models, with the columns of `evaluate.decisions`.
    """
    table = with_trainings(table)
    rows = network_rows(table)
    known = scored(rows)
    calibrated = calibration.cross_fitted(rows)
    return [
        aha.aha_table(rows, withheld=True),
        aha.aha_table(rows, withheld=False),
        _share_table(BY_CLASS, "class", rows, "cls", CLASSES),
        _database_table(known),
        _share_table(BY_RHYTHM, "rhythm", known, "rhythm", {}),
        *patients.patient_tables(known),
        *patients.left_out_tables(scored(table)),
        *withheld.withheld_tables(calibrated),
        *calibration.calibration_tables(calibrated),
    ]


def sections(table: Table, stored: Sequence[Mapping[str, Any]]) -> list[Section]:
    """The report's part of the field.

    Args:
        table: as for `tables`.
        stored: what `tables` returned, as metrics.json holds it; every one is shown once.
    """
    rows = network_rows(with_trainings(table))
    calibrated = calibration.cross_fitted(rows)
    # Curves of all single detectors would hide one another; their figures stand in the table above.
    curves = {name: part for name, part in models_of(scored(table)).items() if not name.startswith(SINGLE_DETECTOR)}

    def shown(*captions: str) -> list[ReportTable]:
        return [found for caption in captions for found in captioned(stored, caption)]

    return [
        Section("Against the goals of the Heart Association", tables=shown(aha.CAPTION)),
        binary_section(curves, NETWORK, ("no shock", "shock")),
        Section(
            "What was advised, by rhythm class",
            ["Share of windows; classes that are not scored are shown, never counted."],
            shown(BY_CLASS),
        ),
        Section(
            "By database and by rhythm",
            [
                "Database and class go together: sinus rhythm is mostly from one recorder, fibrillation from others. "
                "A specificity that is high on one database only is a recogniser of recorders."
            ],
            shown(BY_DATABASE, BY_RHYTHM),
        ),
        Section(
            "Patient by patient",
            [patients.errors_told(scored(rows))],
            shown(patients.BY_PATIENT, patients.MOST_ERRORS, patients.LEFT_OUT, patients.GAIN),
            [patients.accuracy_bars(scored(rows))],
        ),
        *_second_reader_section(scored(rows)),
        Section(
            "Withheld advice",
            [withheld.withheld_told(rows)],
            shown(withheld.REASONS, withheld.TRADE_OFF),
            withheld.trade_off_figures(calibrated),
        ),
        *_calibration_section(calibrated, shown(calibration.CALIBRATION)),
    ]


def _calibration_section(rows: Table, tables: Sequence[ReportTable]) -> list[Section]:
    """Nothing where one fold was held out, and so none is left to calibrate on."""
    figures = calibration.calibration_figures(rows)
    return [Section("Calibration on other folds", tables=tables, figures=figures)] if tables else []


def shock_rates(table: Table) -> dict[str, dict[str, float]]:
    """Share of decisions to shock for each rhythm class that occurs and each model: class -> model -> share."""
    models = models_of(table)
    return {
        title: {name: POSITIVE_RATE(take(rows, rows["cls"] == code)) for name, rows in models.items()}
        for code, title in _named(CLASSES, table, "cls").items()
    }


def _named(names: Mapping[str, str], rows: Table, column: str) -> dict[str, str]:
    """Value -> title of the lines of a table: those named that occur, then the others under their own name."""
    present = set(rows[column].astype(str).tolist())
    others = sorted(value for value in present - names.keys() if value not in WITHOUT_RHYTHM)
    return {value: names[value] for value in names if value in present} | {value: value for value in others}


def _share_table(caption: str, heading: str, rows: Table, column: str, names: Mapping[str, str]) -> ReportTable:
    """Advice per value of a column, with an exact interval that takes windows as independent."""
    lines = []
    for value, title in _named(names, rows, column).items():
        part = take(rows, rows[column] == value)
        undecided, shock = part["undecided"].astype(bool), part["decision"] == 1
        exact = exact_limits(part, shock, 0.95)
        answers = (shock & ~undecided, undecided, ~shock & ~undecided)
        lines.append(
            (
                title,
                str(n_windows(part)),
                str(n_patients(part)),
                percent(float(shock.mean())),
                f"{percent(exact.low)} to {percent(exact.high)}",
                *(percent(float(answer.mean())) for answer in answers),
            )
        )
    header = (
        heading, "windows", "patients", "shock if every window is decided, %", "exact 95 %", "shock, %", "undecided, %",
        "no shock, %",
    )  # fmt: skip
    note = (
        "The exact interval counts a window once, whatever the number of seeds, and takes windows as independent; they "
        "are not. The last three columns are what is answered where advice may be withheld."
    )
    return ReportTable(caption, header, lines, note)


def _database_table(rows: Table) -> ReportTable:
    lines = []
    for database in sorted(set(rows["db"].tolist())):
        part = take(rows, rows["db"] == database)
        count = (str(n_windows(part)), str(n_patients(part)))
        lines.append((database, *count, percent(SENSITIVITY(part)), percent(SPECIFICITY(part))))
    return ReportTable(BY_DATABASE, ("database", "windows", "patients", "sensitivity, %", "specificity, %"), lines)


def _second_reader_section(rows: Table) -> list[Section]:
    """The same figures without the windows whose label a second reader contradicts, where there was one."""
    if "reader2" not in rows or not (rows["reader2"] != "").any():
        return []
    mark, target = rows["reader2"].astype(str), rows["target"].astype(int)
    same = np.where(target == 1, np.isin(mark, ("VF", "VT")), mark == "N")
    agreed = take(rows, np.isin(mark, ("", "C")) | same)
    told = (
        f"A second reader contradicts {n_windows(rows) - n_windows(agreed)} labels or finds the window unusable. "
        f"Without them sensitivity is {percent(SENSITIVITY(agreed))} % (with them {percent(SENSITIVITY(rows))} %) and "
        f"specificity {percent(SPECIFICITY(agreed))} % ({percent(SPECIFICITY(rows))} %)."
    )
    return [Section("Second reader", [told])]
