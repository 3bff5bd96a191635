"""Atomic files and tables: whole or not there, and errors that name what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from shared.atomic import atomic_path, read_json, sha256_of, write_json, write_text
from shared.errors import InputError, did_you_mean
from shared.progress import counted
from shared.readme import blocks_in, fill
from shared.table import concatenate, n_rows, read_table, require, take, write_table


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_goes_with_a_later_write(tmp_path: Path) -> None:
    old, young = tmp_path / ".a[1].0123abcd.txt", tmp_path / ".a[1].fedc9876.txt"
    others = [tmp_path / name for name in (".a.0123abcd.txt", ".a[1].backup.txt", ".a[1].0123abcd.json", "b.txt")]
    for path in (old, young, *others):
        path.touch()
        os.utime(path, (0, 0))
    young.touch()  # somebody may still write it
    write_text(tmp_path / "a[1].txt", "new")
    assert not old.exists()
    assert all(path.exists() for path in (young, *others))


def test_json_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    write_json(tmp_path / "b.json", {"x": [1, None]})
    assert read_json(tmp_path / "b.json") == {"x": [1, None]}
    assert not (tmp_path / "a.json").exists()


def test_sha256(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_table_round_trip(tmp_path: Path) -> None:
    table = {
        "name": np.array(["a", None, "c"], dtype=object),
        "value": np.array([1.0, np.nan, 3.0]),
        "count": np.array([1, 2, 3], dtype=np.int8),
        "flag": np.array([True, False, True]),
    }
    write_table(tmp_path / "t.parquet", table)
    found = read_table(tmp_path / "t.parquet")
    assert found["name"].tolist() == ["a", None, "c"]
    np.testing.assert_array_equal(found["value"], table["value"])
    assert found["count"].dtype == np.int8
    assert n_rows(concatenate([found, take(found, found["flag"])])) == 5


def test_table_errors(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="not a readable parquet"):
        read_table(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="There is no file"):
        read_table(tmp_path / "y.parquet")
    with pytest.raises(InputError, match="Did you mean 'patient'"):
        require({"patient": np.zeros(1)}, "patients")
    with pytest.raises(InputError, match="one length"):
        write_table(tmp_path / "z.parquet", {"a": np.zeros(1), "b": np.zeros(2)})
    with pytest.raises(InputError, match="different columns"):
        concatenate([{"a": np.zeros(1)}, {"b": np.zeros(1)}])


def test_hints() -> None:
    assert did_you_mean("patiant", ["patient", "record"]) == " Did you mean 'patient'?"
    assert did_you_mean("zzz", ["b", "a"]) == " Known: a, b."
    assert did_you_mean("zzz", []) == ""


def test_readme_blocks() -> None:
    text = "x\n<!-- begin: card a -->\nold\n<!-- end: card a -->\ny\n<!-- begin: card b -->\n<!-- end: card b -->\n"
    assert blocks_in(text) == ["card a", "card b"]
    filled = fill(text, {"card": lambda name: f"the {name}"})
    assert "the a\n<!-- end: card a -->\ny" in filled
    assert "old" not in filled
    assert fill(filled, {"card": lambda name: f"the {name}"}) == filled


def test_counted_gives_every_item_and_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(counted(range(3), "things")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
