"""Prepared sets: all four field kinds from the writer to the reader, and what is refused on the way."""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared.atomic import sha256_of
from shared.errors import ConfigError, InputError
from shared.prepared import FieldSpec, PreparedSet, PreparedWriter
from shared.splits import Split
from shared.table import take, write_table
from tests.conftest import REPOSITORY

BOXES = FieldSpec("boxes", "ragged", "float32", (None, 4), "px", "xyxy")
LABELS = FieldSpec("labels", "ragged", "int64", (None,), "1", "class of each box")
VOLUME = FieldSpec("volume", "ragged", "int16", (None, None, None), "HU", "z, y, x")
IMAGE = FieldSpec("image", "array", "uint8", (3, 2), "1")
SCORE = FieldSpec("score", "array", "float64", (), "1")
SCAN = FieldSpec("scan", "file")
ABOUT: dict[str, Any] = {"name": "toy", "title": "Toy", "source": "made up", "licence": "CC0-1.0"}


@contextlib.contextmanager
def writing(folder: Path, *specs: FieldSpec, **about: Any) -> Iterator[PreparedWriter]:
    """A writer with these fields declared."""
    with PreparedWriter(folder, **{**ABOUT, "groups": ("patient",), **about}) as made:
        for spec in specs:
            made.declare(spec)
        yield made


def small(folder: Path, n: int = 6) -> PreparedSet:
    """A set with one number an item, two items a patient."""
    with writing(folder, SCORE) as made:
        for i in range(n):
            made.add({"score": i / 2}, item=f"i{i}", patient=f"p{i // 2}")
        made.add_split(Split("folds", "patient", {f"p{i // 2}": i // 2 for i in range(n)}))
    return PreparedSet(folder)


def test_every_kind_of_item_comes_back_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    items = []
    with writing(tmp_path / "set", BOXES, LABELS, VOLUME, IMAGE, SCORE, SCAN) as made:
        for i in range(5):
            scan = tmp_path / f"{i}.nii.gz"
            scan.write_bytes(bytes([i % 2]) * 100)
            items.append(
                {
                    "boxes": rng.random((i % 3, 4), dtype=np.float32),
                    "labels": np.arange(i % 3),
                    "volume": rng.integers(-1000, 1000, (i + 1, 3, i % 2)).astype(np.int16),
                    "image": rng.integers(0, 255, (3, 2)).astype(np.uint8),
                    "score": i / 7,
                    "scan": scan,
                }
            )
            columns = {"patient": f"p{i}", "age": 30 + i, "weight": 70.5, "male": i > 2, "note": None if i else "x"}
            assert made.add(items[-1], **columns) == i
    prepared = PreparedSet(tmp_path / "set")
    assert len(prepared) == 5
    assert prepared.verify() == []
    for row, item in enumerate(items):
        scan = prepared.read("scan", row)
        assert scan.read_bytes() == item.pop("scan").read_bytes()
        assert scan.name.endswith(".nii.gz")
        for name, expected in item.items():
            got = prepared.read(name, row)
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == prepared.manifest.field(name).dtype
            assert not got.flags.writeable
    assert len(set(prepared.index["scan.path"])) == 2  # equal files are stored once
    assert prepared.index["age"].dtype == np.int64
    assert prepared.index["weight"].dtype == np.float64
    assert prepared.index["male"].tolist() == [False, False, False, True, True]
    assert prepared.index["note"].tolist() == ["x", None, None, None, None]


@settings(deadline=None, max_examples=15)
@given(st.lists(arrays.arrays(np.float32, arrays.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=4))))
def test_any_ragged_volumes_survive(tmp_path_factory: pytest.TempPathFactory, volumes: list[np.ndarray]) -> None:
    volumes = [*volumes, np.zeros((0, 2, 1), np.float32)]
    folder = tmp_path_factory.mktemp("set") / "set"
    with writing(folder, FieldSpec("v", "ragged", "float32", (None,) * 3, "HU"), groups=()) as made:
        for volume in volumes:
            made.add({"v": volume})
    prepared = PreparedSet(folder)
    assert prepared.verify() == []
    for row, volume in enumerate(volumes):
        np.testing.assert_array_equal(prepared.read("v", row), volume)


def test_opening_reads_nothing_and_reading_copies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(tmp_path / "set", FieldSpec("ecg", "ragged", "float32", (None,), "mV")) as made:
        for i in range(3):
            made.add({"ecg": np.full(1000, i)}, patient=f"p{i}")
    monkeypatch.setattr("shared.prepared.dataset.read_table", None)  # the index is not needed for either
    first, second = (PreparedSet(tmp_path / "set").read("ecg", 1) for _ in range(2))
    assert not first.flags.owndata
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_a_set_pickles_as_its_folder(tmp_path: Path) -> None:
    prepared = small(tmp_path / "set")
    prepared.read("score", 0)
    assert prepared.index
    content = pickle.dumps(prepared)
    assert len(content) < 500
    assert pickle.loads(content).read("score", 3) == 1.5  # noqa: S301  # what a DataLoader does with its own object


def test_rows_count_from_zero_and_not_from_the_end(tmp_path: Path) -> None:
    prepared = small(tmp_path / "set")
    for row in (-1, 6):
        with pytest.raises(IndexError, match=f"no row {row} among 6"):
            prepared.read("score", row)


def test_names_that_are_not_there_are_answered_with_the_nearest(tmp_path: Path) -> None:
    prepared = small(tmp_path / "set")
    with pytest.raises(ConfigError, match=r"no field 'scores'. Did you mean 'score'"):
        prepared.read("scores", 0)
    with pytest.raises(ConfigError, match=r"no split 'fold'. Did you mean 'folds'"):
        prepared.split("fold")
    with pytest.raises(ConfigError, match="no table 'log'"):
        prepared.table("log")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((2, 5), np.float32), r"\(None, 4\), found \(2, 5\)"),
        (np.zeros(4, np.float32), r"found \(4,\)"),
        (np.full((1, 4), 1e300), "cannot hold 1e"),
        (np.zeros((1, 4), complex), "found complex128"),
        (np.array([[2**24 + 1, 0, 0, 0]]), "cannot hold 16777217"),
        (np.array([["a", "b", "c", "d"]]), "holds float32"),
    ],
)
def test_items_that_are_not_as_declared_are_refused_and_leave_nothing(tmp_path: Path, value: Any, message: str) -> None:
    with writing(tmp_path / "set", SCORE, BOXES) as made:
        with pytest.raises(InputError, match=message):
            made.add({"score": 1.0, "boxes": value}, patient="a")
        made.add({"score": 2.0, "boxes": np.ones((1, 4))}, patient="a")
    prepared = PreparedSet(tmp_path / "set")
    assert prepared.verify() == []
    assert len(prepared) == 1
    assert prepared.read("score", 0) == 2


