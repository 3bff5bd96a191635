"""The audit finds what was planted, and nothing in a clean set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.audit import Finding, audit
from shared.prepared import FieldSpec, PreparedWriter
from shared.splits import Split

SIGNAL = FieldSpec("signal", "ragged", "float32", (None,), "mV")
LABEL = FieldSpec("label", "array", "int64", (), "1")
N = 8

Plant = Callable[[list[np.ndarray]], None]


def planted(folder: Path, plant: Plant, *splits: Split) -> Path:
    """Eight noise signals of four patients in two folds, changed by `plant`."""
    rng = np.random.default_rng(0)
    signals = [rng.normal(size=1000 + i).astype(np.float32) for i in range(N)]
    plant(signals)
    with PreparedWriter(
        folder, name="toy", title="Toy", source="made up", licence="CC0-1.0", groups=("patient",)
    ) as writer:
        writer.declare(SIGNAL)
        writer.declare(LABEL)
        for i, signal in enumerate(signals):
            writer.add({"signal": signal, "label": i % 2}, item=f"i{i}", patient=f"p{i // 2}")
        writer.add_split(Split("folds", "patient", {f"p{i}": i // 2 for i in range(N // 2)}))
        for split in splits:
            writer.add_split(split)
    return folder


def told(findings: list[Finding]) -> list[tuple[str, tuple[int, ...]]]:
    assert {finding.field for finding in findings} <= {"signal", "scan"}
    return [(finding.kind, finding.rows) for finding in findings]


def test_a_clean_set_gives_no_findings(tmp_path: Path) -> None:
    assert audit(planted(tmp_path / "set", lambda signals: None), near=True) == []


def test_twins_are_told_apart_by_where_they_lie(tmp_path: Path) -> None:
    def plant(signals: list[np.ndarray]) -> None:
        signals[1] = signals[0].copy()  # same patient
        signals[3] = signals[7].copy()  # other patient, other fold

    leaky = Split("leaky-random", "item", {f"i{i}": i % 2 for i in range(N)}, cuts=("patient",))
    findings = audit(planted(tmp_path / "set", plant, leaky))
    assert told(findings) == [("duplicate", (0, 1, 3, 7)), ("duplicate", (3, 7)), ("leak", (3, 7))]
    assert findings[1].message == (
        "2 items of 'signal' of different 'patient' are byte-identical (row 3 of 'p1' and row 7 of 'p3')."
    )
    assert "on two sides of split 'folds'" in findings[2].message


def test_the_same_values_in_another_shape_are_no_twins(tmp_path: Path) -> None:
    with PreparedWriter(tmp_path / "set", name="toy", title="Toy", source="made up", licence="CC0-1.0") as writer:
        writer.declare(FieldSpec("signal", "ragged", "float64", (None, None), "mV"))
        for shape in ((20, 5), (5, 20)):
            writer.add({"signal": np.arange(100.0).reshape(shape)}, item=str(shape))
    assert audit(tmp_path / "set") == []


def test_broken_items_are_found(tmp_path: Path) -> None:
    def plant(signals: list[np.ndarray]) -> None:
        signals[1][:] = 0.25
        signals[2][5] = np.nan
        signals[3][:] = np.nan
        signals[4][0] = np.inf
        signals[6] = np.zeros(0, np.float32)

    found = dict(told(audit(planted(tmp_path / "set", plant))))
    assert found == {"constant": (1, 3), "not finite": (2, 3, 4)}


def test_constant_items_are_no_twins(tmp_path: Path) -> None:
    def plant(signals: list[np.ndarray]) -> None:
        signals[0] = signals[7] = np.zeros(500, np.float32)

    assert told(audit(planted(tmp_path / "set", plant))) == [("constant", (0, 7))]


def test_near_twins_are_found_on_request(tmp_path: Path) -> None:
    def plant(signals: list[np.ndarray]) -> None:
        rng = np.random.default_rng(1)
        signals[6] = 3 * signals[1] + 7  # another gain and offset
        signals[5] = signals[4] + rng.normal(scale=1e-3, size=len(signals[4])).astype(np.float32)

    folder = planted(tmp_path / "set", plant)
    assert audit(folder) == []
    assert told(audit(folder, near=True)) == [
        ("near duplicate", (1, 4, 5, 6)),
        ("near duplicate", (1, 6)),
        ("leak", (1, 6)),
    ]


def test_exact_twins_are_no_near_twins(tmp_path: Path) -> None:
    def plant(signals: list[np.ndarray]) -> None:
        signals[1] = signals[0].copy()

    assert told(audit(planted(tmp_path / "set", plant), near=True)) == [("duplicate", (0, 1))]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_files_that_hold_nothing_and_shared_files_are_found(tmp_path: Path, content: bytes) -> None:
    contents = [b"scan 0", b"scan 1", content, b"scan 1"]
    with PreparedWriter(
        tmp_path / "set", name="toy", title="Toy", source="made up", licence="CC0-1.0", groups=("patient",)
    ) as writer:
        writer.declare(FieldSpec("scan", "file"))
        for i, scan in enumerate(contents):
            (tmp_path / f"{i}.dcm").write_bytes(scan)
            writer.add({"scan": tmp_path / f"{i}.dcm"}, patient=f"p{i}")
    findings = audit(tmp_path / "set")
    assert told(findings) == [("unreadable", (2,)), ("duplicate", (1, 3)), ("duplicate", (1, 3))]


def test_files_that_are_gone_are_found(tmp_path: Path) -> None:
    (tmp_path / "scan.dcm").write_bytes(b"scan")
    with PreparedWriter(tmp_path / "set", name="toy", title="Toy", source="made up", licence="CC0-1.0") as writer:
        writer.declare(FieldSpec("scan", "file"))
        writer.add({"scan": tmp_path / "scan.dcm"}, item="a")
    next((tmp_path / "set" / "files").rglob("*.dcm")).unlink()
    assert told(audit(tmp_path / "set")) == [("unreadable", (0,))]
