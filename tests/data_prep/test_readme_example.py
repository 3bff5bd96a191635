"""The README of data_prep does what it says: its example and its commands are run as they stand."""

from __future__ import annotations

import datetime
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_prep.__main__ import main
from data_prep.click_schema import ClickSchema
from shared.formats.adlog import read_column
from shared.prepared import PreparedSet
from shared.splits import SplitConfig, roles
from tests.conftest import REPOSITORY


def fences(kind: str) -> list[str]:
    """The contents of the fences that open with ```kind."""
    text = (REPOSITORY / "data_prep" / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(kind: str) -> list[list[str]]:
    """The words after `python -m data_prep` of each command in these fences."""
    lines = [shlex.split(line) for fence in fences(kind) for line in fence.splitlines()]
    assert all(words[:3] == ["python", "-m", "data_prep"] for words in lines)
    return [words[3:] for words in lines]


@pytest.fixture
def strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty text files and their table, as the README describes them."""
    rng = np.random.default_rng(0)
    lines = ["file,patient,rhythm,shock"]
    for i in range(20):
        np.savetxt(tmp_path / f"{i}.txt", rng.normal(size=(500 + i, 2)))
        lines.append(f"{i}.txt,p{i // 2},{'VF' if i % 4 < 2 else 'sinus'},{int(i % 4 < 2)}")
    (tmp_path / "strips.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_makes_a_set_that_can_be_trained_on(strips: Path) -> None:
    (example,) = fences("python")
    assert len([line for line in example.splitlines() if line]) <= 15
    exec(compile(example, "README.md", "exec"), {})
    prepared = PreparedSet(strips / "our_strips")
    assert prepared.verify() == []
    np.testing.assert_allclose(prepared.read("ecg", 3), np.loadtxt("3.txt"), rtol=1e-6)
    assert prepared.index["target"].tolist() == [1, 1, 0, 0] * 5
    rows = roles(prepared.split("folds"), prepared.index, SplitConfig(test=1))
    assert len(rows["train"]) + len(rows["test"]) == 20
    assert len(rows["test"]) == 4


def test_the_schema_example_is_one(tmp_path: Path) -> None:
    (example,) = fences("yaml")
    (tmp_path / "schema.yaml").write_text(example)
    columns = [rule.column for rule in ClickSchema.read(tmp_path / "schema.yaml").columns]
    assert [column.name for column in columns][:3] == ["clicked", "shown_at", "campaign"]
    shown = read_column(pa.table({"shown_at": ["31.12.2023 23:59"]}), columns[1])
    assert shown[0].as_py() == datetime.datetime(2023, 12, 31, 23, 59)


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_prep").symlink_to(REPOSITORY / "data_prep")
    assert [words[0] for words in commands("bash")] == ["list", "synth", "verify", "prepare"]
    for words in commands("bash"):
        assert main(words) == 0, words
    assert "as they were prepared" in capsys.readouterr().out


@pytest.mark.parametrize("words", commands("bash long"), ids=" ".join)
def test_the_long_commands_resolve(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert f"There is no file or folder {words[2]}." in capsys.readouterr().err  # everything before it was understood