def test_fields_and_columns_must_be_the_same_in_every_item(tmp_path: Path) -> None:
    with writing(tmp_path / "set", SCORE) as made:
        with pytest.raises(InputError, match=r"undeclared field 'scor'. Did you mean 'score'"):
            made.add({"score": 1, "scor": 1}, patient="a")
        with pytest.raises(InputError, match="lacks the field 'score'"):
            made.add({}, patient="a")
        made.add({"score": 1}, patient="a", age=1.5, sex="f")
        made.add({"score": 1}, patient="a", age=2, sex=None)
        for columns, message in (
            ({"patient": "a", "age": 1.5}, "lacks the column 'sex'"),
            ({"patient": "a", "age": 1.5, "sex": "f", "hight": 2}, "new column 'hight'"),
            ({"patient": "a", "age": "old", "sex": "f"}, "'age' began with a number, row 2 gives the text 'old'"),
            ({"patient": 7, "age": 1.5, "sex": "f"}, "'patient' began with a text"),
            ({"patient": "a", "age": [1.5], "sex": "f"}, "'age' holds list"),
            ({"patient": 2**63, "age": 1.5, "sex": "f"}, "64 bits"),
        ):
            with pytest.raises(InputError, match=message):
                made.add({"score": 1}, **columns)
    assert PreparedSet(tmp_path / "set").index["age"].tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a/b", "array", "float32", (), "1"), "name"),
        (("a", "arrays", "float32", (), "1"), "Did you mean 'array'"),
        (("a", "array", "float32", (None,), "1"), "numbers only"),
        (("a", "ragged", "float32", (3,), "1"), "None at each axis"),
        (("a", "ragged", "float32", None, "1"), "None at each axis"),
        (("a", "array", "text", (), "1"), "dtype 'text'"),
        (("a", "array", None, (), "1"), "dtype None"),
        (("a", "array", "O", (), "1"), "dtype 'O'"),
        (("a", "file", "float32"), "neither dtype nor shape"),
        (("a", "array", "float32", ()), "state its unit"),
        (("a", "table"), "table"),
        (("score", "array", "float32", (), "1"), "declared twice"),
    ],
)
def test_declarations_that_cannot_be_are_refused(tmp_path: Path, arguments: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message), writing(tmp_path / "set", SCORE) as made:
        made.declare(FieldSpec(*arguments))


