"""The report shows every table once, from what metrics.json holds, whatever the columns allow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.ctr_prediction.report.sections import sections, tables
from shared.report import Section, render
from shared.table import Table
from tests.apps.ctr_prediction.predicted import changed, drawn, joined

GROUPS = ("advertiser",)


@pytest.fixture(scope="module")
def full() -> Table:
    """Two models with all that a log may tell."""
    number = np.arange(300)
    share = np.random.default_rng(0).normal(0, 1, 300)
    network = drawn(
        300,
        advertiser=[f"ad{place % 3}" for place in number],
        block=[f"ad{place % 3} day {place % 9 // 3}" for place in number],
        day=[f"2013-06-{6 + place // 100:02d}" for place in number],
        time_order=number,
        unseen=["domain" if place % 2 else "" for place in number],
        part_wide=share,
        part_deep=share / 100,
        nonzero=0.5,
    )
    trees = changed(network, model="xgboost", part_wide=np.nan, part_deep=np.nan, nonzero=np.nan)
    return joined(network, trees)


def summary(table: Table, groups: tuple[str, ...] = GROUPS) -> dict[str, Any]:
    return json.loads(json.dumps({"tables": [shown.to_dict() for shown in tables(table, groups)]}))


def shown(made: list[Section]) -> list[str]:
    return [table.caption for section in made for table in section.tables]


def test_every_table_is_shown_once(full: Table, tmp_path: Path) -> None:
    kept = summary(full)
    made = sections(full, kept, GROUPS)
    assert sorted(shown(made)) == sorted(str(table["caption"]) for table in kept["tables"])
    assert len(kept["tables"]) == 10
    assert len({section.title for section in made}) == 8
    render(tmp_path / "report.html", "clicks", "made", made, {})
    assert "Progressive validation by day" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_columns_that_are_missing_leave_their_sections_out(full: Table) -> None:
    bare = ("model", "item", "target", "weight", "base_rate", "probability", "logit", "block", "advertiser")
    network = full["model"] == "network"
    alone = {name: full[name][network] for name in bare}
    kept = summary(alone)
    titles = [section.title for section in sections(alone, kept, GROUPS)]
    assert titles == ["Click rates", "Calibration", "Group by group"]
    assert len(kept["tables"]) == 3


def test_without_groups_nothing_is_cut_by_them(full: Table) -> None:
    titles = [section.title for section in sections(full, summary(full, ()))]
    assert "Group by group" not in titles
    assert "Model against model" not in titles
