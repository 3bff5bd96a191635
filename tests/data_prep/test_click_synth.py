"""Made-up impressions: seeded, of the length asked for, with probabilities that are true and effects worth learning."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from data_prep.click_schema import ClickSchema
from data_prep.synth import ctr_prediction as synth
from shared.errors import ConfigError
from shared.prepared import PreparedSet
from tests.conftest import REPOSITORY

SAMPLE = REPOSITORY / "data_prep" / "samples" / "impressions.csv"


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.concat_tables(synth.rows(120_000, seed=0))


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy()


def test_the_same_seed_gives_the_same_rows_in_order(table: pa.Table) -> None:
    assert pa.concat_tables(synth.rows(120_000, seed=0)).equals(table)
    assert not pa.concat_tables(synth.rows(500, seed=1)).equals(pa.concat_tables(synth.rows(500, seed=2)))
    assert len(table) == 120_000
    assert (np.diff(numbers(table, "time")) >= np.timedelta64(0)).all()
    assert len(set(table["id"].to_pylist())) == len(table)
    with pytest.raises(ConfigError, match="at least 100"):
        next(synth.rows(99))


def test_probabilities_are_those_before_thinning(table: pa.Table) -> None:
    click, weight, true = (numbers(table, name) for name in ("click", "sample_weight", "true_probability"))
    assert set(weight[click == 1]) == {1.0}
    assert set(weight[click == 0]) == {1.0 / synth.KEPT}
    assert 0.01 < np.average(click, weights=weight) < 0.04
    edges = np.quantile(true, [0.0, 0.5, 0.8, 0.95, 1.0])
    for low, high in itertools.pairwise(edges):
        part = (true >= low) & (true <= high)
        expected, spread = np.average(true[part], weights=weight[part]), np.sqrt(click[part].sum())
        assert np.average(click[part], weights=weight[part]) == pytest.approx(expected, rel=4.0 / spread)
    assert roc_auc_score(click, true) > 0.8


def test_a_tag_is_good_for_one_advertiser_and_bad_for_another(table: pa.Table) -> None:
    advertiser, true = np.array(table["advertiser"].to_pylist()), np.log(numbers(table, "true_probability"))
    bags = table["tags"].to_pylist()
    tags = [np.array([f"t{n}" in bag for bag in bags]) for n in range(6)]

    def lift(of: str, has: np.ndarray) -> float:
        return float(true[(advertiser == of) & has].mean() - true[(advertiser == of) & ~has].mean())

    lifts = np.array([[lift(f"adv{number}", has) for has in tags] for number in range(6)])
    assert ((lifts.max(axis=0) > 0.3) & (lifts.min(axis=0) < -0.3)).any()


def test_the_last_day_has_what_was_never_seen_and_one_advertiser_comes_late(table: pa.Table) -> None:
    days = numbers(table, "time").astype("datetime64[D]")
    last = days == days.max()
    assert len(np.unique(days)) == 6
    for name, least in (("domain", 0.08), ("creative", 0.15), ("user", 0.15)):
        values = np.array(table[name].to_pylist())
        assert least < 1.0 - np.isin(values[last], np.unique(values[~last])).mean() < 0.5
    late = np.array(table["advertiser"].to_pylist()) == "adv5"
    assert days[late].min() == days.min() + 3


def test_the_prepared_set_says_that_it_is_made_up(tmp_path: Path) -> None:
    synth.prepare(tmp_path / "set", 300, 0)
    prepared = PreparedSet(tmp_path / "set")
    assert prepared.verify() == []
    assert prepared.manifest.synthetic
    roles = {column.name: column.role for column in prepared.table("impressions").schema}
    assert [roles["true_probability"], roles["pay_price"], roles["id"]] == ["leak", "leak", "key"]
    assert prepared.table("impressions").count() == 300


def test_the_sample_is_such_a_log(tmp_path: Path) -> None:
    assert SAMPLE.read_bytes() == synth.write_log(tmp_path / "log.csv", 400, seed=0).read_bytes()
    ClickSchema.read(synth.SCHEMA)
