"""What of preparation on Ray Data needs no Ray; the rest is in tests/scale."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from data_prep.__main__ import main
from data_prep.synth import ctr_prediction as synth


def test_without_ray_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    log = synth.write_log(tmp_path / "log.parquet", 200, seed=1)
    words = ["--schema", str(synth.SCHEMA), str(log), "--engine", "ray", "--out", str(tmp_path / "set")]
    assert main(["prepare", *words]) == 2
    assert "the extra `scale`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [log]


def test_raw_logs_of_the_contest_are_joined_by_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, logtype in (("imp.txt", "1"), ("clk.txt", "2")):
        cells = ["a1" * 16, "20130606000102003", logtype, *["x"] * 21]
        (tmp_path / name).write_text("\t".join(cells) + "\n")
    words = [str(tmp_path / "imp.txt"), str(tmp_path / "clk.txt"), "--engine", "ray", "--out", str(tmp_path / "set")]
    assert main(["prepare", "ctr_prediction", *words]) == 2
    assert "joined by one process: leave --engine away" in capsys.readouterr().err
