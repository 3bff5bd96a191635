from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from tests.apps.ctr_prediction.made_log import SCHEMA, made_log

CONFIG = FeatureConfig(include=("campaign", "IP"), target_rates=True, min_count=4, smoothing=20.0)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _by_hand(log: pa.Table, column: str, row: int, folds: np.ndarray, left_out: int | None) -> tuple[float, float]:
    """Logit of the smoothed rate less that of the mean, and the scaled log-count, one row at a time."""
    rows = [r for r in range(len(log)) if folds[r] != left_out]
    clicks, values = log["click"].to_pylist(), log[column].to_pylist()
    alike = [r for r in rows if values[r] == values[row]]
    if values.count(values[row]) < CONFIG.min_count:
        alike = []
    p = sum(clicks[r] for r in rows) / len(rows)
    rate = (sum(clicks[r] for r in alike) + 20 * p) / (len(alike) + 20)
    return _logit(rate) - _logit(p), math.log1p(len(alike) * len(log) / len(rows)) / math.log1p(len(log))


@pytest.mark.parametrize("out_of_fold", [True, False])
def test_rates_equal_those_taken_by_hand(out_of_fold: bool) -> None:
    log = made_log(300)
    log = log.set_column(log.column_names.index("IP"), "IP", [[ip[:4] for ip in log["IP"].to_pylist()]])
    encoder = RowEncoder.fit(SCHEMA, [log], CONFIG)
    assert encoder.dense_names == ("campaign rate", "campaign count", "IP2 rate", "IP2 count")
    folds = encoder.rate_fold(log)
    assert set(folds.tolist()) == set(range(5))
    dense = encoder.encode(log, rates_without=folds if out_of_fold else None).dense
    expected = [
        [*_by_hand(log, "campaign", row, folds, own), *_by_hand(log, "IP", row, folds, own)]
        for row in range(len(log))
        for own in [folds[row] if out_of_fold else None]
    ]
    np.testing.assert_allclose(dense, expected, rtol=1e-5, atol=1e-6)


def test_a_rows_own_block_says_nothing_of_it() -> None:
    log = made_log(400, seed=3)
    before = RowEncoder.fit(SCHEMA, [log], CONFIG)
    folds = before.rate_fold(log)
    for fold in range(CONFIG.rate_folds):
        clicks = np.where(folds == fold, 1 - log["click"].to_numpy(), log["click"].to_numpy())
        turned = log.set_column(0, "click", pa.array(clicks))
        after = RowEncoder.fit(SCHEMA, [turned], CONFIG)
        own = np.flatnonzero(folds == fold)
        first, second = (e.encode(log, rates_without=folds).take(own) for e in (before, after))
        np.testing.assert_array_equal(first.dense, second.dense)
        assert not np.array_equal(before.encode(log).dense, after.encode(log).dense)


def test_a_block_is_in_one_fold_and_stays_there() -> None:
    log = made_log(500)
    encoder = RowEncoder.fit(SCHEMA, [log], CONFIG)
    folds = encoder.rate_fold(log)
    by_block = {}
    for block, fold in zip(log["block"].to_pylist(), folds.tolist(), strict=True):
        assert by_block.setdefault(block, fold) == fold
    np.testing.assert_array_equal(encoder.rate_fold(log.slice(100, 50)), folds[100:150])
    assert by_block["1458 2013-06-06"] == 2, "the hash is part of what saved models mean"


def test_nothing_known_is_the_mean_rate() -> None:
    encoder = RowEncoder.fit(SCHEMA, [made_log(300)], CONFIG)
    dense = encoder.encode(pa.table({"campaign": ["never met"], "IP": ["99.99.1.1"]})).dense
    np.testing.assert_array_equal(dense, np.zeros((1, 4), np.float32))


@pytest.mark.parametrize("click", [0, 1])
@pytest.mark.parametrize("encoding", ["vocabulary", "hash", "multihash", "quotient_remainder"])
def test_one_sided_and_one_block_logs_stay_finite(click: int, encoding: str) -> None:
    log = pa.table({"click": [click] * 9, "campaign": ["a"] * 9, "block": ["one"] * 9})
    config = FeatureConfig(target_rates=True, encoding=encoding, buckets=10)  # type: ignore[arg-type]
    encoder = RowEncoder.fit([column for column in SCHEMA if column.name in log.column_names], [log], config)
    for encoded in (encoder.encode(log), encoder.encode(log, rates_without=encoder.rate_fold(log))):
        assert isinstance(encoded, Encoded)
        assert np.isfinite(encoded.dense).all()
    assert not encoder.encode(log, rates_without=encoder.rate_fold(log)).dense.any(), "no other block, nothing known"
