from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.features.hashing import HashedIds, stable_hash
from tests.conftest import REPOSITORY

MASK = 2**64 - 1


def _mix(h: int) -> int:
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    h = (h ^ (h >> 27)) * 0x94D049BB133111EB & MASK
    return h ^ (h >> 31)


def _reference(text: str, seed: int) -> int:
    data = text.encode()
    h = _mix(len(data) + seed * 0x9E3779B97F4A7C15 & MASK)
    for start in range(0, len(data), 8):
        word = data[start : start + 8]
        aligned = int.from_bytes(word, "little") << 8 * (8 - len(word))
        h = _mix(h ^ aligned) * 0x9E3779B97F4A7C15 & MASK
    return h


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.text(max_size=40), max_size=12), st.integers(0, 5), st.integers(0, 3))
def test_the_hash_is_that_of_the_bytes_wherever_they_lie(values: list[str | None], seed: int, first: int) -> None:
    array = pa.array(values, pa.large_string())
    expected = [_reference(value, seed) for value in values if value is not None]
    present = [i for i, value in enumerate(values) if value is not None]
    assert stable_hash(array, seed)[present].tolist() == expected
    np.testing.assert_array_equal(stable_hash(array.slice(first), seed), stable_hash(array, seed)[first:])


def test_missing_is_not_the_empty_text() -> None:
    hashes = stable_hash(pa.array([None, "", None], pa.large_string()))
    assert hashes[0] == hashes[2] != hashes[1]


def test_another_process_hashes_alike() -> None:
    code = (
        "import pyarrow as pa; from apps.ctr_prediction.features.hashing import stable_hash;"
        "print(*stable_hash(pa.array(['1458', 'Größe', None], pa.large_string()), 3))"
    )
    own = stable_hash(pa.array(["1458", "Größe", None], pa.large_string()), 3)
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert run.stdout.split() == [str(h) for h in own]


def test_buckets_are_filled_evenly() -> None:
    values = pa.array([f"user {number}" for number in range(100_000)], pa.large_string())
    count = np.bincount((stable_hash(values) % np.uint64(100)).astype(np.int64), minlength=100)
    assert np.square(count - 1000).sum() / 1000 < 160  # chi-squared, 99 degrees of freedom, 1 in 10,000
    assert len(np.unique(stable_hash(values))) == len(values)
    flipped = np.bitwise_count(stable_hash(values) ^ stable_hash(values, seed=1))
    assert flipped.mean() == pytest.approx(32, abs=0.1)


@pytest.mark.parametrize(
    ("encoding", "columns", "size", "combine"),
    [("hash", 1, 101, "sum"), ("multihash", 2, 102, "sum"), ("quotient_remainder", 2, 102, "product")],
)
def test_each_column_has_its_own_rows(encoding: str, columns: int, size: int, combine: str) -> None:
    coder = HashedIds(encoding, 100)  # type: ignore[arg-type]
    values = pa.array([*map(str, range(5000)), None], pa.large_string())
    slots, rows = coder.locate(values)
    assert (coder.columns, coder.size, coder.combine, coder.n_slots) == (columns, size, combine, 101)
    assert set(slots.tolist()) == set(range(1, 101))
    part = size // columns
    for column in range(columns):
        first = column * part
        assert set(rows[:, column].tolist()) == set(range(first + 1, first + part)), "all rows but the unseen one"


def test_two_columns_tell_values_apart_that_one_bucket_does_not() -> None:
    values = pa.array([*map(str, range(200))], pa.large_string())
    apart = {
        encoding: len(np.unique(HashedIds(encoding, 100).locate(values)[1], axis=0))  # type: ignore[arg-type]
        for encoding in ("hash", "multihash", "quotient_remainder")
    }
    assert apart["hash"] <= 100 < 180 < min(apart["multihash"], apart["quotient_remainder"])
