"""Ranks, wins and paired differences: three models whose order is known."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ctr_prediction.report.by_group import auc_within
from apps.ctr_prediction.report.ranks import Standing, against_table, rank_table, verdict
from shared.errors import ConfigError, InputError
from shared.metrics.binary import AUC
from shared.stats import Difference, paired_difference
from shared.table import Table, take
from tests.apps.ctr_prediction.predicted import changed, clicks, drawn, joined, line


def campaigns(rows: int = 1200, blocks: int = 12) -> Table:
    number = np.arange(rows)
    return drawn(
        rows,
        advertiser=[f"ad{place % 3}" for place in number],
        block=[f"ad{place % 3} day {place // 3 % (blocks // 3)}" for place in number],
    )


def noisier(table: Table, model: str, noise: float, seed: int = 0) -> Table:
    """Another model on the same rows, whose ranking is disturbed."""
    disturbed = table["logit"] + np.random.default_rng(seed).normal(0, noise, len(table["item"]))
    return changed(table, model=model, logit=disturbed, probability=1 / (1 + np.exp(-disturbed)))


def three_models() -> Table:
    table = campaigns()
    return joined(noisier(table, "LR", 3), table, noisier(table, "FM", 1.5, 1))


def small() -> Table:
    """Areas a, b, c of two models: 1, 1/2, undefined and 1, 1, undefined."""
    first = clicks([1, 0, 1, 0, 0], [0.9, 0.1, 0.5, 0.5, 0.1], advertiser=list("aabbc"), block=list("aabbc"))
    return joined(first, changed(first, model="LR", probability=[0.6, 0.1, 0.5, 0.4, 0.1]))


def test_ties_share_their_places() -> None:
    standing = Standing.of(small(), "advertiser")
    assert standing.models == ("network", "LR")
    assert standing.areas[:, :2].tolist() == [[1, 0.5], [1, 1]]
    assert standing.compared.tolist() == [True, True, False]
    assert not standing.trusted.any()
    assert standing.mean_ranks(standing.compared).tolist() == [(1.5 + 2) / 2, (1.5 + 1) / 2]
    assert standing.firsts().tolist() == [1, 2]
    assert (standing.ahead("LR", "network"), standing.ahead("network", "LR")) == (1, 0)


def test_the_table_by_hand() -> None:
    shown = rank_table(small(), "advertiser")
    assert shown.rows[0] == ("LR", "1.25", "-", "2", "1.0000", "1.0000", "-")
    assert shown.rows[1] == ("network", "1.75", "-", "1", "1.0000", "0.5000", "-")
    assert shown.header[-1] == "c (0 clicks)"
    assert "over 2 of 3 values" in shown.note


def test_the_better_ranks_first_everywhere() -> None:
    shown = rank_table(three_models(), "advertiser")
    assert [row[0] for row in shown.rows] == ["network", "FM", "LR"]
    assert shown.rows[0][1:4] == ("1.00", "1.00", "3")


def test_differences_are_those_of_the_shared_bootstrap() -> None:
    table = three_models()
    network, other = (take(table, table["model"] == name) for name in ("network", "LR"))
    shown = line(against_table(table, "advertiser", n=200), "LR")
    for metric, column in ((AUC, "AUC, difference"), (auc_within("advertiser"), "AUC within advertiser, difference")):
        found = paired_difference(metric, network, other, "block", n=200)
        assert shown[column] == f"{found.estimate:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    assert shown["ahead on so many of advertiser"] == "3 of 3"


def test_verdicts_are_told_plainly() -> None:
    table = joined(three_models(), noisier(campaigns(), "twin", 0.0))
    shown = against_table(table, "advertiser", n=200)
    assert line(shown, "LR")["network"] == "beats it"
    assert line(shown, "twin")["network"] == "undecided"
    told = "By the pooled AUC network beats LR, FM; it is neither ahead of nor behind twin."
    assert shown.note.startswith(told)
    other_way = against_table(table, "advertiser", reference="LR", n=200)
    assert line(other_way, "network")["network" if "network" in other_way.header else "LR"] == "is behind it"
    assert "By the pooled AUC LR is behind network, FM, twin." in other_way.note


def test_few_blocks_decide_nothing() -> None:
    table = campaigns(blocks=6)
    shown = against_table(joined(table, noisier(table, "LR", 3)), "advertiser", n=50)
    assert line(shown, "LR")["network"] == "undecided, under 8 blocks"
    assert "(" in line(shown, "LR")["AUC, difference"]


def test_trainings_are_averaged() -> None:
    table = changed(campaigns(), seed=0)
    second = changed(noisier(table, "network", 2), seed=1)
    other = changed(noisier(table, "LR", 1, 3), seed=0)
    shown = against_table(joined(table, second, other), "advertiser", n=20)
    expected = (AUC(table) + AUC(second)) / 2 - AUC(other)
    assert line(shown, "LR")["AUC, difference"].startswith(f"{expected:+.4f} ")


def test_verdict_of_an_interval() -> None:
    def found(low: float, high: float) -> str:
        shown = Difference(0.0, low, high, 0.95, "group bootstrap", 9, share_at_most_zero=0.0)
        return verdict(shown)

    assert [found(0.1, 0.2), found(-0.2, -0.1), found(-0.1, 0.1), found(0.0, 0.1)] == [
        "beats it", "is behind it", "undecided", "undecided",
    ]  # fmt: skip


def test_unknown_models_and_other_rows_are_refused() -> None:
    table = campaigns()
    with pytest.raises(ConfigError, match="netwrk"):
        against_table(table, "advertiser", reference="netwrk")
    fewer = take(noisier(table, "LR", 1), np.arange(1000))
    with pytest.raises(InputError, match="same rows"):
        rank_table(joined(table, fewer), "advertiser")
