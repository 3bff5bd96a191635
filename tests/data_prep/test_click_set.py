"""From a log to a prepared set by the command line: well-known forms, and any table with a schema file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from data_prep.__main__ import main
from data_prep.click_set import TABLE, prepare
from data_prep.ctr_prediction import CtrConfig
from data_prep.synth import ctr_prediction as synth
from shared.errors import ConfigError, InputError
from shared.prepared import PreparedSet
from shared.splits import SplitConfig, role_values
from shared.table import Table, concatenate

ROWS = 1200
SCHEMA = str(synth.SCHEMA)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same made-up impressions as CSV, packed CSV and parquet."""
    folder = tmp_path_factory.mktemp("logs")
    for name in ("log.csv", "log.csv.gz", "log.parquet"):
        synth.write_log(folder / name, ROWS, seed=1)
    return folder


def rows_of(folder: Path) -> Table:
    return concatenate(list(PreparedSet(folder).table(TABLE).batches(500)))


def made(tmp_path: Path, text: str, schema: str, name: str = "log.csv") -> Table:
    (tmp_path / name).write_text(text)
    (tmp_path / "schema.yaml").write_text(schema)
    prepare([tmp_path / name], tmp_path / "set", CtrConfig(schema=tmp_path / "schema.yaml"))
    assert PreparedSet(tmp_path / "set").verify() == []
    return rows_of(tmp_path / "set")


