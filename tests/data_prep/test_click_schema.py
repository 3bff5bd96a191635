"""Schema files: what they may say, what is refused, and what is told without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from data_prep.click_known import headerless_names, recognise, suggest
from data_prep.click_schema import ClickSchema
from shared.errors import ConfigError, InputError
from shared.prepared import Column

RAW = pa.schema(
    {
        "click": pa.int8(), "at": pa.string(), "site": pa.int64(), "price": pa.float32(), "tags": pa.list_(pa.string()),
        "shop": pa.int64(), "seen": pa.timestamp("us"), "kind of ad": pa.string(),
    }
)  # fmt: skip


def schema(tmp_path: Path, text: str) -> ClickSchema:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    return ClickSchema.read(path)


LISTED = """
columns:
  - {name: click, role: label}
  - {name: at, role: time, format: "%Y%m%d"}
  - {name: site, role: item}
  - {name: price, role: context, bins: [1, 10]}
  - {name: tags, role: user}
  - {name: shop, role: context}
  - {name: seen, role: context}
  - {name: kind of ad, role: group}
"""
MAPPED = """
title: Our log
columns:
  click: label
  at: {role: time, format: "%Y%m%d"}
  site: item
  price: {role: context, bins: [1, 10]}
  tags: user
  shop: context
  seen: context
  kind of ad: {role: group}
"""


@pytest.mark.parametrize("text", [LISTED, MAPPED])
def test_lists_and_mappings_say_the_same_and_kinds_are_taken_from_the_log(tmp_path: Path, text: str) -> None:
    assert schema(tmp_path, text).columns_for(RAW) == [
        Column("click", "integer", "label"),
        Column("at", "time", "time", format="%Y%m%d"),
        Column("site", "category", "item"),
        Column("price", "number", "context", bins=(1.0, 10.0)),
        Column("tags", "categories", "user"),
        Column("shop", "number", "context"),
        Column("seen", "time", "context"),
        Column("kind of ad", "category", "group"),
    ]


def test_stated_kinds_stand_and_the_first_entry_that_the_log_has_is_taken(tmp_path: Path) -> None:
    text = """
columns:
  - {name: click, role: label}
  - {name: when, role: time, from: [day, hour], optional: true}
  - {name: when, role: time, from: at, optional: true}
  - {name: shop, kind: category, role: context}
  - {name: gone, kind: category, role: context, optional: true}
"""
    assert schema(tmp_path, text).columns_for(RAW) == [
        Column("click", "integer", "label"),
        Column("when", "time", "time", source=("at",)),
        Column("shop", "category", "context"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with 'columns:'"),
        ("a: [", "is no YAML"),
        ("colums: [{name: a, role: label}]", "no key 'colums'. Did you mean 'columns'"),
        ("columns: 3", "lists a name, a kind and a role"),
        ("columns: []", "lists a name, a kind and a role"),
        ("columns: [click]", "Found 'click' where 'name: ..., kind: ..., role: ...'"),
        ("columns: [{name: a, rol: label}]", "Column 'a' of the schema has the key 'rol'. Did you mean 'role'"),
        ("columns: [{role: label}]", "has no name"),
        ("columns: [{name: a}]", "Column 'a' of the schema has no role. Known: context, group"),
        ("columns: {a: lable}", "role 'lable'. Did you mean 'label'"),
        ("columns: {a: label, b: {kind: numbr, role: context}}", "kind 'numbr'. Did you mean 'number'"),
        ("columns: {a: label, b: {role: context, bins: wide}}", "bins of column 'b' are a list of numbers"),
        ("columns: {a: label, b: {role: context, bins: [2, 1]}}", "ascending"),
        ("columns: {a: label, b: {role: group, kind: number}}", "role group and the kind 'number'"),
        ("columns: {a: context}", "one column of the role 'label'; found none"),
        ("columns: {a: label, b: label}", r"one column of the role 'label'; found \['a', 'b'\]"),
        ("columns: {a: label, b: time, c: time}", "at most one column of the role 'time'"),
        ("columns: [{name: a, role: label}, {name: b, role: user}, {name: b, role: item}]", "'b' is described twice"),
        ("columns: {a: label, day: context}", "write 'name: own_day, from: day'"),
        ("{names: click, columns: {a: label}}", "'names' lists the columns"),
    ],
)
def test_slips_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        schema(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "schema.yaml"))


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no schema file"):
        ClickSchema.read(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r"The log has no column 'clck'. Did you mean 'click'"):
        schema(tmp_path, "columns: {clck: label}").columns_for(RAW)


def test_well_known_logs_without_header_are_told_by_their_first_line() -> None:
    raw = "\t".join(["a" * 32, "20131021192300738", "1", *"x" * 21])
    assert headerless_names(raw, 24)[:3] == ("bidid", "timestamp", "logtype")
    criteo = "\t".join(["0", *["3"] * 12, "", *["05db9164"] * 26])
    assert headerless_names(criteo, 40)[0] == "label"
    assert headerless_names(criteo, 39) == headerless_names("label,click", 24) == ()


def test_the_guess_in_the_error_is_a_schema_to_begin_with(tmp_path: Path) -> None:
    names: dict[str, Any] = {
        "impression_id": ["x"], "is_click": [1], "timestamp": [1], "campaign": [7], "user_id": [3], "ad_id": [1],
        "paying_price": [2.5], "conversion": [0], "sample_weight": [1.0], "page": ["p"], "date": ["2013"],
    }  # fmt: skip
    head = pa.table(names)
    with pytest.raises(InputError, match=r"known here .avazu, criteo, ipinyou.*--schema") as caught:
        recognise(head)
    guess = str(caught.value)[str(caught.value).index("{columns") :]
    assert guess == suggest(head)
    assert "\n" not in guess
    found = {column.name: column.role for column in schema(tmp_path, guess).columns_for(head.schema)}
    assert list(found.values()) == [
        "key", "label", "time", "group", "user", "item", "leak", "leak", "weight", "context", "context",
    ]  # fmt: skip
    assert yaml.safe_load(guess)["columns"]["user_id"] == {"kind": "category", "role": "user"}
