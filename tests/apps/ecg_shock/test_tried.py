"""Recipes side by side: what differs is named, and the figures are those of the predictions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from apps.ecg_shock.report import tried
from data_prep.synth import ecg_shock
from shared.atomic import read_json, write_json
from tests.apps.ecg_shock.decided import windows
from tests.apps.ecg_shock.quick import QUICK, ask


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
        "[0, 1]",
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


def test_a_grid_older_than_a_setting_is_no_other_recipe(grids: list[Path], tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(grids[0], older, ignore=shutil.ignore_patterns("cells"))
    settings = yaml.safe_load((older / "config.yaml").read_text(encoding="utf-8"))
    del settings["shock_weight"], settings["augment"]["noisy"]
    (older / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for pair in ((grids[0], older), (older, grids[0])):
        assert ask("tried", *pair, "--out", tmp_path / "tried.json") == 0
        assert [row[0] for row in read_json(tmp_path / "tried.json")["tables"][0]["rows"]] == ["the recipe"] * 2


def test_an_evaluated_run_is_refused(grids: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert ask("train", *QUICK, "--data", grids[0].parent / "set", "--out", run) == 0
    assert ask("evaluate", run, "--baselines", "false") == 0
    capsys.readouterr()
    assert ask("tried", grids[0], run, "--out", tmp_path / "tried.json") == 2
    assert "holds no finished cross-validation" in capsys.readouterr().err


def test_other_data_are_refused(grids: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    shutil.copytree(grids[1], other, ignore=shutil.ignore_patterns("cells"))
    write_json(other / "env.json", {**read_json(other / "env.json"), "data_manifest_hash": "another"})
    assert ask("tried", grids[0], other, "--out", tmp_path / "tried.json") == 2
    assert "another prepared set" in capsys.readouterr().err


def test_figures_that_are_undefined_are_dashes() -> None:
    """Without errors nobody is left out; without shockable windows there is no balanced accuracy."""
    flawless = windows("N_NSR", "a", 5, 0)
    assert tried._header(None) == tuple(word for word in tried._header("a") if word != "without a, %")
    assert "None" not in tried._note([flawless], None)
    assert tried._figures(flawless, None)[:3] == ("- (-)", "-", "100.0")
    assert tried._figures(windows("N_NSR", "a", 5, 1), "a")[:4] == ("- (-)", "-", "-", "80.0")
