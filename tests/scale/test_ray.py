"""Preparation and scoring on Ray Data give what one process gives; run by `make test-slow` where Ray is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.ctr_prediction.app import APP
from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.scoring_ray import score_files
from data_prep.__main__ import main as data_prep
from data_prep.click_set import TABLE, prepare
from data_prep.ctr_prediction import CtrConfig
from data_prep.synth import ctr_prediction as synth
from shared.cli import main
from shared.errors import ConfigError, InputError
from shared.prepared import PreparedSet
from shared.ray_data import ray_data

pytest.importorskip("ray", reason="the extra `scale` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")]

ROWS = 3000
SCHEMA = str(synth.SCHEMA)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One start of Ray for all."""
    with ray_data():
        yield


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One log in four files of several kinds, one of them without rows."""
    folder = tmp_path_factory.mktemp("logs")
    synth.write_log(folder / "a.parquet", ROWS, seed=1)
    synth.write_log(folder / "b.csv.gz", 500, seed=2)
    pq.write_table(pq.read_table(folder / "a.parquet").slice(0, 0), folder / "c.parquet")
    synth.write_log(folder / "d.parquet", ROWS, seed=3)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    synth.prepare(folder / "set", 2000, seed=4)
    words = ["train", "--config", "smoke", "--data", str(folder / "set"), "--out", str(folder / "run")]
    assert main(APP, words) == 0
    return folder / "run"


def rows_of(prepared: PreparedSet) -> pa.Table:
    return pa.concat_tables(prepared.table(TABLE).arrow_batches(1000))


def assert_same_sets(one: Path, other: Path) -> None:
    """The same rows in the same order, with the same description and splits."""
    first, second = PreparedSet(one), PreparedSet(other)
    assert second.verify() == []
    assert rows_of(first).equals(rows_of(second))
    same = [f"tables/{TABLE}/schema.yaml", *(f"splits/{name}.json" for name in first.splits)]
    assert [name for name in same if first.manifest.files[name] != second.manifest.files[name]] == []
    assert {path.suffix for path in (other / "tables" / TABLE).iterdir()} == {".parquet", ".yaml"}


def test_a_prepared_set_is_the_same(logs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for engine in ("local", "ray"):
        words = ["--schema", SCHEMA, str(logs), "--engine", engine, "--out", str(tmp_path / engine)]
        assert data_prep(["prepare", *words]) == 0
    assert_same_sets(tmp_path / "local", tmp_path / "ray")
    said = capfd.readouterr()
    assert f"holds {2 * ROWS + 500} rows" in said.out
    assert said.err == "", "Ray is silent"


def test_files_without_header_and_blocks_of_rows(tmp_path: Path) -> None:
    for part, rows in enumerate((range(700), range(700, 1500))):
        lines = ["\t".join([str(n % 2), *["3"] * 13, *[f"{n:08x}"] * 26]) for n in rows]
        (tmp_path / f"day_{part}.txt").write_text("\n".join(lines) + "\n")
    files = sorted(tmp_path.glob("day_*"))
    prepare(files, tmp_path / "local", CtrConfig())
    prepare(files, tmp_path / "ray", CtrConfig(engine="ray"))
    assert_same_sets(tmp_path / "local", tmp_path / "ray")


def test_a_log_of_one_day_is_done_again_by_the_hour(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text("columns: {c: label, t: time}")
    for part in range(3):
        hours = range(8 * part, 8 * part + 8)
        text = "c,t\n" + "".join(f"{n % 2},2013-06-06 {n:02d}:10:00\n" for n in hours)
        (tmp_path / f"{part}.csv").write_text(text)
    files, schema = sorted(tmp_path.glob("*.csv")), tmp_path / "schema.yaml"
    prepare(files, tmp_path / "local", CtrConfig(schema=schema))
    prepare(files, tmp_path / "ray", CtrConfig(schema=schema, engine="ray"))
    assert_same_sets(tmp_path / "local", tmp_path / "ray")


def test_a_bad_value_is_reported_as_by_one_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schema.yaml").write_text("columns: {c: label, u: user}")
    (tmp_path / "a.csv").write_text("c,u\n0,a\n1,b\n")
    (tmp_path / "b.csv").write_text("c,u\n0,a\n2,b\n")
    words = ["prepare", "--schema", str(tmp_path / "schema.yaml"), str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    said = []
    for engine in ("local", "ray"):
        assert data_prep([*words, "--engine", engine, "--out", str(tmp_path / "set")]) == 2
        said.append(capfd.readouterr().err)
    assert "row 3 (from 0): found '2', expected a label" in said[0]
    assert said[0] == said[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv", "schema.yaml"]


def test_scores_are_those_of_predict_file(
    logs: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [logs / "a.parquet", logs / "c.parquet", logs / "d.parquet"]
    words = ["--model", str(model), "--keys", '["time", "user", "id"]', "--out", str(tmp_path / "scores")]
    assert main(APP, ["score", *map(str, files), *words]) == 0
    assert f"{2 * ROWS} impressions" in capfd.readouterr().out
    predictor = ClickPredictor.from_pretrained(model)
    for name in ("a", "d"):
        predictor.predict_file(logs / f"{name}.parquet", tmp_path / f"{name}.parquet", keys=("time", "user", "id"))
    alone = pa.concat_tables(pq.read_table(tmp_path / f"{name}.parquet") for name in ("a", "d"))
    order = [("time", "ascending"), ("id", "ascending")]
    scores = pa.concat_tables(map(pq.read_table, sorted((tmp_path / "scores").glob("*.parquet"))))
    assert scores.sort_by(order).equals(alone.sort_by(order))


def test_scoring_refuses_what_cannot_be_scored(logs: Path, model: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "scores", logs / "a.parquet"
    with pytest.raises(InputError, match=r"no column 'idd'\. Did you mean 'id'"):
        score_files([log], out, ["idd"], model)
    with pytest.raises(InputError, match="has no rows"):
        score_files([logs / "c.parquet"], out, ["id"], model)
    with pytest.raises(InputError, match=r"b\.csv\.gz is no parquet file"):
        score_files([logs / "b.csv.gz"], out, ["id"], model)
    with pytest.raises(InputError, match="There is no file"):
        score_files([logs / "none.parquet"], out, ["id"], model)
    with pytest.raises(ConfigError, match="Name the columns"):
        score_files([log], out, [], model)
    with pytest.raises(ConfigError, match="already there"):
        score_files([log], tmp_path, ["id"], model)
    assert list(tmp_path.iterdir()) == []
