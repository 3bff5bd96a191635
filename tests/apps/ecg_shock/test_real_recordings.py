"""From real recordings to figures through the command line, where the recordings lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.ecg_shock.app import APP
from data_prep.__main__ import main as prepare
from shared.atomic import read_json
from shared.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(real_ecg: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training of the paper's network with one patient-wise fold held out, evaluated."""
    folder = tmp_path_factory.mktemp("real")
    assert prepare(["prepare", "ecg_shock", str(real_ecg), "--out", str(folder / "set")]) == 0
    assert prepare(["verify", str(folder / "set")]) == 0
    words = ["--config", "paper", "--data", str(folder / "set"), "--out", str(folder / "run"), "--split.test", "0"]
    assert main(APP, ["train", *words, "--fit.epochs", "10"]) == 0
    assert main(APP, ["evaluate", str(folder / "run"), "--resamples", "200"]) == 0
    return folder / "run"


def test_network_and_classical_models_are_scored_on_the_same_patients(run: Path) -> None:
    models = read_json(run / "metrics.json")["models"]
    assert set(models) == {"network", *APP.baselines}
    assert len({model["n_rows"] for model in models.values()}) == 1
    assert models["network"]["metrics"]["balanced accuracy"]["n_groups"] > 8
    for name in ("network", "XGBoost", "random forest", "SVM (RBF)", "logistic regression", "decision tree"):
        assert models[name]["metrics"]["balanced accuracy"]["estimate"] > 0.93, name


def test_report_says_what_a_defibrillator_engineer_asks(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in ("ventricular fibrillation", "By database", "Patient by patient", "Withheld advice", "ODC-By-1.0"):
        assert words in page


def test_leaky_split_is_named_so(run: Path, tmp_path: Path) -> None:
    """A random split of windows looks better than it is; its name says so wherever its figures stand."""
    words = ["--config", "smoke", "--data", str(run.parent / "set"), "--out", str(tmp_path / "run")]
    assert main(APP, ["train", *words, "--split.name", "leaky-random"]) == 0
    assert main(APP, ["evaluate", str(tmp_path / "run"), "--baselines", "false", "--resamples", "50"]) == 0
    assert "leaky-random" in read_json(tmp_path / "run" / "metrics.json")["protocol"]
