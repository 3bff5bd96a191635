"""What held-out folds and published predictions come to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shared.contract import load
from shared.crossval import fold_spread
from shared.metrics.binary import SENSITIVITY
from shared.publish import further_results, out_of_fold
from shared.table import Table, take
from tests.toys.volumes.app import APP as VOLUMES


def decisions() -> Table:
    """Two models, folds 0 and 1, seeds 0 and 1, four rows each; the tree's fold 1 has no positive."""
    model, fold, seed = np.repeat(["network", "tree"], 16), np.tile(np.repeat([0, 1], 8), 2), np.tile([0, 0, 1, 1], 8)
    target = np.where((model == "tree") & (fold == 1), 0, 1)
    decision = np.where((fold == 0) | (np.arange(32) % 2 == 0), 1, 0)
    return {"model": model.astype(object), "fold": fold, "seed": seed, "target": target, "decision": decision}


def test_the_spread_is_over_folds_and_over_seeds() -> None:
    spread = fold_spread(SENSITIVITY, decisions())["network"]
    assert spread["per fold"] == {"0": 1.0, "1": 0.5}
    assert spread["per seed"] == {"0": 0.75, "1": 0.75}
    assert spread["mean"] == 0.75
    assert spread["sd over folds"] == pytest.approx(np.std([1.0, 0.5], ddof=1))
    assert spread["sd over seeds"] == 0.0


def test_a_fold_without_a_value_is_left_out_and_json_can_hold_it() -> None:
    spread = fold_spread(SENSITIVITY, decisions())["tree"]
    assert spread["per fold"] == {"0": 1.0, "1": None}
    assert spread["mean"] == 1.0
    json.dumps(spread, allow_nan=False)


def counts() -> Table:
    rng = np.random.default_rng(0)
    item = np.array([f"v{number}" for number in range(6)], dtype=object)
    table = {
        "model": np.full(24, "network", dtype=object),
        "item": np.tile(np.repeat(item, 2), 2),
        "threshold": np.tile([0.5, 0.7], 12),
        "seed": np.repeat([0, 1], 12),
        "patient": np.tile(np.repeat(np.array(["a", "b", None], dtype=object), 4), 2),
    }
    return {**table, **{name: rng.permutation(24) for name in ("tp", "fp", "fn")}, "secret": np.arange(24)}


def test_published_rows_say_nothing_of_their_place() -> None:
    table = counts()
    shuffled = take(table, np.random.default_rng(1).permutation(24))
    first, second = out_of_fold(VOLUMES, table), out_of_fold(VOLUMES, shuffled)
    assert list(first) == ["item", "threshold", "tp", "fp", "fn", "patient", "seed"]
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_items_keep_their_rows_together() -> None:
    table, published = counts(), out_of_fold(VOLUMES, counts())
    for number in set(published["item"].tolist()):
        rows = take(published, published["item"] == number)
        assert sorted(rows["seed"].tolist()) == [0, 1]
        (original,) = {
            (table["item"][place], table["threshold"][place]) for place in range(24) if table["tp"][place] in rows["tp"]
        }
        assert set(rows["threshold"]) == {original[1]}


def test_only_named_results_that_are_there_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert further_results(VOLUMES, tmp_path) == {}
    experiment = load(VOLUMES.experiment)
    monkeypatch.setattr(experiment, "published_files", ("stress.json", "lengths.json"))
    for name in ("stress.json", "secret.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert further_results(VOLUMES, tmp_path) == {"stress.json": tmp_path / "stress.json"}
