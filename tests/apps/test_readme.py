"""Tables of a JSON file in a README."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.readme import _stored_tables
from shared.atomic import write_json
from shared.errors import ConfigError
from shared.report import ReportTable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    told = ReportTable("Noise at 6 dB", ("kind", "Sp | Se"), [("wander", "> 95")], "Made noise.")
    plain = ReportTable("Lengths", ("s", "Se"), [("2", "97.0"), ("5", "98.0")])
    (tmp_path / "results").mkdir()
    write_json(tmp_path / "results" / "stress.json", {"tables": [told.to_dict(), plain.to_dict()]})
    return tmp_path


def test_all_tables_stand_under_their_captions(folder: Path) -> None:
    assert _stored_tables(folder, "results/stress.json").split("\n\n") == [
        "**Noise at 6 dB**",
        "| kind | Sp \\| Se |\n| --- | --- |\n| wander | > 95 |",
        "Made noise.",
        "**Lengths**",
        "| s | Se |\n| --- | --- |\n| 2 | 97.0 |\n| 5 | 98.0 |",
    ]


def test_words_choose(folder: Path) -> None:
    assert _stored_tables(folder, "results/stress.json Noise at").startswith("**Noise at 6 dB**")
    assert "Lengths" not in _stored_tables(folder, "results/stress.json Noise at")
    with pytest.raises(ConfigError, match="begins with 'Speed'; it has 'Noise at 6 dB', 'Lengths'"):
        _stored_tables(folder, "results/stress.json Speed")
