"""Patients: means beside windows, and the figures without the one who has most errors."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ecg_shock.report.patients import BY_PATIENT, GAIN, hardest_patient, left_out_tables, patient_tables
from shared.evaluation import models_of
from shared.report import ReportTable
from shared.table import Table
from tests.apps.ecg_shock.decided import again, joined, windows


def two_folds() -> Table:
    """Fold 0: two patients, all right. Fold 1: patient c has 3 of 4 negatives wrong, d is all right."""
    return joined(
        windows("S_VF", "a", 10, 10), windows("N_NSR", "b", 10, 0),
        windows("S_VF", "d", 4, 4, fold=1), windows("N_NSR", "c", 4, 3, fold=1), windows("N_NSR", "d", 6, 0, fold=1),
    )  # fmt: skip


def lines(table: ReportTable) -> dict[str, tuple[str, ...]]:
    return {row[0]: tuple(row[1:]) for row in table.rows}


def test_a_patient_of_few_windows_weighs_as_much_as_one_of_many() -> None:
    by_patient, most_errors = patient_tables(two_folds())
    assert by_patient.caption == BY_PATIENT
    assert lines(by_patient)["specificity"] == ("20", "3", "85.0", "75.0", "c", "25.0 (4 windows)")
    assert lines(by_patient)["sensitivity"][:4] == ("14", "2", "100.0", "100.0")
    assert most_errors.rows[0] == ("c", "4", "3", "75.0")


def test_the_hardest_patient_is_the_same_for_all_models_together() -> None:
    """Three seeds of the network err on b, 4 windows each; two classical models on c, 3 windows each."""
    easy = joined(windows("N_NSR", "b", 4, 0), windows("N_NSR", "c", 3, 0))
    at_b, at_c = ((easy["patient"] == name).astype(np.int8) for name in "bc")
    network = [{**again(easy, seed=seed), "decision": at_b} for seed in range(3)]
    classical = [{**again(easy, model=name), "decision": at_c} for name in ("tree", "forest")]
    assert hardest_patient(models_of(joined(*network, *classical))) == "c"
    assert hardest_patient(models_of(joined(*network))) == "b"
    assert hardest_patient(models_of(easy)) is None


def test_figures_with_all_patients_and_without_the_hardest() -> None:
    network = two_folds()
    worse = {**again(network, model="tree"), "decision": np.where(network["patient"] == "b", 1, network["decision"])}
    worse["decision"][np.flatnonzero(network["patient"] == "b")[4:]] = 0  # four more errors, at b
    main, gain = left_out_tables(joined(network, worse))
    assert main.caption.endswith("without c")  # 3 + 3 errors, b has 4
    # Fold 0: 100 and 80 %; fold 1: specificity 7 of 10, so 85 %; without c 100 %.
    assert lines(main)["network"] == ("92.5 / 100.0", "100.0 / 100.0", "85.0 / 100.0", "0.925 / 1.000")
    assert lines(main)["tree"][:3] == ("82.5 / 90.0", "100.0 / 100.0", "65.0 / 75.0")
    assert [row[0] for row in main.rows] == ["network", "tree"]
    assert gain.caption == GAIN
    assert lines(gain)["all patients"][:4] == ("tree", "92.5", "82.5", "10.0")
    assert lines(gain)["without c"][:4] == ("tree", "100.0", "90.0", "10.0")
    assert lines(gain)["all patients"][4].startswith("10.0 (")  # pooled 92.5 - 82.5; four patients have no interval


def test_a_gain_over_many_patients_has_an_interval() -> None:
    many = joined(*(windows(cls, f"p{n}", 4, 4 * (cls == "S_VF")) for n in range(12) for cls in ("S_VF", "N_NSR")))
    wrong = np.isin(many["patient"], ["p0", "p1", "p2"]) & (many["target"] == 0)
    tree = {**again(many, model="tree"), "decision": np.where(wrong, 1, many["decision"])}
    _, gain = left_out_tables(joined(many, tree))
    pooled, at_or_below = lines(gain)["all patients"][4:]
    estimate, low = pooled.split(" [")[0], float(pooled.split(" [")[1].split(",")[0])
    assert float(estimate) == pytest.approx(12.5)  # three of twelve patients' negatives, half of that
    assert 0 <= low < 12.5
    assert float(at_or_below) < 10


def test_the_gain_is_also_given_with_the_amplitude_rule_for_both() -> None:
    """One of four negatives is asystole, and the classical model shocks it: half of 25 points, gone with the rule."""
    network = joined(
        windows("S_VF", "a", 4, 4), windows("N_NSR", "b", 3, 1), windows("N_ASYS", "c", 1, 0, amplitude_mv=0.1)
    )
    asystole = network["cls"] == "N_ASYS"
    tree = {**again(network, model="tree"), "decision": np.where(asystole, 1, network["decision"]).astype(np.int8)}
    _, gain = left_out_tables(joined(network, tree))
    assert lines(gain)["all patients"][3] == "12.5"
    assert lines(gain)["all patients, the rule for both"][1:4] == ("87.5", "87.5", "0.0")


def test_without_errors_or_without_others_nothing_is_left_out() -> None:
    assert left_out_tables(windows("N_NSR", "a", 5, 0)) == []
    assert left_out_tables(windows("N_NSR", "a", 5, 2)) == []  # the hardest patient is the only one
    assert len(left_out_tables(two_folds())) == 1  # no classical model, no gain
