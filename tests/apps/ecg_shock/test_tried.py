"""Recipes side by side: what differs is named, and the figures are those of the predictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.ecg_shock.app import APP
from data_prep.synth import ecg_shock
from shared.atomic import read_json
from shared.cli import main

QUICK = ("--config", "smoke", "--fit.epochs", "1", "--draws.batches", "2", "--fit.progress", "false")


def ask(*words: object) -> int:
    return main(APP, [str(word) for word in words])


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tried")
    ecg_shock.prepare(folder / "set", items=48)
    common = (
        "crossval",
        *QUICK,
        "--data",
        folder / "set",
        "--seeds",
        "[0]",
        "--folds",
        "[0,1]",
        "--baselines",
        "false",
    )
    assert ask(*common, "--out", folder / "first") == 0
    assert ask(*common, "--out", folder / "other", "--learning_rate", "0.001", "--workers", "1") == 0
    return [folder / "first", folder / "other"]


def test_a_line_for_each_recipe_names_what_differs(grids: list[Path], tmp_path: Path) -> None:
    assert ask("tried", *grids, "--out", tmp_path / "tried.json") == 0
    (table,) = read_json(tmp_path / "tried.json")["tables"]
    first, other = table["rows"]
    assert first[0] == "the recipe"
    assert other[0] == "`--learning_rate 0.001`"
    folds = read_json(grids[0] / "metrics.json")["folds"]["network"]
    assert first[1].startswith(f"{100 * folds['mean']:.2f} (")


def test_what_is_no_cross_validation_is_refused(
    grids: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (grids[1] / "predictions.parquet").rename(tmp_path / "kept")
    try:
        assert ask("tried", *grids, "--out", tmp_path / "tried.json") == 2
    finally:
        (tmp_path / "kept").rename(grids[1] / "predictions.parquet")
    assert "holds no finished cross-validation" in capsys.readouterr().err
    assert ask("tried", tmp_path, "--out", tmp_path / "tried.json") == 2
