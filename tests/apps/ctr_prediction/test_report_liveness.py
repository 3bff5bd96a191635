"""Living and silent parts: spreads and areas of shares made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ctr_prediction.report.liveness_table import liveness_table, parts_of
from shared.metrics.binary import AUC
from tests.apps.ctr_prediction.predicted import changed, clicks, joined, line


def parted(n: int = 400) -> dict[str, np.ndarray]:
    """The wide part ranks, the cross part errs, the deep part is dead; a bias of -2."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    wide, cross, deep = 2.0 * label - 1, rng.normal(0, 3, n), rng.normal(0, 0.01, n)
    logit = wide + cross + deep - 2
    table = clicks(label, 1 / (1 + np.exp(-logit)), part_wide=wide, part_cross=cross, part_deep=deep)
    return changed(table, logit=logit)


def test_spread_and_ablation() -> None:
    table = parted()
    shown = liveness_table(table)
    wide, cross, deep = (line(shown, name) for name in ("wide", "cross", "deep"))
    assert wide["standard deviation, logits"] == "1.000"
    assert float(cross["standard deviation, logits"]) == pytest.approx(table["part_cross"].std(), abs=1e-3)
    assert (wide["AUC by it alone"], cross["AUC with it set to its mean"]) == ("1.000", "1.000")
    assert [deep["remark"], wide["remark"], cross["remark"]] == ["silent", "", ""]
    assert cross["change of AUC"] == f"{1 - AUC(table):+.4f}"


def test_set_to_its_mean_is_what_it_says() -> None:
    table = parted()
    for name in ("wide", "cross", "deep"):
        part = table[f"part_{name}"]
        without = AUC({"target": table["target"], "probability": table["logit"] - part + part.mean()})
        assert line(liveness_table(table), name)["AUC with it set to its mean"] == f"{without:.3f}"


def test_the_last_line_is_the_whole() -> None:
    table = parted()
    whole = line(liveness_table(table), "all together")
    assert whole["AUC by it alone"] == f"{AUC(table):.3f}"
    assert whole["standard deviation, logits"] == f"{table['logit'].std():.3f}"


def test_trainings_are_averaged() -> None:
    table = changed(parted(), seed=0)
    other = changed(table, seed=1, part_deep=table["part_deep"] + 3 * (2 * table["target"] - 1))
    found = line(liveness_table(joined(table, other)), "deep")
    spreads = [table["part_deep"].std(), other["part_deep"].std()]
    assert float(found["standard deviation, logits"]) == pytest.approx(np.mean(spreads), abs=1e-3)
    assert found["remark"] == ""


def test_parts_that_a_model_lacks_are_no_parts() -> None:
    table = parted()
    assert parts_of(table) == ("wide", "cross", "deep")
    assert parts_of(changed(table, part_deep=np.nan)) == ("wide", "cross")
