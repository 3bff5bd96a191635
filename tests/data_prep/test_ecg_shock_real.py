"""Windows derived from the real recordings, held against the table that came with them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.ecg_set import prepare
from data_prep.ecg_shock import EcgShockConfig
from shared.prepared import PreparedSet

pytestmark = pytest.mark.slow

Pairs = list[tuple[dict[str, str], int]]


@pytest.fixture(scope="module")
def prepared(real_ecg: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    out = tmp_path_factory.mktemp("real") / "ecg_shock"
    prepare([real_ecg], out, EcgShockConfig())
    return PreparedSet(out)


@pytest.fixture(scope="module")
def pairs(real_ecg: Path, prepared: PreparedSet) -> Pairs:
    """Each row of windows_5s.csv with the row of the prepared set that starts within a millisecond of it."""
    index = prepared.index
    keys = zip(index["db"], index["record"], np.round(index["start_s"].astype(float), 3), strict=True)
    rows = {key: row for row, key in enumerate(keys)}
    with (real_ecg / "windows_5s.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == len(prepared) == len(rows) == 21585
    return [(line, rows[line["db"], line["record"], float(line["start_s"])]) for line in table]


def both(pairs: Pairs, prepared: PreparedSet, theirs: str, ours: str) -> tuple[npt.NDArray[np.float64], ...]:
    found = np.array([float(line[theirs] or "nan") for line, _ in pairs])
    return found, prepared.index[ours].astype(float)[[row for _, row in pairs]]


def test_classes_agree(pairs: Pairs, prepared: PreparedSet) -> None:
    differing = [
        (line["record"], line["start_s"], line["cls"])
        for line, row in pairs
        if line["cls"] != prepared.index["cls"][row]
    ]
    assert len(differing) <= 2, differing


@pytest.mark.parametrize("column", ["rhythm", "patient", "fold"])
def test_what_is_copied_agrees_everywhere(pairs: Pairs, prepared: PreparedSet, column: str) -> None:
    assert all(line[column] == str(prepared.index[column][row]) for line, row in pairs)


def test_second_readings_agree(pairs: Pairs, prepared: PreparedSet) -> None:
    assert sum(line["reader2"] != prepared.index["reader2"][row] for line, row in pairs) <= 1


@pytest.mark.parametrize(
    ("theirs", "ours", "rounding"),
    [("p2p_mV_lead1", "p2p_mV", 6e-4), ("rate_est", "rate_est", 0.06), ("regularity", "regularity", 1e-3)],
)
def test_measures_agree(pairs: Pairs, prepared: PreparedSet, theirs: str, ours: str, rounding: float) -> None:
    expected, found = both(pairs, prepared, theirs, ours)
    assert np.array_equal(np.isnan(expected), np.isnan(found))
    assert np.nanmean(np.abs(expected - found) <= rounding) > 0.998


def test_missing_samples_are_counted_alike(pairs: Pairs, prepared: PreparedSet) -> None:
    expected, found = both(pairs, prepared, "invalid_frac", "invalid_frac")
    assert np.abs(expected - found).max() < 1e-3
