"""What an app tabulates is kept in metrics.json, and its sections show it from there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from shared.atomic import read_json
from shared.metrics.binary import ACCURACY
from shared.report import ReportTable, Section, captioned
from shared.results import write_results
from shared.table import Table


class Counted:
    """As much of an experiment as results need."""

    app = SimpleNamespace(resampling_unit="patient", primary_metric="accuracy", scored_unit="window", title="Made")
    metrics = (ACCURACY,)
    item_columns = ("item",)
    prepared = SimpleNamespace(
        manifest=SimpleNamespace(title="made", source="none", licence="CC0-1.0", synthetic=True),
    )

    def __init__(self) -> None:
        self.tabulated = 0

    def primary_metric(self) -> Any:
        return ACCURACY

    def scored(self, table: Table) -> Table:
        return table

    def details(self, table: Table) -> dict[str, Any]:
        return {}

    def tables(self, table: Table) -> tuple[ReportTable, ...]:
        self.tabulated += 1
        return (ReportTable("Rows", ("model", "rows"), [("network", str(len(table["item"])))]),)

    def sections(self, table: Table, summary: dict[str, Any]) -> list[Section]:
        return [Section("Counted", tables=captioned(summary["tables"], "Rows"))]


def test_tables_are_made_once_kept_and_shown(tmp_path: Path) -> None:
    run = SimpleNamespace(**{name: tmp_path / name for name in ("predictions", "metrics", "report")})
    table = {
        "model": np.full(4, "network", dtype=object),
        "item": np.arange(4),
        "patient": np.array(["a", "a", "b", "b"], dtype=object),
        "target": np.array([0, 1, 0, 1]),
        "decision": np.array([0, 1, 1, 1]),
    }
    experiment = Counted()
    write_results(run, experiment, table, protocol="made", resamples=10)  # type: ignore[arg-type]
    assert experiment.tabulated == 1
    (kept,) = read_json(run.metrics)["tables"]
    assert kept == {"caption": "Rows", "header": ["model", "rows"], "rows": [["network", "4"]], "note": ""}
    page = run.report.read_text(encoding="utf-8")
    assert page.count('<caption id="s2-t1">Rows</caption>') == page.count("Rows</caption>") == 1
