"""The report shows every table once, from what metrics.json holds, whatever a set says of its windows."""

from __future__ import annotations

import json

import numpy as np

from apps.ecg_shock.report.rhythm_report import BY_CLASS, sections, tables
from shared.report import captioned
from shared.table import Table
from tests.apps.ecg_shock.decided import again, joined, windows


def two_models() -> Table:
    rows = joined(
        *(windows("S_VF", f"p{fold}", 8, 7, fold=fold) for fold in (0, 1)),
        *(windows("N_NSR", f"q{fold}", 8, 1, undecided=2, fold=fold) for fold in (0, 1)),
        windows("X_NOISE", "p0", 4, 2, undecided=1),
    )
    return joined(rows, again(rows, model="decision tree"))


def stored(table: Table) -> list[dict[str, object]]:
    return json.loads(json.dumps([shown.to_dict() for shown in tables(table)]))


def test_every_table_is_shown_once() -> None:
    kept = stored(two_models())
    shown = [table.caption for section in sections(two_models(), kept) for table in section.tables]
    assert sorted(shown) == sorted(str(table["caption"]) for table in kept)
    assert len(kept) == 12


def test_a_single_run_has_no_calibration_on_other_folds() -> None:
    alone = {name: column for name, column in two_models().items() if name not in ("fold", "seed", "amplitude_mv")}
    kept = stored(alone)
    assert len(kept) == 11
    assert "Calibration on other folds" not in [section.title for section in sections(alone, kept)]


def test_classes_say_what_was_answered() -> None:
    (by_class,) = captioned(stored(two_models()), BY_CLASS)
    lines = {row[0]: row[1:] for row in by_class.rows}
    assert lines["ventricular fibrillation"][:3] == ["16", "2", "87.5"]
    assert lines["normal sinus rhythm"][-3:] == ["12.5", "25.0", "62.5"]
    assert lines["noise mark (not scored)"][-3:] == ["50.0", "25.0", "25.0"]


def test_own_classes_and_one_sided_labels_are_no_obstacle() -> None:
    own = {**windows("flutter", "p0", 4, 4), "target": np.ones(4, dtype=int)}
    kept = stored(own)
    assert any("flutter" in str(table["rows"]) for table in kept)
    assert captioned(kept, "Advice by the rhythms")[0].rows[0][8] == "not testable"
