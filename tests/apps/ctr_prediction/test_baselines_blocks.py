"""The folds that settings are chosen on: whole blocks, every row once, and never the rows that were learnt from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.classical.training_rows import BlockFolds, clicks_of, label_of, sample
from shared.errors import InputError
from tests.apps.ctr_prediction.made_campaigns import SCHEMA, made_campaigns, stream


def log_of(blocks: list[str]) -> pa.Table:
    return pa.table({"row": np.arange(len(blocks)), "click": np.arange(len(blocks)) % 2, "block": blocks})


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(1, 20))
def test_every_row_is_left_out_once_with_its_whole_block(blocks: list[str], cut: int) -> None:
    log = log_of(blocks)
    rows = stream(log, cut)
    folds = BlockFolds.of(rows, "click")
    assert folds.n_folds == (min(5, len(set(blocks))) if len(set(blocks)) > 1 else 0)
    left_out: list[int] = []
    for learnt, held in folds.parts(rows):
        parts = [pa.concat_tables(part()) for part in (learnt, held)]
        assert not set(parts[0]["block"].to_pylist()) & set(parts[1]["block"].to_pylist())
        assert sorted(parts[0]["row"].to_pylist() + parts[1]["row"].to_pylist()) == list(range(len(log)))
        left_out += parts[1]["row"].to_pylist()
    assert sorted(left_out) == (list(range(len(log))) if folds.n_folds else [])


def test_the_days_of_a_campaign_go_to_different_folds() -> None:
    log = made_campaigns(600)
    folds = BlockFolds.of(stream(log), "click")
    fold = folds.fold(log)
    for campaign in ("c0", "c1", "c2"):
        own = np.array([name == campaign for name in log["campaign"].to_pylist()])
        assert set(fold[own].tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("clicks", [[0, 0, 0], [1, 1, 1]])
def test_rows_of_one_kind_teach_nothing(clicks: list[int]) -> None:
    log = pa.table({"click": clicks, "block": ["a", "b", "c"]})
    with pytest.raises(InputError, match=f"3 rows with {sum(clicks)} clicks"):
        BlockFolds.of(stream(log), "click")


def test_what_is_no_click_is_refused() -> None:
    with pytest.raises(InputError, match="something else than 0 and 1"):
        clicks_of(pa.table({"click": [0, 1, 2]}), "click")
    with pytest.raises(InputError, match="something else than 0 and 1"):
        clicks_of(pa.table({"click": [0, None]}), "click")
    with pytest.raises(InputError, match="role 'label'"):
        label_of(SCHEMA[1:])


def test_a_sample_is_uniform_and_stays_the_same() -> None:
    rows = stream(log_of(["a"] * 20_000), 700)
    drawn = sample(rows, 2_000, seed=0)
    places = [pa.concat_tables(drawn())["row"].to_numpy() for _ in range(2)]
    np.testing.assert_array_equal(*places)
    assert 1_800 < len(places[0]) < 2_200
    thirds = np.bincount(places[0] * 3 // 20_000)
    assert thirds.min() > 580, "from the beginning, the middle and the end"
    assert pa.concat_tables(sample(rows, 20_000, seed=0)()).num_rows == 20_000
