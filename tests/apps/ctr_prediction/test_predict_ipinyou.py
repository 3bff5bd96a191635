"""Rows as the packaged iPinYou sample has them, and the prepared ones that were made of them: the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from apps.ctr_prediction.predict import ClickPredictor
from data_prep.click_set import TABLE, prepare
from data_prep.ctr_prediction import CtrConfig
from shared.prepared import PreparedSet
from tests.apps.ctr_prediction.made_ipinyou import packaged
from tests.apps.ctr_prediction.quick import QUICK, ask

ROWS = 1000
pytestmark = pytest.mark.filterwarnings("ignore:columns that the schema")


def some_nameless(raw: pa.Table, each: int) -> pa.Table:
    """The rows, some of them without their advertiser."""
    nameless = pa.array(np.arange(len(raw)) % each == 0)
    named = pc.if_else(nameless, None, raw["advertiser"])
    return raw.set_column(raw.column_names.index("advertiser"), "advertiser", named)


def prepared_of(raw: pa.Table, folder: Path) -> Path:
    folder.mkdir()
    pq.write_table(raw, folder / "log.parquet")
    prepare([folder / "log.parquet"], folder / "set", CtrConfig())
    return folder / "set"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ClickPredictor:
    folder = tmp_path_factory.mktemp("ipinyou")
    prepared = prepared_of(some_nameless(packaged(ROWS), each=7), folder / "log")
    features = ("--features.target_rates", "true", "--features.campaign_crosses", "true")
    assert ask("train", *QUICK, *features, "--data", prepared, "--out", folder / "run") == 0
    return ClickPredictor.from_pretrained(folder / "run")


def texts(raw: pa.Table) -> pa.Table:
    """All cells as text, as a CSV file has them."""
    return pa.table({name: pc.cast(raw[name], pa.string()) for name in raw.column_names})


def forms(raw: pa.Table, folder: Path) -> Iterator[object]:
    yield raw
    yield raw.to_pylist()
    yield raw.to_pandas()
    yield raw.set_column(1, "date", pc.cast(raw["date"], pa.date32()))
    yield texts(raw)
    pcsv.write_csv(raw, folder / "log.csv")
    yield folder / "log.csv"
    lists = pc.split_pattern(raw["usertag"], ",")
    yield raw.set_column(raw.column_names.index("usertag"), "usertag", lists)


def test_raw_and_prepared_rows_have_the_same_answers(model: ClickPredictor, tmp_path: Path) -> None:
    raw = packaged(400, seed=3)
    prepared = PreparedSet(prepared_of(raw, tmp_path / "other"))
    expected = model.predict_batch(pa.concat_tables(prepared.table(TABLE).arrow_batches(1000)))
    assert len(set(expected.probability.tolist())) > 200
    for rows in forms(raw, tmp_path):
        found = model.predict_batch(rows)
        np.testing.assert_array_equal(found.unseen, expected.unseen)
        np.testing.assert_array_equal(found.probability, expected.probability)
    assert not expected.unseen[:, model.features.index("hour_of_day")].any()


def test_one_raw_row_alone(model: ClickPredictor) -> None:
    raw = packaged(50, seed=4)
    together = model.predict_batch(raw)
    for row, expected in zip(raw.to_pylist(), together, strict=True):
        assert model.predict(row).probability == pytest.approx(expected.probability, abs=1e-7)


def test_a_row_without_its_advertiser_is_one_of_a_group_without_a_name(model: ClickPredictor, tmp_path: Path) -> None:
    raw = some_nameless(packaged(200, seed=5), each=3)
    prepared = PreparedSet(prepared_of(raw, tmp_path / "other"))
    expected = model.predict_batch(pa.concat_tables(prepared.table(TABLE).arrow_batches(1000)).sort_by("row"))
    found = model.predict_batch(raw)
    np.testing.assert_array_equal(found.unseen, expected.unseen)
    np.testing.assert_array_equal(found.probability, expected.probability)
    assert not found.unseen[:, model.features.index("advertiser")].any()
    alone = {name: value for name, value in raw.to_pylist()[0].items() if name != "advertiser"}
    assert model.predict(alone).probability == pytest.approx(found.probability[0], abs=1e-7)


def test_an_hour_or_a_date_that_is_missing_is_answered(model: ClickPredictor) -> None:
    raw = packaged(60, seed=6)
    hour = raw.column_names.index("hour")
    gaps = raw.set_column(hour, "hour", pc.if_else(pa.array(np.arange(60) % 2 == 0), None, raw["hour"]))
    place = model.features.index("hour_of_day")
    for rows in (gaps, gaps.to_pandas(), gaps.to_pylist()):
        found = model.predict_batch(rows)
        assert found.unseen[:, place].tolist() == [row % 2 == 0 for row in range(60)]
        np.testing.assert_array_equal(found.probability[1::2], model.predict_batch(raw).probability[1::2])
    assert model.predict_batch(raw.drop_columns(["date"])).unseen[:, place].all()


@pytest.mark.slow
def test_the_provided_sample_too(real_clicks: Path, tmp_path: Path) -> None:
    parts = [real_clicks / "ipinyou_train.parquet", real_clicks / "ipinyou_val.parquet"]
    prepare(parts, tmp_path / "set", CtrConfig())
    split = ("--split.name", "later", "--split.test", "test")
    assert ask("train", *QUICK, *split, "--data", tmp_path / "set", "--out", tmp_path / "run") == 0
    predictor = ClickPredictor.from_pretrained(tmp_path / "run")
    prepared = pa.concat_tables(PreparedSet(tmp_path / "set").table(TABLE).arrow_batches(20_000))
    expected = predictor.predict_batch(prepared.slice(15_316))
    for rows in (parts[1], pq.read_table(parts[1]).to_pandas()):
        found = predictor.predict_batch(rows)
        np.testing.assert_array_equal(found.unseen, expected.unseen)
        np.testing.assert_array_equal(found.probability, expected.probability)
