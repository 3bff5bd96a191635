"""`python -m data_prep`: what it prints, what it makes, and one line with exit code 2 for every slip."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import data_prep.__main__ as cli
from data_prep.contract import Source
from shared.errors import InputError
from shared.prepared import Column, FieldSpec, PreparedSet, PreparedWriter
from tests.conftest import REPOSITORY


@dataclass(frozen=True)
class NumbersConfig:
    """How numbers are read."""

    scale: float = 1.0
    """Factor on every number."""
    names: tuple[str, ...] = ()
    """Patients to take; empty: all."""


def prepare(paths: list[Path], out: Path, config: NumbersConfig) -> None:
    numbers = [float(line) for path in paths for line in path.read_text().split()]
    if not numbers:
        raise InputError(f"{paths[0]} holds\nno number.")
    write(out, [config.scale * number for number in numbers], "CC0-1.0")


def synth(out: Path, items: int, seed: int) -> None:
    write(out, np.random.default_rng(seed).normal(size=items).tolist(), "CC0-1.0")


def write(out: Path, numbers: list[float], licence: str) -> None:
    with PreparedWriter(out, name="numbers", title="Numbers", source="a test", licence=licence) as writer:
        writer.declare(FieldSpec("number", "ragged", "float64", (None,), "1"))
        for row, number in enumerate(numbers):
            writer.add({"number": np.full(50, number)}, item=str(row))


_CONFIG, _PREPARE, _SYNTH = (f"{__name__}:{name}" for name in ("NumbersConfig", "prepare", "synth"))
SOURCES = {
    "numbers": Source("numbers", "Numbers in text", "CC0-1.0", _CONFIG, _PREPARE, _SYNTH, implied_by="scale"),
    "made": Source("made", "Made up", "CC0-1.0", _CONFIG, synth=_SYNTH),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a raw file, and two sources of our own."""
    monkeypatch.setattr("data_prep.contract.discover", lambda: SOURCES)
    monkeypatch.setattr(cli, "discover", lambda: SOURCES)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.txt").write_text("1 2 3")
    (tmp_path / "empty.txt").touch()
    return tmp_path


def test_list_names_every_source_and_what_it_offers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    numbers, made = capsys.readouterr().out.splitlines()
    assert numbers.split() == ["numbers", "Numbers", "in", "text", "[CC0-1.0;", "prepare,", "synth]"]
    assert made.endswith("[CC0-1.0; synth]")


def test_prepare_hands_paths_and_options_to_the_source(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prepare", "numbers", "raw.txt", "raw.txt", "--out", "set", "--scale", "10"]) == 0
    assert "set holds 6 items" in capsys.readouterr().out
    assert [float(PreparedSet(here / "set").read("number", row)[0]) for row in range(3)] == [10, 20, 30]


def test_options_come_from_yaml_too_and_flags_win(here: Path) -> None:
    (here / "options.yaml").write_text("scale: 2.0\n")
    words = ["prepare", "numbers", "raw.txt", "--config", "options.yaml"]
    assert cli.main([*words, "--out", "a"]) == 0
    assert cli.main([*words, "--out", "b", "--scale", "3"]) == 0
    assert [PreparedSet(here / name).read("number", 0)[0] for name in "ab"] == [2, 3]


def test_an_option_of_one_source_only_stands_for_its_name(here: Path) -> None:
    for out, words in (
        ("a", ["--scale", "2", "raw.txt"]),
        ("b", ["--scale=2", "raw.txt"]),
        ("c", ["raw.txt", "--scale=2"]),
    ):
        assert cli.main(["prepare", *words, "--out", out]) == 0
        assert PreparedSet(here / out).read("number", 2)[0] == 6


def test_what_a_set_of_rows_holds_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PreparedWriter(here / "set", name="log", title="Log", source="a test", licence="CC0-1.0") as writer:
        log = writer.table("clicks", [Column("n", "integer", "label")])
        log.write(pa.table({"n": range(7)}))
    assert cli.main(["verify", "set"]) == 0
    assert "set: 7 rows of 'clicks', as they were prepared" in capsys.readouterr().out


def test_synth_makes_the_same_set_from_the_same_seed(here: Path) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert cli.main(["synth", "numbers", "--out", out, "--items", "7", "--seed", seed]) == 0
    hashes = [PreparedSet(here / name).manifest_hash for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(PreparedSet(here / "a")) == 7


def test_verify_tells_findings_from_problems(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "set", [1.0, 2.0], "CC0-1.0")
    capsys.readouterr()
    assert cli.main(["verify", "set"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "constant: 2 of 2 items of 'number' hold one value only, or none at all (rows 0, 1)."
    assert said[1].startswith("set: 2 items, as they were prepared")
    path = here / "set" / "ragged" / "number.values.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert cli.main(["verify", "set"]) == 1
    assert "problem: ragged/number.values.npy has changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("verifi", "no verb 'verifi'. Did you mean 'verify'"),
        ("list all", "list takes no options, found 'all'"),
        ("prepare", "prepare needs the name of a source first: numbers."),
        ("prepare --out set", "needs the name of a source first"),
        ("prepare nmbers raw.txt --out set", "no data source 'nmbers'. Did you mean 'numbers'"),
        ("prepare made raw.txt --out set", "'made' has no prepare."),
        ("prepare nmbers raw.txt --out set --scale 2", "no data source 'nmbers'"),
        ("prepare --out set --scale 2", "paths"),
        ("prepare numbers raw.txt", "out"),
        ("prepare numbers --out set", "paths"),
        ("prepare numbers raw.txt --out set --scle 2", "Did you mean 'scale'"),
        ("prepare numbers raw.txt --out set --scale x", "scale"),
        ("prepare numbers none.txt --out set", "There is no file or folder none.txt."),
        ("prepare numbers raw.txt --out .", "not empty"),
        ("prepare numbers empty.txt --out set", "empty.txt holds no number."),
        ("prepare numbers raw.txt --out set --config none.yaml", "none.yaml: no such file"),
        ("synth numbers --out set --items 0", "items is 0"),
        ("synth numbers --out .", "not empty"),
        ("verify", "folder"),
        ("verify none", "none is no prepared set"),
    ],
)
def test_a_slip_is_answered_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    assert cli.main(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("error: ")
    assert message in said.err
    assert not (here / "set").exists()


@pytest.mark.parametrize("words", [["--help"], ["list", "--help"], ["prepare", "--help"], ["synth", "-h"]])
def test_help_needs_no_name(here: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(words) == 0
    assert "numbers" in capsys.readouterr().out or words == ["--help"]


def test_without_words_the_verbs_are_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "prepare NAME PATH" in capsys.readouterr().out


def test_the_options_of_a_source_are_explained_by_its_docstrings(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["prepare", "numbers", "--help"])
    said = capsys.readouterr().out
    assert "Factor on every number" in said
    assert "How numbers are read" in said


HELP = """
import sys
from data_prep.__main__ import main
try:
    main(sys.argv[1:])
finally:
    assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["prepare", "ecg_shock", "--help"], ["prepare", "ctr_prediction", "--help"]]
)
def test_help_is_fast_and_imports_no_torch(words: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", HELP, *words], cwd=REPOSITORY, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
