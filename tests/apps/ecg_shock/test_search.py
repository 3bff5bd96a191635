"""`search`: its folder holds one search, which may grow but never turn into another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from apps.ecg_shock import search as module
from apps.ecg_shock.app import APP
from data_prep.synth import ecg_shock
from shared.atomic import read_json
from shared.cli import main


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The verb on a made-up set, with the width of an architecture in place of its training."""

    def width(training: object, params: Mapping[str, Any], report: object) -> float:
        return float(sum(params["filters"]))

    monkeypatch.setattr(module, "_validated", width)
    ecg_shock.prepare(tmp_path / "data", items=24)
    words = ["--config", "smoke", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    return lambda *more: main(APP, ["search", *words, *more])


def test_the_same_search_grows(search, tmp_path: Path) -> None:
    held_out = ("--split.validation", "1")
    assert search(*held_out, "--trials", "2") == 0
    first = read_json(tmp_path / "out" / "search.json")["ranking"]
    assert search(*held_out, "--trials", "4") == 0
    ranking = read_json(tmp_path / "out" / "search.json")["ranking"]
    assert len(first) == 2
    assert len(ranking) == 4
    assert all(trial in ranking for trial in first)
    assert [trial["value"] for trial in ranking] == sorted((trial["value"] for trial in ranking), reverse=True)


@pytest.mark.parametrize(
    ("flag", "value"), [("learning_rate", "0.1"), ("fit.epochs", "9"), ("split.validation", "2"), ("fit.seed", "1")]
)
def test_another_search_needs_another_folder(search, capsys, flag: str, value: str) -> None:
    assert search("--split.validation", "1", "--trials", "1") == 0
    capsys.readouterr()
    assert search("--split.validation", "1", "--trials", "1", f"--{flag}", value) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"changed: {flag}" in line


def test_validation_rows_must_be_held_out(search, capsys) -> None:
    assert search("--trials", "1") == 2
    assert "--split.validation" in capsys.readouterr().err