def test_a_late_declaration_is_refused(tmp_path: Path) -> None:
    with writing(tmp_path / "set", SCORE) as made:
        made.add({"score": 1}, patient="a")
        with pytest.raises(ConfigError, match="after the first item"):
            made.declare(IMAGE)


def test_an_occupied_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert len(small(tmp_path / "set")) == 6  # an empty one is taken
    before = (tmp_path / "set" / "dataset.json").read_bytes()
    with pytest.raises(ConfigError, match="not empty"):
        small(tmp_path / "set")
    assert (tmp_path / "set" / "dataset.json").read_bytes() == before


@pytest.mark.parametrize("word", ["name", "title", "source", "licence"])
def test_a_set_states_what_it_is(tmp_path: Path, word: str) -> None:
    with pytest.raises(ConfigError, match=f"state its {word}"):
        PreparedWriter(tmp_path / "set", **{**ABOUT, word: " "})


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"), writing(tmp_path / "set", SCAN) as made:
        made.add({"scan": tmp_path / "none.dcm"}, patient="a")
    with pytest.raises(InputError, match="Nothing was added"), writing(tmp_path / "set", SCORE):
        pass
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from shared.prepared import FieldSpec, PreparedWriter
with PreparedWriter(Path(sys.argv[1]), name="toy", title="Toy", source="made up", licence="CC0-1.0") as made:
    made.declare(FieldSpec("score", "array", "float64", (), "1"))
    made.add({"score": 1}, patient="a")
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_nothing_under_the_name_and_can_be_repeated(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "set")], cwd=REPOSITORY, check=False)
    assert killed.returncode == -9
    assert [path.name.startswith(".set.partial-") for path in tmp_path.iterdir()] == [True]
    assert len(small(tmp_path / "set")) == 6


def test_the_writer_refuses_splits_that_cut_or_groups_that_are_not_there(tmp_path: Path) -> None:
    def attempt(split: Split, **about: Any) -> None:
        with writing(tmp_path / "set", SCORE, **about) as made:
            for i in range(4):
                made.add({"score": i}, item=str(i), patient=f"p{i // 2}")
            made.add_split(split)

    by_item = {str(i): i % 2 for i in range(4)}
    with pytest.raises(InputError, match="cuts patient 'p0'"):
        attempt(Split("random", "item", by_item))
    with pytest.raises(InputError, match="does not assign patient 'p1'"):
        attempt(Split("folds", "patient", {"p0": 0}))
    with pytest.raises(InputError, match=r"column 'patients', which the set does not have. Did you mean 'patient'"):
        attempt(Split("folds", "patients", {"p0": 0}))
    with pytest.raises(InputError, match=r"group 'patent'. Did you mean 'patient'"):
        attempt(Split("folds", "patient", {"p0": 0, "p1": 1}), groups=("patent",))
    assert list(tmp_path.iterdir()) == []
    attempt(Split("leaky-random", "item", by_item, cuts=("patient",)))
    assert PreparedSet(tmp_path / "set").splits == ("leaky-random",)


def test_a_split_added_later_is_checked_when_it_is_asked_for(tmp_path: Path) -> None:
    prepared = small(tmp_path / "set")
    hash_before = prepared.manifest_hash
    Split("by-item", "item", {f"i{i}": i % 2 for i in range(6)}).write(prepared.folder / "splits")
    Split("halves", "patient", {"p0": "train", "p1": "train", "p2": "test"}).write(prepared.folder / "splits")
    prepared = PreparedSet(prepared.folder)
    (prepared.folder / "splits" / ".halves.0123abcd.json").touch()  # what a killed Split.write leaves
    assert prepared.splits == ("by-item", "folds", "halves")
    assert prepared.split("halves").folds == ("test", "train")
    with pytest.raises(InputError, match="cuts patient 'p0'"):
        prepared.split("by-item")
    assert ["cuts patient" in problem for problem in prepared.verify()] == [True]
    assert prepared.manifest_hash == hash_before


def test_the_same_items_make_the_same_bytes(tmp_path: Path) -> None:
    assert small(tmp_path / "a").manifest_hash == small(tmp_path / "b").manifest_hash
    assert small(tmp_path / "c", n=4).manifest_hash != PreparedSet(tmp_path / "a").manifest_hash


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_folders_that_are_no_prepared_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no prepared set: it has no dataset\.json"):
        PreparedSet(tmp_path)
    folder = small(tmp_path / "set").folder
    change_manifest(folder, format_version=2)
    with pytest.raises(InputError, match=r"format 2.*up to 1: update"):
        PreparedSet(folder)
    change_manifest(folder, format_version=1, surplus=1)
    with pytest.raises(InputError, match=r"damaged.*surplus"):
        PreparedSet(folder)
    (folder / "dataset.json").write_text("[1, 2")
    with pytest.raises(InputError, match="damaged"):
        PreparedSet(folder)


