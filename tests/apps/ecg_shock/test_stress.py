"""`stress`: asks the networks of a cross-validation about what they have not seen, resumes, and refuses the rest."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from apps.ecg_shock.app import APP
from apps.ecg_shock.c_code.quantise import quantised
from apps.ecg_shock.config import TrainConfig
from apps.ecg_shock.data import windows_of
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.robustness import cost as cost_module
from apps.ecg_shock.robustness import disturbances, stress_answers
from apps.ecg_shock.robustness import stress as stress_module
from apps.ecg_shock.robustness.artefacts import ARTEFACTS
from apps.ecg_shock.robustness.cost import FEATURES_MS, ONNX_BATCH_MS, Cost
from apps.ecg_shock.robustness.disturbances import GAIN, GAINS, INVERSION, LENGTH, SECOND_LEAD, SNRS_DB
from apps.ecg_shock.robustness.stress_goals import goal_table
from apps.ecg_shock.robustness.stress_results import Rates, StressResults
from apps.ecg_shock.train import ShockExperiment
from apps.ecg_shock.window import EcgWindow
from data_prep.synth import ecg_shock
from shared.atomic import read_json
from shared.prepared import PreparedSet
from shared.report import captioned
from shared.results import NETWORK
from shared.table import Table, read_table, take
from tests.apps.ecg_shock.quick import QUICK, ask

CLASSICAL = "XGBoost"


def crossval(made: Path, out: Path, *more: object) -> Path:
    words = ("--data", made, "--out", out, "--seeds", "[0]", "--folds", "[0, 1]", "--baselines", "false", *more)
    assert ask("crossval", *QUICK, *words) == 0
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    ecg_shock.prepare(folder, items=48)
    return folder


@pytest.fixture(scope="module")
def leaky(made: Path) -> Path:
    return crossval(made, made.parent / "leaky", "--split.name", "leaky-random")


@pytest.fixture(scope="module")
def grid(made: Path, leaky: Path) -> Path:
    """A cross-validation with the results of `stress` in it."""
    folder = crossval(made, made.parent / "grid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_module, "ROUNDS", 1)
        assert ask("stress", folder, "--baselines", f"[{CLASSICAL}]", "--leaky", leaky) == 0
    return folder


@pytest.fixture(scope="module")
def answers(grid: Path) -> Table:
    return read_table(grid / "stress.parquet")


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert ask(*words) == 2
    return capsys.readouterr().err


def test_only_held_out_windows_are_asked_about(made: Path, answers: Table) -> None:
    index = PreparedSet(made).index
    for fold in (0, 1):
        rows = np.unique(answers["row"][answers["fold"] == fold])
        assert set(rows) == set(np.flatnonzero((index["fold"] == fold) & (index["target"] >= 0)))


def test_every_condition_is_asked_of_every_model(answers: Table) -> None:
    results = StressResults.of(answers)
    assert results.models == [NETWORK, CLASSICAL]
    assert results.levels(LENGTH) == [5.0, 4.0, 3.0, 2.0]  # the made rhythms have pauses between them: nothing to join
    assert all(results.levels(name) == sorted(SNRS_DB, reverse=True) for name in ARTEFACTS)
    assert results.levels(GAIN) == sorted(GAINS, reverse=True)
    for model in results.models:
        assert len(results.rows(model, SECOND_LEAD, 1.0)["row"]) == len(results.rows(model, INVERSION, 1.0)["row"])


def test_answers_are_the_advisor_s_own(made: Path, grid: Path, answers: Table) -> None:
    windows = windows_of(PreparedSet(made))
    advisor = ShockAdvisor.from_pretrained(grid / "cells" / "fold=0,seed=0" / "run")
    own = take(answers, (answers["model"] == NETWORK) & (answers["fold"] == 0) & (answers["test"] == GAIN))
    own = take(own, own["level"] == 2.0)
    for row, probability, undecided in zip(own["row"], own["probability"], own["undecided"], strict=True):
        window = EcgWindow(2 * windows.raw(row), float(windows.index["sampling_rate"][row]))
        (decision,) = advisor.advise([window])
        assert probability == pytest.approx(decision.shock_probability, abs=1e-5)
        assert undecided == (decision.status == "undecided")


def test_noise_is_as_strong_as_stated(made: Path) -> None:
    windows = windows_of(PreparedSet(made))
    rows = disturbances.subset(windows)
    asked = {(c.test, c.level): c for c in disturbances.disturbed(windows, rows)}
    for name in ("muscle", "compressions", "mains 50"):
        found = []
        for row, window in zip(rows, asked[name, 6.0].asked, strict=True):
            noise = window.ecg.astype(float) - windows.raw(row)
            found.append(10 * np.log10(windows.read(row).var() / np.mean(noise**2)))
        assert np.mean(found) == pytest.approx(6.0, abs=0.5)


def test_an_artefact_depends_on_its_row_alone(made: Path) -> None:
    windows = windows_of(PreparedSet(made))
    rows = disturbances.subset(windows)
    whole, part = (next(iter(disturbances.disturbed(windows, chosen))) for chosen in (rows, rows[3:5]))
    for found, expected in zip(part.asked, whole.asked[3:5], strict=True):
        np.testing.assert_array_equal(found.ecg, expected.ecg)


def test_results_are_written_for_a_reader_and_a_readme(grid: Path) -> None:
    stored = read_json(grid / "stress.json")
    assert set(stored) == {"protocol", "command", "tables"}
    assert str(grid.parent) not in str(stored)
    goals, lengths, _ = (captioned(stored["tables"], words)[0] for words in ("Goals", "Length", "Artefacts, network"))
    assert {row[-1] for row in goals.rows} <= {"met", "not met"}
    assert [row[0] for row in lengths.rows] == ["2 s", "3 s", "4 s", "5 s"]
    assert captioned(stored["tables"], "The leaky random split")
    (size,) = captioned(stored["tables"], "Size of the network")
    network = ShockAdvisor.from_pretrained(grid / "cells" / "fold=0,seed=0" / "run").network
    assert size.rows[-1][1] == str(sum(layer.n_bytes for layer in quantised(network)))
    page = (grid / "stress.html").read_text(encoding="utf-8")
    assert "tremor, 4-9 Hz" in page
    assert "<script" not in page


def test_the_work_is_continued_not_repeated(
    grid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_module, "_onnx", lambda *_: len)  # exported once is enough
    monkeypatch.setattr(cost_module, "ROUNDS", 1)
    copy = tmp_path / "grid"
    shutil.copytree(grid, copy)
    (asked,) = (copy / "stress").glob("fold=1,seed=0,weights=*")
    shutil.rmtree(asked)
    capsys.readouterr()
    assert ask("stress", copy, "--baselines", f"[{CLASSICAL}]") == 0
    assert capsys.readouterr().err.count(" done in ") == 1
    assert asked.is_dir()
    table, again = (read_table(folder / "stress.parquet") for folder in (grid, copy))
    for name, column in table.items():
        np.testing.assert_array_equal(column, again[name])


def test_only_what_the_figures_are_of_is_asked_and_a_network_trained_anew_again(grid: Path, tmp_path: Path) -> None:
    copy = tmp_path / "grid"
    shutil.copytree(grid, copy)
    cells = copy / "cells"
    shutil.copytree(cells / "fold=1,seed=0", cells / "fold=1,seed=7")  # left from seeds that are asked for no more
    study = stress_module._Study.open(APP, copy)
    assert study.trainings == [{"fold": 0, "seed": 0}, {"fold": 1, "seed": 0}]
    first = [study.weights(**training) for training in study.trainings]
    assert {f"fold={fold},seed=0,weights={weights}" for fold, weights in enumerate(first)} == {
        folder.name for folder in (grid / "stress").glob("fold=*,seed=*")
    }
    for own, other in ((0, 1), (1, 0)):
        shutil.copytree(
            grid / "cells" / f"fold={other},seed=0" / "run" / "model",
            cells / f"fold={own},seed=0" / "run" / "model",
            dirs_exist_ok=True,
        )
    assert [study.weights(**training) for training in study.trainings] == first[::-1]


def test_other_than_a_cross_validation_is_refused(
    made: Path, grid: Path, leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no run folder" in refusal(capsys, "stress", tmp_path)
    assert "no finished cross-validation" in refusal(capsys, "stress", grid / "cells" / "fold=0,seed=0" / "run")
    assert "keeps patients whole" in refusal(capsys, "stress", grid, "--leaky", grid)
    assert "XGBoost" in refusal(capsys, "stress", grid, "--baselines", "[XGBost]")


def test_a_network_of_another_version_is_refused(
    grid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "grid"
    shutil.copytree(grid, copy, ignore=shutil.ignore_patterns("stress*"))
    card = copy / "cells" / "fold=0,seed=0" / "run" / "model" / "card.json"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"format_version": 1', '"format_version": 99'), encoding="utf-8")
    assert text != card.read_text(encoding="utf-8")
    assert "update" in refusal(capsys, "stress", copy, "--baselines", "[]")


def table_of(target: list[int], decision: list[int], undecided: list[bool]) -> Table:
    return {"target": np.array(target), "decision": np.array(decision), "undecided": np.array(undecided)}


def test_undecided_counts_as_missed_and_as_not_shocked() -> None:
    rates = Rates.of(table_of([1, 1, 0, 0], [1, 1, 1, 1], [False, True, False, True]))
    assert rates == Rates(sensitivity=0.5, specificity=0.5, undecided=0.5)


def goals(specificity: float, gain: float, milliseconds: float) -> dict[str, str]:
    """Verdicts for a network with that specificity under noise, that sensitivity under gain, and that speed."""

    def rows(sensitivity: float, specificity: float) -> Table:
        right = [round(100 * share) for share in (sensitivity, specificity)]
        decision = [1] * right[0] + [0] * (100 - right[0]) + [0] * right[1] + [1] * (100 - right[1])
        return table_of([1] * 100 + [0] * 100, decision, [False] * 200)

    parts = {(NETWORK, name, snr): rows(1.0, specificity) for name in ARTEFACTS for snr in SNRS_DB}
    parts |= {(NETWORK, GAIN, level): rows(1.0 if level == 1 else gain, 1.0) for level in GAINS}
    parts[NETWORK, INVERSION, 1.0] = rows(1.0, 1.0)
    cost = Cost(1, 1, 1, {ONNX_BATCH_MS: milliseconds, FEATURES_MS: 2.0}, {})
    return {row[0]: row[-1] for row in goal_table(StressResults(parts), cost).rows}


def test_goals_are_met_or_not() -> None:
    good, bad = goals(0.96, 0.99, 0.14), goals(0.92, 0.97, 0.2)
    assert set(good.values()) == {"met"}
    assert {what for what, verdict in bad.items() if verdict == "not met"} == {
        "specificity, baseline wander, 0.1-1 Hz, 6 dB",
        "specificity, muscle (EMG), 15-40 Hz, 6 dB",
        "gain x0.5 to x2: loss of sensitivity or specificity",
        "ONNX Runtime in batches, a decision",
    }


def test_goals_without_a_figure_are_left_out() -> None:
    """A set without shockable rhythms can test neither sensitivity nor what gain costs of it."""
    parts = {(NETWORK, name, snr): table_of([0], [0], [False]) for name in ARTEFACTS for snr in SNRS_DB}
    parts |= {(NETWORK, GAIN, level): table_of([0], [0], [False]) for level in GAINS}
    parts[NETWORK, INVERSION, 1.0] = table_of([0], [0], [False])
    told = [row[0].split(",")[0] for row in goal_table(StressResults(parts), Cost(1, 1, 1, {}, {})).rows]
    assert set(told) == {"specificity", "undecided"}


def test_a_classical_model_of_a_length_has_seen_no_held_out_patient(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[set[str]] = []

    class Spy:
        def fit(self, features: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Spy:
            assert len(features) == len(targets) == len(groups)
            assert set(targets.tolist()) == {0, 1}
            fitted.append(set(groups.tolist()))
            return self

        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            return np.full((len(features), 2), 0.5)

    monkeypatch.setattr(stress_answers, "baselines", lambda seed: {"spy": Spy})
    monkeypatch.setattr(stress_answers, "fit_baseline", lambda *_: Spy())
    config = TrainConfig(data=made, out=made.parent / "unused")
    experiment = ShockExperiment(dataclasses.replace(config))
    rows = experiment.rows("test")
    list(stress_answers.classical_answers(["spy"], experiment, rows, seed=0))
    held_out = set(experiment.windows.index["patient"][rows].tolist())
    assert len(fitted) == 4
    assert not any(patients & held_out for patients in fitted)
