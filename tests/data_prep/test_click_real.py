"""The provided click logs: recognised, complete, split as their notes say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.click_set import TABLE, prepare
from data_prep.ctr_prediction import CtrConfig
from shared.prepared import PreparedSet
from shared.splits import SplitConfig, role_values
from shared.table import Table, concatenate

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:columns that the schema")]


def prepared_from(paths: list[Path], out: Path, schema: Path | None = None) -> tuple[PreparedSet, Table]:
    prepare(paths, out, CtrConfig(schema=schema))
    prepared = PreparedSet(out)
    assert prepared.verify() == []
    return prepared, concatenate(list(prepared.table(TABLE).batches(10_000)))


def test_the_later_rows_of_the_packaged_sample_are_its_validation_part(real_clicks: Path, tmp_path: Path) -> None:
    parts = [real_clicks / "ipinyou_train.parquet", real_clicks / "ipinyou_val.parquet"]
    prepared, log = prepared_from(parts, tmp_path / "set")
    assert len(log["click"]) == 15_316 + 4_060
    values = role_values(prepared.split("later"), SplitConfig("later", test="test"))
    test = np.isin(log["block"].astype(str), values["test"])
    assert log["row"][test].tolist() == list(range(15_316, 19_376))
    assert log["click"][test].sum() == 321
    assert np.average(log["click"], weights=log["sample_weight"]) == pytest.approx(0.0008, abs=5e-5)
    assert prepared.split("leave-advertiser-out").folds == tuple(range(8))
    folds = prepared.split("days")
    assert [folds.assignment[f"1458 2013-06-{day:02d}"] for day in range(6, 12)] == [0, 1, 2, 3, 4, 0]
    assert log["hour_of_day"][0] == "00"
    assert Counter(map(len, log["usertag"]))[0] > 1000  # "null" is no tag


def test_a_raw_log_is_joined(real_clicks: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="40 impressions repeat a bid id and are left out; 3 of 433 clicks met"):
        prepared, log = prepared_from([real_clicks / "ipinyou_rawlog"], tmp_path / "set")
    assert len(set(log["bidid"])) == len(log["bidid"]) == 9_960
    assert log["click"].sum() == 3
    assert log["time"].min() >= np.datetime64("2013-10-21T18:29")
    assert log["useragent"][0].startswith("Mozilla/")
    assert set(log["block"]) == {f"2821 2013-10-21 {hour}" for hour in range(18, 24)}
    assert prepared.splits == ("folds", "later")


@pytest.mark.parametrize(
    ("names", "rows", "clicks", "blocks"),
    [
        (["ipinyou_2997_oct23_train"], 26_773, 255, 4),
        (["avazu_first10k_train", "avazu_first10k_val"], 9_999, 1_706, 1000),
        (["criteo_sample200"], 200, 49, 200),
    ],
)
def test_small_samples_of_one_day_are_dealt_all_the_same(
    real_clicks: Path, tmp_path: Path, names: list[str], rows: int, clicks: int, blocks: int
) -> None:
    prepared, log = prepared_from([real_clicks / f"{name}.parquet" for name in names], tmp_path / "set")
    label = next(column.name for column in prepared.table(TABLE).schema if column.role == "label")
    assert [len(log[label]), log[label].sum()] == [rows, clicks]
    assert 0.98 * blocks <= len(set(log["block"])) <= blocks
    assert "folds" in prepared.splits


def test_another_log_needs_a_schema_only(real_clicks: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text(
        "columns:\n  click: label\n  timestamp: time\n  campaign: group\n  item_id: item\n"
        "  user_feature_0: user\n  position: {kind: category, role: context}\n  item_feature_0: context\n"
    )
    parts = [real_clicks / "openbandit_train.parquet", real_clicks / "openbandit_val.parquet"]
    prepared, log = prepared_from(parts, tmp_path / "set", schema)
    assert [len(log["click"]), log["click"].sum()] == [34_000, 165]
    assert log["item_id"][0] == "2"
    assert prepared.splits == ("days", "folds", "later", "leave-campaign-out")
    assert prepared.manifest.licence == "not stated"
