"""Inputs of predictors: arrays of finite numbers, rows of named values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.validate import finite_array, record


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int16, np.uint8])
def test_arrays_of_all_real_kinds_become_single_precision_of_their_own(kind: type) -> None:
    given_array = np.arange(6).reshape(2, 3).astype(kind)
    found = finite_array(given_array, dimensions=2, what="A picture")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, given_array)
    found[0, 0] = 9
    assert given_array[0, 0] == 0


def test_single_precision_is_copied_too() -> None:
    given_array = np.zeros((2, 2), np.float32)
    assert not np.shares_memory(finite_array(given_array, dimensions=2, what="A picture"), given_array)


def test_sequences_and_files_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    for source in ([[1, 1], [1, 1]], tmp_path / "a.npy", str(tmp_path / "a.npy")):
        np.testing.assert_array_equal(finite_array(source, dimensions=2, what="A picture"), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros(3), r"2 axes.*float64 of shape \(3,\)"),
        (np.zeros((0, 3)), r"none empty.*\(0, 3\)"),
        (np.zeros((1, 1), complex), "complex128"),
        (np.zeros((1, 1), bool), "bool"),
        ([[1.0], [1.0, 2.0]], "A picture is no array"),
        (np.full((1, 1), np.nan), "NaN"),
        (np.full((1, 1), 1e300), "beyond 3e38"),
        ("nowhere.npy", "nowhere.npy"),
        (None, "object"),
    ],
)
def test_what_is_no_such_array_is_named(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        finite_array(source, dimensions=2, what="A picture")


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04"]))
def test_no_content_of_a_file_gets_past(tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes) -> None:
    path = tmp_path_factory.mktemp("made") / "made.npy"
    path.write_bytes(start + content)
    with pytest.raises(InputError):
        finite_array(path, dimensions=2, what="A picture")


def test_an_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones((2, 2)))
    with pytest.raises(InputError, match="an archive"):
        finite_array(tmp_path / "a.npz", dimensions=2, what="A picture")


def test_rows_are_read_from_mappings_and_files(tmp_path: Path) -> None:
    row = {"user": 3, "price": 2.5, "site": "a", "more": None}
    (tmp_path / "row.json").write_text(json.dumps(row))
    kinds = {"user": "whole number", "price": "number", "site": "text"}
    assert record(row, "Row 0", kinds) is row
    assert record(tmp_path / "row.json", "Row 0", kinds) == row
    assert record({"user": np.int64(3)}, "Row 0", {"user": "whole number"})["user"] == 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "Row 7 needs a whole number in the field 'user'; found nothing"),
        ({"user": 2.5}, "found 2.5"),
        ({"user": "3"}, "found '3'"),
        ([("user", 3)], "mapping with the fields user; found list"),
        (None, "found NoneType"),
        ("nowhere.json", "nowhere.json"),
    ],
)
def test_what_is_no_such_row_is_named(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        record(source, "Row 7", {"user": "whole number"})


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass"), "3"])
def test_a_damaged_file_of_a_row_is_named(tmp_path: Path, content: str | bytes) -> None:
    (tmp_path / "row.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError):
        record(tmp_path / "row.json", "Row 0", {"user": "whole number"})
