"""Blocks of click logs and the splits that deal them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep import click_blocks
from data_prep.click_blocks import Blocks, Cut, cuts_for
from data_prep.click_splits import splits_of
from shared.errors import InputError
from shared.prepared import Column
from shared.splits import Split

TIME, SHOP = Column("time", "time", "time"), Column("shop", "category", "group")
USER, CLICK = Column("user", "category", "user"), Column("click", "integer", "label")


def blocks_of(rows: Sequence[tuple[str, dt.datetime]], cut: Cut, columns: Sequence[Column] = (SHOP, TIME)) -> Blocks:
    blocks = Blocks(columns, cut)
    whole = pa.table({"shop": [shop for shop, _ in rows], "time": pa.array([at for _, at in rows], pa.timestamp("us"))})
    for start in range(0, len(rows), 7):
        blocks.add(whole.slice(start, 7).select([column.name for column in columns]))
    return blocks


def day(number: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2013, 6, number, hour)


def named(blocks: Blocks, folds: int = 5) -> dict[str, Split]:
    return {split.name: split for split in splits_of(blocks, folds)}


def test_each_row_gets_its_number_block_day_and_hour() -> None:
    blocks = Blocks([SHOP, TIME], "day")
    table = pa.table({"shop": ["a", "b"], "time": pa.array([day(6, 7), day(30, 23)], pa.timestamp("us"))})
    blocks.add(table)
    assert blocks.add(table).select([2, 3, 4, 5]).to_pydict() == {
        "row": [2, 3],
        "block": ["a 2013-06-06", "b 2013-06-30"],
        "day": ["2013-06-06", "2013-06-30"],
        "hour_of_day": ["07", "23"],
    }
    assert [(column.name, column.role) for column in blocks.columns[2:]] == [
        ("row", "key"), ("block", "group"), ("day", "group"), ("hour_of_day", "context"),
    ]  # fmt: skip
    assert {name: (block.group, block.period, block.rows) for name, block in blocks.seen.items()} == {
        "a 2013-06-06": (("a",), "2013-06-06", 2),
        "b 2013-06-30": (("b",), "2013-06-30", 2),
    }


@pytest.mark.parametrize(
    ("columns", "cuts"),
    [
        ([TIME, SHOP, USER], ["day", "hour", "user", "row"]),
        ([SHOP, CLICK], ["group", "row"]),
        ([USER], ["user", "row"]),
        ([CLICK, Column("tags", "categories", "user")], ["row"]),
    ],
)
def test_what_a_block_can_be_follows_from_the_roles(columns: list[Column], cuts: list[Cut]) -> None:
    assert cuts_for(columns) == cuts


def test_without_time_and_group_blocks_are_parts_of_users_or_rows() -> None:
    users = pa.table({"user": [f"u{n}" for n in range(500)] * 2 + [None, "u1"]})
    by_user = Blocks([USER], "user").add(users)
    assert by_user["block"].to_pylist()[:500] == by_user["block"].to_pylist()[500:1000]
    assert by_user["block"][1] == by_user["block"][1001]
    assert 300 < len(by_user["block"].unique()) < 501
    assert by_user["block"][0].as_py().startswith("user ")
    by_row = Blocks([CLICK], "row").add(pa.table({"click": [0] * 1001}))
    assert [by_row["block"][row].as_py() for row in (0, 17, 1000)] == ["row 000", "row 017", "row 000"]


def test_days_of_each_group_are_dealt_in_the_order_of_time() -> None:
    rows = [("a", day(n)) for n in (12, 7, 6, 8, 9, 10, 11)] + [("b", day(n)) for n in (20, 21)] + [("c", day(1))]
    splits = named(blocks_of(rows, "day"))
    assert list(splits) == ["folds", "later", "days", "leave-shop-out"]
    assert splits["days"].assignment == splits["folds"].assignment
    assert [splits["days"].assignment[f"a 2013-06-{n:02d}"] for n in range(6, 13)] == [0, 1, 2, 3, 4, 0, 1]
    assert [splits["days"].assignment[f"b 2013-06-{n}"] for n in (20, 21)] == [0, 1]
    later = splits["later"].assignment
    assert {name for name, role in later.items() if role == "test"} == {"a 2013-06-12", "b 2013-06-21"}
    assert later["c 2013-06-01"] == "train"
    assert splits["leave-shop-out"].column == "shop"
    assert splits["leave-shop-out"].assignment == {"a": 0, "b": 1, "c": 2}
    assert all(split.description for split in splits.values())


def test_there_are_no_more_folds_than_days() -> None:
    splits = named(blocks_of([("a", day(n)) for n in (6, 7, 8)], "day"))
    assert splits["folds"].folds == (0, 1, 2)
    assert "leave-shop-out" not in splits
    ten = named(blocks_of([("a", day(n)) for n in range(1, 11)], "day"), folds=3)
    assert ten["folds"].folds == (0, 1, 2)
    assert list(ten["later"].assignment.values()) == ["train"] * 8 + ["test"] * 2


def test_hours_stand_in_for_days_and_groups_for_both() -> None:
    hours = named(blocks_of([("a", day(6, hour)) for hour in (18, 16, 17)], "hour"))
    assert list(hours) == ["folds", "later"]
    assert list(hours["folds"].assignment) == ["a 2013-06-06 16", "a 2013-06-06 17", "a 2013-06-06 18"]
    one_day = named(blocks_of([(shop, day(6)) for shop in "aabbbc"], "day"), folds=2)
    assert list(one_day) == ["folds", "leave-shop-out"]
    assert one_day["folds"].assignment == {"a 2013-06-06": 1, "b 2013-06-06": 0, "c 2013-06-06": 1}
    no_time = named(blocks_of([(shop, day(6)) for shop in "aab"], "group", [SHOP]))
    assert no_time["folds"].assignment == {"a": 0, "b": 1}


def test_values_that_are_left_out_in_turn_are_few_and_name_a_file() -> None:
    many = Blocks([Column("Shop & co", "category", "group")], "group")
    many.add(pa.table({"Shop & co": [str(n) for n in range(50)]}))
    assert list(named(many)) == ["folds", "leave-Shop---co-out"]
    many.add(pa.table({"Shop & co": ["50"]}))
    assert list(named(many)) == ["folds"]


def test_a_group_column_of_single_things_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_blocks, "_MOST_BLOCKS", 20)
    with pytest.raises(InputError, match=r"'shop' cut the log into over 20 blocks: .* instead of group"):
        blocks_of([(str(n), day(6)) for n in range(21)], "day")


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 28), st.integers(0, 23)), min_size=1, max_size=60),
    cut=st.sampled_from(["day", "hour", "row"]),
    folds=st.integers(2, 6),
)
def test_every_block_has_a_side_in_every_split(rows: list[tuple[str, int, int]], cut: Cut, folds: int) -> None:
    blocks = blocks_of([(shop, day(date, hour)) for shop, date, hour in rows], cut)
    if len(blocks.seen) < 2:
        return
    splits = named(blocks, folds)
    assert "folds" in splits
    for split in splits.values():
        expected = blocks.seen if split.column == "block" else {block.group[0] for block in blocks.seen.values()}
        assert split.assignment.keys() == expected if isinstance(expected, set) else {*split.assignment} == {*expected}
        assert len(split.folds) >= 2
        assert set(split.folds) == {"train", "test"} or len(split.folds) <= max(folds, 3)