def test_missing_and_cut_files_are_named(tmp_path: Path) -> None:
    folder = small(tmp_path / "set").folder
    path = folder / "arrays" / "score.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-8])
    with pytest.raises(InputError, match=r"score\.npy is missing or damaged"):
        PreparedSet(folder).read("score", 0)
    path.unlink()
    with pytest.raises(InputError, match=r"lacks arrays/score\.npy"):
        PreparedSet(folder)


def test_verify_finds_a_flipped_bit_anywhere(tmp_path: Path) -> None:
    scan = tmp_path / "scan.dcm"
    scan.write_bytes(b"content")
    with writing(tmp_path / "set", BOXES, SCORE, SCAN) as made:
        made.add({"boxes": np.ones((2, 4)), "score": 1, "scan": scan}, patient="a")
        made.add_split(Split("folds", "patient", {"a": 0}))
    prepared = PreparedSet(tmp_path / "set")
    listed = [path for path in prepared.folder.rglob("*") if path.is_file() and path.name != "dataset.json"]
    assert len(listed) == 7
    for path in listed:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        problems = PreparedSet(prepared.folder).verify()
        assert len(problems) == 1
        assert path.name in problems[0]
        assert "SHA-256" in problems[0]
        path.write_bytes(content)
    assert prepared.verify() == []


def rehash(prepared: PreparedSet, name: str) -> None:
    """Make the manifest agree with a file that was changed, so that only what is in it can give it away."""
    files = {**prepared.manifest.files, name: sha256_of(prepared.folder / name)}
    change_manifest(prepared.folder, files=files)


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("offsets", [0, 8, 7], "does not fit"),
        ("offsets", [0, 4, 16], "does not fit"),
        ("offsets", [4, 8, 20], "run from 4"),
        ("shapes", [[2, 4], [4, 3]], r"row 1: shape \(4, 3\) with 12 values"),
        ("shapes", [[2, 4], [-3, -4]], "does not fit"),
        ("values", np.zeros(19, np.float32), "expected 0 to 19"),
        ("values", np.zeros(20), "holds float64"),
        ("offsets", [0, 20], "holds int64"),
    ],
)
def test_verify_finds_offsets_and_shapes_that_do_not_fit(tmp_path: Path, part: str, content: Any, message: str) -> None:
    with writing(tmp_path / "set", BOXES) as made:
        made.add({"boxes": np.ones((2, 4))}, patient="a")
        made.add({"boxes": np.ones((3, 4))}, patient="b")
    prepared = PreparedSet(tmp_path / "set")
    name = f"ragged/boxes.{part}.npy"
    np.save(prepared.folder / name, np.asarray(content))
    rehash(prepared, name)
    problems = "\n".join(PreparedSet(prepared.folder).verify())
    assert re.search(message, problems), problems


def test_verify_finds_what_the_manifest_does_not_state_or_states_wrongly(tmp_path: Path) -> None:
    folder = small(tmp_path / "set").folder
    manifest = json.loads((folder / "dataset.json").read_text())
    manifest["fields"][0]["unit"] = ""
    change_manifest(folder, licence="", fields=manifest["fields"])
    assert PreparedSet(folder).verify() == [
        "The set does not state its licence.",
        "Field 'score' does not state its unit.",
    ]
    change_manifest(folder, **{**manifest, "licence": "x", "n_items": 7})
    assert "The index has 6 rows, the manifest says 7." in PreparedSet(folder).verify()


def test_a_path_out_of_the_set_is_not_followed(tmp_path: Path) -> None:
    scan = tmp_path / "scan.dcm"
    scan.write_bytes(b"content")
    with writing(tmp_path / "set", SCAN) as made:
        made.add({"scan": scan}, patient="a")
    prepared = PreparedSet(tmp_path / "set")
    hostile = {**prepared.index, "scan.path": np.array(["../scan.dcm"], dtype=object)}
    write_table(prepared.folder / "index.parquet", hostile)
    with pytest.raises(InputError, match="outside the prepared set"):
        PreparedSet(prepared.folder).read("scan", 0)


def test_an_index_longer_than_one_piece_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.prepared.index._ROWS_AT_ONCE", 2)
    prepared = small(tmp_path / "set")
    assert prepared.index["item"].tolist() == [f"i{i}" for i in range(6)]
    assert take(prepared.index, np.array([5]))["patient"].tolist() == ["p2"]
