"""Unseen values: which rows they are in, and the figures with and without them."""

from __future__ import annotations

import numpy as np

from apps.ctr_prediction.report.cold_start import cold_start_table, unseen_by_field
from shared.metrics.binary import AUC, LOG_LOSS
from shared.table import take
from tests.apps.ctr_prediction.predicted import changed, clicks, drawn, joined, line

UNSEEN = ["", "domain", "domain, creative", "url,domain"]


def test_fields_are_found_whole() -> None:
    masks = unseen_by_field({"unseen": np.array([*UNSEEN, "subdomain"], dtype=object)})
    assert list(masks) == ["domain", "creative", "subdomain", "url"]
    assert masks["domain"].tolist() == [False, True, True, True, False]
    assert masks["url"].tolist() == [False, False, False, True, False]


def test_both_sides_by_hand() -> None:
    table = clicks([1, 0, 1, 0, 0], [0.9, 0.1, 0.2, 0.4, 0.1], unseen=["", "", "domain", "domain,creative", "domain"])
    shown = cold_start_table(table)
    found = line(shown, "domain")
    assert (found["impressions, unseen"], found["clicks, unseen"], found["AUC, unseen"]) == ("3", "1", "0.500")
    assert (found["impressions, seen"], found["clicks, seen"], found["AUC, seen"]) == ("2", "1", "1.000")
    assert found["log loss, seen"] == f"{-np.log(0.9):.3f}"
    assert found["remark"] == "under 20 clicks"
    creative = line(shown, "creative")
    assert (creative["impressions, unseen"], creative["AUC, unseen"]) == ("1", "-")


def test_any_field_is_the_union() -> None:
    table = drawn(2000, unseen=[UNSEEN[number % 4] for number in range(2000)])
    seen = take(table, table["unseen"] == "")
    found = line(cold_start_table(table), "any field")
    assert found["impressions, unseen"] == "1500"
    assert found["AUC, seen"] == f"{AUC(seen):.3f}"
    assert found["log loss, seen"] == f"{LOG_LOSS(seen):.3f}"
    assert found["remark"] == ""


def test_trainings_are_averaged_and_counted_once() -> None:
    first = clicks([1, 0, 1, 0], [0.9, 0.1, 0.9, 0.1], unseen=["domain", "domain", "", ""], seed=0)
    found = line(
        cold_start_table(joined(first, changed(first, seed=1, probability=1 - first["probability"]))), "domain"
    )
    assert (found["impressions, unseen"], found["AUC, unseen"]) == ("2", "0.500")


def test_nothing_unseen_leaves_one_line() -> None:
    (only,) = cold_start_table(drawn(50, unseen="")).rows
    assert only[:3] == ("any field", "0", "0")
