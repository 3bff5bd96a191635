"""Boosted trees on click rates: what they see, how many there are, and that their own rows are kept from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score

from apps.ctr_prediction.classical import boosting, leaf_regression, rate_trees
from apps.ctr_prediction.classical.boosting import Inputs
from apps.ctr_prediction.classical.leaf_regression import LeafRegression
from apps.ctr_prediction.classical.rate_trees import RateTrees
from apps.ctr_prediction.classical.tree_inputs import TreeInputs
from apps.ctr_prediction.features.feature_config import FeatureConfig
from shared.errors import CheckpointError
from tests.apps.ctr_prediction.made_campaigns import SCHEMA, TAGS, made_campaigns, stream


def made_inputs(rows: int, seed: int, signal: float) -> Inputs:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 5)).astype(np.float32)
    return table, (rng.random(rows) < 1 / (1 + np.exp(2 - signal * table[:, 0]))).astype(np.float64)


def test_more_trees_are_grown_where_there_is_more_to_learn() -> None:
    rounds = []
    for signal in (0.0, 2.0):
        parts = [made_inputs(800, seed, signal) for seed in range(2)]
        rounds.append(boosting.choose_rounds([(parts[0], parts[1]), (parts[1], parts[0])], seed=0))
    assert rounds[0] < 10 < rounds[1]


def test_the_chosen_number_is_the_best_on_the_rows_left_out() -> None:
    learnt, left_out = made_inputs(800, 0, 2.0), made_inputs(800, 1, 2.0)
    chosen = boosting.choose_rounds([(learnt, left_out)], seed=0)

    def loss(rounds: int) -> float:
        p = boosting.probability(boosting.fit_trees(learnt, rounds, seed=0), left_out[0])
        return -float(np.mean(np.where(left_out[1] == 1, np.log(p), np.log1p(-p))))

    assert loss(chosen) <= min(loss(rounds) for rounds in (chosen - 5, chosen + 5, 2 * chosen)) + 1e-6


def test_a_new_value_goes_with_the_nearer_one() -> None:
    """Plain histograms would send 0.9 with 0, since no value between 0 and 1 was seen."""
    seen = np.tile(np.array([[0.0], [1.0]], np.float32), (200, 1))
    trees = boosting.fit_trees((seen, seen[:, 0].astype(np.float64)), 20, seed=0)
    near, low, far, high = boosting.probability(trees, np.array([[0.1], [0.45], [0.55], [0.9]], np.float32))
    assert near == low < 0.5 < far == high


def test_trees_of_a_part_without_clicks_answer_with_hardly_any() -> None:
    table, _ = made_inputs(50, 0, 0.0)
    trees = boosting.fit_trees((table, np.zeros(50)), 2, seed=0)
    assert boosting.probability(trees, table).max() < 1e-3


def test_leaves_are_nodes_of_their_tree() -> None:
    inputs = made_inputs(500, 0, 2.0)
    trees = boosting.fit_trees(inputs, 7, seed=0)
    node = boosting.leaves(trees, inputs[0])
    assert node.shape == (500, 7)
    assert node.min() >= 0
    assert node.max() < boosting.NODES


def test_damaged_trees_are_refused(tmp_path: Path) -> None:
    (tmp_path / "trees.ubj").write_bytes(b"no trees")
    with pytest.raises(CheckpointError, match=r"trees\.ubj is missing, damaged"):
        boosting.load_trees(tmp_path / "trees.ubj")
    with pytest.raises(CheckpointError, match=r"nothing\.ubj is missing"):
        boosting.load_trees(tmp_path / "nothing.ubj")


def test_a_tag_is_a_column_that_is_one_where_the_row_has_it() -> None:
    log = made_campaigns(400)
    inputs = TreeInputs.fit(SCHEMA, stream(log), FeatureConfig())
    table = inputs.table(log)
    shown = table[:, -TAGS:]
    assert table.shape == (400, inputs.encoder.n_dense + TAGS)
    np.testing.assert_array_equal(shown.sum(axis=1), [len(tags) for tags in log["tags"].to_pylist()])
    counts = shown.sum(axis=0)
    assert (np.diff(counts) <= 0).all(), "the most frequent ones first"
    per_tag = {tag: sum(tag in own for own in log["tags"].to_pylist()) for tag in (f"t{n}" for n in range(TAGS))}
    assert sorted(counts.tolist()) == sorted(per_tag.values())


def test_only_the_most_frequent_tags_have_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.ctr_prediction.classical.tree_inputs.MOST_FREQUENT", 3)
    log = made_campaigns(400)
    inputs = TreeInputs.fit(SCHEMA, stream(log), FeatureConfig())
    assert inputs.table(log).shape == (400, inputs.encoder.n_dense + 3)


def test_rows_that_were_learnt_do_not_see_their_own_clicks() -> None:
    """A visitor who came twice would give both clicks away; without its own block the rate is worth nothing."""
    log, later = made_campaigns(3000), made_campaigns(1500, seed=9)
    config = FeatureConfig(include=("visitor",))
    inputs = TreeInputs.fit(SCHEMA, stream(log), config)
    clicks = log["click"].to_numpy()
    column = inputs.encoder.dense_names.index("visitor rate")
    assert roc_auc_score(clicks, inputs.table(log)[:, column]) > 0.7
    assert abs(roc_auc_score(clicks, inputs.table(log, learnt=True)[:, column]) - 0.5) < 0.05
    trees = RateTrees.fit(SCHEMA, stream(log), config, seed=0)
    assert abs(roc_auc_score(later["click"].to_numpy(), trees.probability(later)) - 0.5) < 0.06


def test_a_log_too_long_for_memory_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_trees, "MOST_ROWS", 800)
    monkeypatch.setattr(leaf_regression, "MOST_ROWS", 400)
    shown: list[int] = []
    grow = boosting.fit_trees
    monkeypatch.setattr(
        rate_trees, "fit_trees", lambda inputs, *rest: shown.append(len(inputs[1])) or grow(inputs, *rest)
    )
    log = made_campaigns(3000)
    regression = LeafRegression.fit(SCHEMA, stream(log), FeatureConfig(), seed=0)
    assert 650 < shown[0] < 950
    later = made_campaigns(1500, seed=9)
    assert roc_auc_score(later["click"].to_numpy(), regression.probability(later)) > 0.7


def test_the_regression_is_held_back_where_leaves_mean_nothing() -> None:
    rng = np.random.default_rng(0)
    leaf = sparse.csr_array(np.eye(40)[rng.integers(0, 40, 600)])
    fold = np.arange(600) % 3
    noise = leaf_regression._LeafTable(leaf, (rng.random(600) < 0.3).astype(np.float64), fold)
    telling = leaf_regression._LeafTable(leaf, (leaf.indices < 12).astype(np.float64), fold)
    assert noise.best_strength(3) < telling.best_strength(3) == max(leaf_regression.STRENGTHS)
    one_kind = leaf_regression._LeafTable(leaf, np.zeros(600), fold)
    assert np.isfinite(one_kind.regression(1.0)).all()