def test_a_log_and_its_schema_are_all_that_is_needed(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("log.csv", "log.csv.gz", "log.parquet"):
        assert main(["prepare", "--schema", SCHEMA, str(logs / name), "--out", str(tmp_path / name)]) == 0
    assert f"holds {ROWS} rows of 'impressions'" in capsys.readouterr().out
    text, packed, parquet = (rows_of(tmp_path / name) for name in ("log.csv", "log.csv.gz", "log.parquet"))
    assert list(text) == list(packed) == list(parquet)
    for name, column in text.items():
        for other in (packed[name], parquet[name]):
            if name == "tags":
                assert [bag.tolist() for bag in column] == [bag.tolist() for bag in other]
            else:
                np.testing.assert_array_equal(column, other)
    prepared = PreparedSet(tmp_path / "log.csv")
    assert prepared.verify() == []
    assert prepared.splits == ("days", "folds", "later", "leave-advertiser-out")
    assert prepared.manifest.groups == ("block",)
    assert [prepared.manifest.title, prepared.manifest.licence] == [
        "Made-up impressions with known click probability",
        "CC0-1.0",
    ]


def test_the_name_may_stand_and_files_may_come_first(logs: Path, tmp_path: Path) -> None:
    log = str(logs / "log.parquet")
    for out, words in (("a", ["ctr_prediction", log, "--schema", SCHEMA]), ("b", [log, f"--schema={SCHEMA}"])):
        assert main(["prepare", *words, "--out", str(tmp_path / out)]) == 0
    assert rows_of(tmp_path / "a")["row"].tolist() == rows_of(tmp_path / "b")["row"].tolist() == list(range(ROWS))


def test_later_rows_are_later_and_folds_hold_whole_days(logs: Path, tmp_path: Path) -> None:
    prepare([logs / "log.csv"], tmp_path / "set", CtrConfig(schema=synth.SCHEMA, folds=3))
    prepared = PreparedSet(tmp_path / "set")
    log, split = prepared.table(TABLE), prepared.split("later")
    values = role_values(split, SplitConfig("later", test="test"))
    train = concatenate(list(log.batches(500, where=(split.column, values["train"]))))
    test = concatenate(list(log.batches(500, where=(split.column, values["test"]))))
    assert len(train["row"]) + len(test["row"]) == ROWS
    for advertiser in set(test["advertiser"]):
        assert test["time"][test["advertiser"] == advertiser].min() > (
            train["time"][train["advertiser"] == advertiser].max()
        )
    assert prepared.split("folds").folds == (0, 1, 2)


def test_several_files_and_folders_are_one_log(logs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    table = pq.read_table(logs / "log.parquet")
    pq.write_table(table.slice(0, 500), folder / "a.parquet")
    pq.write_table(table.slice(500), folder / "b.parquet")
    (folder / ".hidden").write_text("no log")
    prepare([folder], tmp_path / "set", CtrConfig(schema=synth.SCHEMA))
    assert rows_of(tmp_path / "set")["id"].tolist() == table["id"].to_pylist()


def test_columns_beyond_the_schema_are_left_out_and_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="schema does not name are left out: page, age"):
        log = made(tmp_path, "c,page,u,age\n0,a,u1,3\n1,b,u2,4\n", "columns: {c: label, u: user}")
    assert list(log) == ["c", "u", "row", "block"]


def test_a_log_of_one_day_is_cut_by_the_hour_then_by_users_then_by_rows(tmp_path: Path) -> None:
    schema = "columns: {c: label, t: time, u: user}"
    hours = [f"{n % 2},2013-06-06 {n:02d}:10:00,u{n}\n" for n in range(3)]
    for number, (lines, blocks) in enumerate(
        (
            (hours, ["2013-06-06 00", "2013-06-06 01", "2013-06-06 02"]),
            ([hours[0], hours[0].replace("u0", "u1")], ["user 064", "user 422"]),
            ([hours[0], hours[0]], ["row 000", "row 001"]),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        log = made(folder, "c,t,u\n" + "".join(lines), schema)
        assert sorted(log["block"]) == sorted(blocks)
        assert set(log["day"]) == {"2013-06-06"}
    with pytest.raises(InputError, match="one row: nothing can be held out"):
        made(tmp_path, "c,t,u\n" + hours[0], schema)
    assert not list(tmp_path.glob("*set*"))


def test_criteo_and_avazu_are_recognised(tmp_path: Path) -> None:
    criteo = "\n".join("\t".join([str(n % 2), *["3"] * 12, "", *[f"{n:08x}"] * 25, ""]) for n in range(20)) + "\n"
    (tmp_path / "day_0.txt.gz").write_bytes(gzip.compress(criteo.encode()))
    prepare([tmp_path / "day_0.txt.gz"], tmp_path / "criteo", CtrConfig())
    log = rows_of(tmp_path / "criteo")
    assert [log["label"][1], log["I1"][1], log["C25"][1], log["C26"][1]] == [1, 3.0, "00000001", ""]
    assert np.isnan(log["I13"]).all()
    names = ["id", "click", "hour", "C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id"]
    names += ["app_domain", "app_category", "device_id", "device_ip", "device_model", "device_type"]
    names += ["device_conn_type", *(f"C{n}" for n in range(14, 22))]
    rows = [[str(n), str(n % 2), f"141021{n:02d}", *["x"] * (len(names) - 3)] for n in range(20)]
    (tmp_path / "train.csv").write_text("\n".join(",".join(row) for row in [names, *rows]) + "\n")
    prepare([tmp_path / "train.csv"], tmp_path / "avazu", CtrConfig())
    log = rows_of(tmp_path / "avazu")
    assert log["time"][3] == np.datetime64("2014-10-21T03:00")
    assert log["block"][3] == "2014-10-21 03"
    assert "competition" in PreparedSet(tmp_path / "avazu").manifest.licence


def test_ipinyou_as_others_packed_it_is_recognised(tmp_path: Path) -> None:
    names = [
        "click",
        "weekday",
        "hour",
        "bidid",
        "timestamp",
        "logtype",
        "ipinyouid",
        "useragent",
        "IP",
        "region",
        "city",
        "adexchange",
        "domain",
        "url",
        "urlid",
        "slotid",
        "slotwidth",
        "slotheight",
        "slotvisibility",
        "slotformat",
        "slotprice",
        "creative",
        "bidprice",
        "payprice",
        "keypage",
        "advertiser",
        "usertag",
    ]
    row = dict.fromkeys(names, "x") | {"slotprice": "5", "bidprice": "300", "payprice": "70", "usertag": "null"}
    rows = [
        row | {"click": str(n % 2), "timestamp": f"2013060{6 + n}000102003", "advertiser": "1458"} for n in range(3)
    ]
    pcsv.write_csv(pa.Table.from_pylist(rows), tmp_path / "c.csv")
    text = "\n".join("\t".join(line) for line in [names, *(list(row.values()) for row in rows)])
    (tmp_path / "train.log.txt").write_text(text.replace("\n", "\r\n"))
    with pytest.warns(UserWarning, match="left out: weekday, hour, logtype, urlid"):
        prepare([tmp_path / "train.log.txt"], tmp_path / "set", CtrConfig(licence="research only"))
    log = rows_of(tmp_path / "set")
    assert [log["userid"][0], log["day"][2], log["usertag"][0].tolist()] == ["x", "2013-06-08", []]
    assert PreparedSet(tmp_path / "set").manifest.licence == "research only"


@pytest.mark.parametrize(
    ("log", "schema", "message"),
    [
        ("c,u\n0,a\n2,b\n", "columns: {c: label, u: user}", r"'c', row 1 \(from 0\): found '2', expected a label"),
        ("c,u\n0,a\n1\n", "columns: {c: label, u: user}", "Expected 2 columns, got 1"),
        ("c,u\n", "columns: {c: label, u: user}", "The log has no rows"),
        ("c,u\n0,a\n", "columns: {c: label, v: user}", "no column 'v'"),
        ("c,p\n0,1\n0,x\n", "columns: {c: label, p: {role: context, kind: number}}", "row 1 .* 'x', expected a number"),
    ],
)
def test_logs_that_are_not_as_the_schema_says_are_refused(tmp_path: Path, log: str, schema: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(tmp_path, log, schema)
    assert not (tmp_path / "set").exists()


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folds is 1"):
        CtrConfig(folds=1)
    with pytest.raises(InputError, match="no file in"):
        prepare([tmp_path], tmp_path / "set", CtrConfig())


def test_an_unknown_log_is_answered_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("clicked,site\n0,a\n1,b\n")
    assert main(["prepare", "ctr_prediction", "log.csv", "--out", "set"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    guess = said[said.index("{columns") :]
    Path("schema.yaml").write_text(guess)
    assert main(["prepare", "--schema", "schema.yaml", "log.csv", "--out", "set"]) == 0
    assert rows_of(Path("set"))["site"].tolist() == ["a", "b"]
