from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest

from apps.ctr_prediction.features.feature_config import Encoding, FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from shared.errors import CheckpointError
from tests.apps.ctr_prediction.made_log import SCHEMA, made_log
from tests.apps.ctr_prediction.test_row_encoder import same


@pytest.mark.parametrize("target_rates", [True, False])
@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_a_saved_encoder_encodes_alike(encoding: Encoding, target_rates: bool, tmp_path: Path) -> None:
    log, later = made_log(400), made_log(100, seed=1)
    config = FeatureConfig(
        encoding=encoding, buckets=50, target_rates=target_rates, number_steps=True, exclude=("item",)
    )
    before = RowEncoder.fit(SCHEMA, [log], config)
    before.save(tmp_path)
    after = RowEncoder.load(tmp_path)
    assert (after.config, after.fields, after.columns) == (before.config, before.fields, before.columns)
    assert (after.n_rows, after.unseen_rows, after.click_rate) == (before.n_rows, before.unseen_rows, before.click_rate)
    same(after.encode(later), before.encode(later))
    same(after.encode(log, rates_without=after.rate_fold(log)), before.encode(log, rates_without=before.rate_fold(log)))
    assert (after.unseen(later) == before.unseen(later)).all()
    after.save(tmp_path / "again")
    for name in ("encoder.json", "vocabulary.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_numbers_alone_need_no_vocabulary(tmp_path: Path) -> None:
    log = made_log(50)
    encoder = RowEncoder.fit(SCHEMA, [log], FeatureConfig(include=("age",)))
    encoder.save(tmp_path)
    same(RowEncoder.load(tmp_path).encode(log), encoder.encode(log))
    assert (encoder.n_rows, encoder.encode(log).ids.shape) == (1, (50, 0))


def test_damaged_and_newer_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="missing or damaged"):
        RowEncoder.load(tmp_path)
    RowEncoder.fit(SCHEMA, [made_log(100)], FeatureConfig()).save(tmp_path)
    settings, vocabulary = tmp_path / "encoder.json", tmp_path / "vocabulary.parquet"
    stored, table = json.loads(settings.read_text()), pq.read_table(vocabulary)
    settings.write_text(json.dumps({**stored, "format": 2}))
    with pytest.raises(CheckpointError, match="update"):
        RowEncoder.load(tmp_path)
    settings.write_text(json.dumps({**stored, "config": {**stored["config"], "unknown": 1}}))
    with pytest.raises(CheckpointError, match="unknown"):
        RowEncoder.load(tmp_path)
    settings.write_text(json.dumps(stored))
    pq.write_table(table.slice(1), vocabulary)
    with pytest.raises(CheckpointError, match="values of a vocabulary are missing"):
        RowEncoder.load(tmp_path)
    vocabulary.write_bytes(b"no parquet")
    with pytest.raises(CheckpointError, match="missing or damaged"):
        RowEncoder.load(tmp_path)
