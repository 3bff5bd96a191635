"""The encoder on the provided iPinYou log: what of the last day it has never seen."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.normalise import os_browser
from apps.ctr_prediction.features.row_encoder import RowEncoder
from shared.prepared import Column
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

FEATURES = ("useragent", "IP", "domain", "slotid", "creative")
SCHEMA = (Column("click", "integer", "label"), *(Column(name, "category", "context") for name in FEATURES))


@pytest.fixture(scope="module")
def real_ctr() -> Path:
    folder = REPOSITORY.parent / "shared" / "data" / "ctr"
    if not folder.is_dir():
        pytest.skip("the real click logs are not beside this checkout")
    return folder


def test_the_shares_of_unseen_values_are_the_known_ones(real_ctr: Path) -> None:
    train, later = (pq.read_table(real_ctr / f"ipinyou_{part}.parquet") for part in ("train", "val"))
    encoder = RowEncoder.fit(SCHEMA, [train], FeatureConfig(min_count=1))
    unseen = dict(zip([field.name for field in encoder.fields], encoder.unseen(later).mean(axis=0), strict=True))
    assert {name: round(100 * share, 1) for name, share in unseen.items() if share > 0.01} == {
        "IP2": 5.5,
        "domain": 10.8,
        "slotid": 14.5,
        "creative": 6.1,
    }


def test_raw_agents_fall_into_the_classes_of_the_packaged_table(real_ctr: Path) -> None:
    packaged = pc.unique(pq.read_table(real_ctr / "ipinyou_train.parquet")["useragent"]).to_pylist()
    log = pa.csv.read_csv(
        real_ctr / "ipinyou_rawlog" / "imp.20131021.adv2821.first10000.txt.gz",
        read_options=pa.csv.ReadOptions(autogenerate_column_names=True),
        parse_options=pa.csv.ParseOptions(delimiter="\t", quote_char=False),
    )
    agents = os_browser(pc.cast(log["f4"], pa.large_string()).combine_chunks())
    assert pc.mean(pc.is_in(agents, pa.array(packaged, pa.large_string()))).as_py() > 0.999
