"""Streamed tables of prepared sets: types, batches, dealing, filters, splits."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset

from shared.errors import ConfigError, InputError
from shared.prepared import Column, PreparedSet, PreparedWriter, TableField
from shared.splits import Split, SplitConfig, role_values
from shared.table import concatenate, n_rows

DAY = Column("day", "integer", "time", unit="d")
ROW = Column("row", "integer", "context")
SCHEMA = [
    DAY,
    ROW,
    Column("site", "category", "item"),
    Column("tags", "categories", "user"),
    Column("price", "number", "context", bins=(0.0, 10.0, 50.0), unit="CNY"),
    Column("at", "time", "time"),
    Column("click", "integer", "label"),
]


def rows(start: int, stop: int) -> pa.Table:
    numbers = list(range(start, stop))
    return pa.table(
        {
            "click": pa.array([n % 5 == 0 for n in numbers]),
            "row": pa.array(numbers, pa.int32()),
            "day": [n // 10 for n in numbers],
            "site": pa.array([None if n % 7 == 0 else f"s{n % 3}" for n in numbers]).dictionary_encode(),
            "tags": pa.array([[f"t{k}" for k in range(n % 3)] for n in numbers], pa.large_list(pa.string())),
            "price": pa.array([None if n % 4 == 0 else n / 2 for n in numbers], pa.float32()),
            "at": pa.array([n * 1000 for n in numbers], pa.timestamp("ms")),
        }
    )


def written(
    folder: Path, tables: Iterable[pa.Table], schema: list[Column], rows_per_group: int = 4, **more: Any
) -> PreparedSet:
    with PreparedWriter(
        folder, name="log", title="Log", source="made up", licence="CC0-1.0", groups=more.get("groups", ())
    ) as writer:
        log = writer.table("log", schema, description="one impression", rows_per_group=rows_per_group)
        for table in tables:
            log.write(table)
        for split in more.get("splits", ()):
            writer.add_split(split)
    return PreparedSet(folder)


def numbered(folder: Path, n: int, rows_per_group: int) -> TableField:
    tables = [pa.table({"row": range(start, min(start + 3, n))}) for start in range(0, n, 3)]
    return written(folder, tables, [ROW], rows_per_group).table("log")


def seen(batches: Any) -> list[int]:
    return [int(row) for batch in batches for row in batch["row"]]


def test_every_column_comes_back_in_its_kind(tmp_path: Path) -> None:
    prepared = written(tmp_path / "set", [rows(0, 11), rows(11, 23)], SCHEMA)
    log = prepared.table("log")
    assert log.schema == SCHEMA
    assert prepared.verify() == []
    assert len(prepared) == 0
    table = concatenate(list(log.batches(5)))
    assert list(table) == [column.name for column in SCHEMA]
    assert {name: column.dtype.str[1:] for name, column in table.items()} == {
        "day": "i8", "row": "i8", "site": "O", "tags": "O", "price": "f8", "at": "M8[us]", "click": "i8",
    }  # fmt: skip
    assert table["row"].tolist() == list(range(23))
    assert table["site"][:3].tolist() == [None, "s1", "s2"]
    assert table["tags"][5].tolist() == ["t0", "t1"]
    np.testing.assert_array_equal(table["price"][:3], [np.nan, 0.5, 1.0])
    assert table["at"][2] == np.datetime64(2, "s")
    assert table["click"][:6].tolist() == [1, 0, 0, 0, 0, 1]


def test_batches_are_full_across_row_groups_and_read_only_what_is_asked(tmp_path: Path) -> None:
    log = written(tmp_path / "set", [rows(0, 23)], SCHEMA).table("log")
    batches = list(log.batches(10, columns=["click", "row"]))
    assert [n_rows(batch) for batch in batches] == [10, 10, 3]
    assert all(list(batch) == ["click", "row"] for batch in batches)


def test_arrow_batches_are_the_same_rows_unconverted(tmp_path: Path) -> None:
    log = written(tmp_path / "set", [rows(0, 23)], SCHEMA).table("log")
    arguments = {"columns": ["row", "tags"], "rank": 1, "world_size": 2, "where": ("day", [0, 2]), "start": 2}
    tables, arrays = list(log.arrow_batches(3, **arguments)), list(log.batches(3, **arguments))
    assert [table["row"].to_pylist() for table in tables] == [[6, 7, 20], [21, 22]]
    assert seen(arrays) == [6, 7, 20, 21, 22]
    assert tables[0].schema.types == [pa.int64(), pa.list_(pa.string())]
    with pytest.raises(ConfigError, match="batch_rows 0"):
        log.arrow_batches(0)


def test_how_a_column_was_read_and_what_it_is_for_is_kept(tmp_path: Path) -> None:
    schema = [
        Column("id", "category", "key", unit="1"),
        Column("time", "time", "time", source=("date", "hour"), format="%Y-%m-%d %H"),
        Column("tags", "categories", "user", separator="|"),
        Column("paid", "number", "leak", bins=(1.0, 2.0)),
    ]
    table = pa.table({"id": ["a"], "time": pa.array([0], pa.timestamp("us")), "tags": [["x"]], "paid": [1.0]})
    prepared = written(tmp_path / "set", [table], schema)
    assert prepared.table("log").schema == schema
    assert [column.raw_names for column in schema] == [("id",), ("date", "hour"), ("tags",), ("paid",)]
    assert "bins" not in schema[0].to_dict()


@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 60), group=st.integers(1, 9), batch=st.integers(1, 20), world=st.integers(1, 4))
def test_all_processes_together_see_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, n: int, group: int, batch: int, world: int
) -> None:
    log = numbered(tmp_path_factory.mktemp("t") / "set", n, group)
    shares = [seen(log.batches(batch, rank=rank, world_size=world)) for rank in range(world)]
    assert sorted(row for share in shares for row in share) == list(range(n))
    assert shares[0][:group] == list(range(min(group, n)))
    assert all(share == sorted(share) for share in shares)
    assert log.count() == n


class Stream(IterableDataset):
    def __init__(self, log: TableField, rank: int) -> None:
        self.log, self.rank = log, rank

    def __iter__(self) -> Any:
        return self.log.batches(3, rank=self.rank, world_size=2)


def test_workers_of_a_data_loader_share_what_their_process_is_dealt(tmp_path: Path) -> None:
    log = numbered(tmp_path / "set", 40, 4)
    shares = [seen(DataLoader(Stream(log, rank), batch_size=None, num_workers=2)) for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == list(range(40))
    assert not set(shares[0]) & set(shares[1])


def test_shards_are_cut_and_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.prepared.table_writer._GROUPS_PER_SHARD", 2)
    log = numbered(tmp_path / "set", 40, 4)
    assert [shard.name for shard in log.shards] == [f"part-{i:05d}.parquet" for i in range(5)]
    assert seen(log.batches(7)) == list(range(40))
    assert seen(log.batches(40, rank=1, world_size=3)) == [*range(4, 8), *range(16, 20), *range(28, 32)]


def test_rows_are_chosen_by_values_as_a_split_names_them(tmp_path: Path) -> None:
    days = Split("days", "day", {"0": "train", "1": "train", "2": "test"})
    prepared = written(tmp_path / "set", [rows(0, 25)], SCHEMA, splits=[days])
    log = prepared.table("log")
    values = role_values(prepared.split("days"), SplitConfig("days", test="test"))
    assert seen(log.batches(6, where=("day", values["train"]))) == list(range(20))
    assert seen(log.batches(6, columns=["row"], where=("day", values["test"]))) == list(range(20, 25))
    assert log.count(("day", values["test"])) == log.count(("day", [2])) == 5
    assert seen(log.batches(6, where=("day", values["validation"]))) == []
    assert seen(log.batches(100, where=("site", ["s1"]))) == [n for n in range(25) if n % 3 == 1 and n % 7]
    with pytest.raises(ConfigError, match="text or whole numbers, not of double"):
        list(log.batches(6, where=("price", [1.0])))


ODD = ("row", range(1, 200, 2))


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 60), group=st.integers(1, 9), start=st.integers(0, 70), odd=st.booleans())
def test_reading_may_start_anywhere(
    tmp_path_factory: pytest.TempPathFactory, n: int, group: int, start: int, odd: bool
) -> None:
    log, where = numbered(tmp_path_factory.mktemp("t") / "set", n, group), ODD if odd else None
    for rank in range(2):
        whole = seen(log.batches(7, rank=rank, world_size=2, where=where))
        assert seen(log.batches(7, rank=rank, world_size=2, where=where, start=start)) == whole[start:]
        again = log.endless(3, start, rank=rank, world_size=2, where=where) if len(whole) >= 3 else iter(())
        full = whole[: len(whole) // 3 * 3]
        assert seen(itertools.islice(again, 40)) == (full * (start + 41))[start * 3 :][: 120 if full else 0]


def test_rows_left_out_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = numbered(tmp_path / "set", 40, 4)
    read = []
    original = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *a, **k: read.append(a[1]) or original(*a, **k))
    assert next(log.batches(2, start=38))["row"].tolist() == [38, 39]
    assert next(log.endless(2, 20 * 10**9 + 19))["row"].tolist() == [38, 39]
    assert read == [9, 9]
    for _ in range(3):  # a filter's rows are counted once for all
        assert next(log.endless(2, 9, where=ODD))["row"].tolist() == [37, 39]
    assert len(read) == 2 + 10 + 3 * 2


@pytest.mark.parametrize(
    ("batch", "world", "where", "found"), [(3, 1, ("row", []), 0), (5, 2, None, 4), (1, 3, None, 0)]
)
def test_an_endless_stream_of_nothing_is_refused(
    tmp_path: Path, batch: int, world: int, where: tuple[str, list[int]] | None, found: int
) -> None:
    log = numbered(tmp_path / "set", 8, 4)
    with pytest.raises(InputError, match=f"has {found} for process {world - 1} of {world}, less than one batch"):
        log.endless(batch, rank=world - 1, world_size=world, where=where)


def test_neither_writing_nor_reading_holds_a_whole_shard(tmp_path: Path) -> None:
    pieces, piece = 128, pa.table({"row": range(4096)})
    shard = pieces // 2 * piece.nbytes  # two shards of 64 row groups

    def feed() -> Iterator[pa.Table]:
        for _ in range(pieces):
            grown.append(pa.total_allocated_bytes() - before)
            yield piece

    before, grown = pa.total_allocated_bytes(), []
    log = written(tmp_path / "set", feed(), [ROW], rows_per_group=4096).table("log")
    assert len(log.shards) == 2
    assert max(grown) < shard / 3  # what the compressor keeps, whatever the length
    before = pa.total_allocated_bytes()
    # A row group or two: when the one before is given back is up to arrow, so the bound is one of the whole.
    assert max(pa.total_allocated_bytes() - before for _ in log.batches(512)) < shard / 8


def test_a_split_of_a_table_may_not_cut_its_groups(tmp_path: Path) -> None:
    schema = [DAY, Column("user", "category", "group")]
    table = pa.table({"day": [0, 0, 1, 1], "user": ["a", "b", "b", "c"]})
    days = Split("days", "day", {"0": "train", "1": "test"})
    with pytest.raises(InputError, match="cuts user 'b'"):
        written(tmp_path / "set", [table], schema, splits=[days])
    leaky = Split("leaky-days", "day", days.assignment, cuts=("user",))
    assert written(tmp_path / "set", [table], schema, splits=[leaky]).verify() == []
    declared = written(tmp_path / "declared", [table], schema, splits=[days], groups=("day",))
    assert declared.verify() == []  # what the set declares stands before the roles of the columns
    with pytest.raises(InputError, match="does not assign day '1'"):
        written(tmp_path / "b", [table], schema, splits=[Split("folds", "day", {"0": 0})])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"n": [1]}), "lacks the column 'site'"),
        (pa.table({"n": [1], "site": ["a"], "sit": ["b"]}), "undeclared column 'sit'. Did you mean 'site'"),
        (pa.table({"n": ["x"], "site": ["a"]}), "'n' is declared as integer, its rows are string"),
        (pa.table({"n": [1], "site": [0.5]}), "'site' is declared as category, its rows are double"),
        (pa.table({"n": [1, None], "site": ["a", "b"]}), "'n' holds whole numbers and 1 missing"),
    ],
)
def test_rows_that_are_not_as_declared_are_refused(tmp_path: Path, table: pa.Table, message: str) -> None:
    schema = [Column("n", "integer", "label"), Column("site", "category", "item")]
    with pytest.raises(InputError, match=message):
        written(tmp_path / "set", [table], schema)
    assert list(tmp_path.iterdir()) == []


def test_later_rows_must_be_of_the_kind_of_the_first(tmp_path: Path) -> None:
    schema = [Column("site", "category", "item")]
    with pytest.raises(InputError, match="do not fit its first ones"):
        written(tmp_path / "set", [pa.table({"site": [3]}), pa.table({"site": ["a"]})], schema)


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kind 'integr'. Did you mean 'integer'"):
        Column("x", "integr", "label")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"role 'lable'. Did you mean 'label'"):
        Column("x", "integer", "lable")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="ascending"):
        Column("x", "number", "context", bins=(1.0, 1.0))
    log = numbered(tmp_path / "set", 5, 2)
    with pytest.raises(ConfigError, match=r"no column 'rows'. Did you mean 'row'"):
        log.batches(2, columns=["rows"])
    with pytest.raises(ConfigError, match="no column 'rows'"):
        log.batches(2, where=("rows", [1]))
    for arguments in ({"batch_rows": 0}, {"batch_rows": 1, "rank": 2, "world_size": 2}, {"batch_rows": 1, "start": -1}):
        with pytest.raises(ConfigError, match="batch_rows"):
            log.batches(**arguments)
    for schema in ([], [ROW, ROW]):
        with pytest.raises(ConfigError, match="one or more columns"):
            written(tmp_path / "b", [], schema)
    with pytest.raises(ConfigError, match="table without items"):
        PreparedSet(tmp_path / "set").reader("log")


def test_damaged_shards_and_schemas_are_named(tmp_path: Path) -> None:
    log = numbered(tmp_path / "set", 5, 2)
    folder = log.shards[0].parent
    log.shards[0].write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"part-00000\.parquet is damaged"):
        list(log.batches(2))
    assert any("part-00000.parquet has changed" in problem for problem in PreparedSet(tmp_path / "set").verify())
    (folder / "schema.yaml").write_text("columns: [{name: x}]")
    with pytest.raises(InputError, match=r"schema\.yaml is missing or damaged"):
        PreparedSet(tmp_path / "set").table("log")
