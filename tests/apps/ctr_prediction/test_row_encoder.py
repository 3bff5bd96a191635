from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.features import fitting
from apps.ctr_prediction.features.columns import FEW
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.feature_config import Encoding, FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.networks.input_layout import InputLayout
from shared.errors import ConfigError, InputError
from tests.apps.ctr_prediction.made_log import SCHEMA, made_log

ENCODINGS = get_args(Encoding)


def _fitted(log: pa.Table, **settings: Any) -> RowEncoder:
    return RowEncoder.fit(SCHEMA, [log], FeatureConfig(**settings))


def same(first: Encoded, second: Encoded) -> None:
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(first.dense, second.dense)
    for one, other in zip(first.bags, second.bags, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_field_has_rows_of_its_own(encoding: Encoding) -> None:
    log = made_log(500)
    encoder = _fitted(log, encoding=encoding, buckets=40)
    encoded = encoder.encode(log)
    columns = 1 if encoding in ("vocabulary", "hash") else 2
    assert [field.name for field in encoder.fields] == ["campaign", "useragent", "IP2", "item", "price", "age", "tags"]
    assert [field.kind for field in encoder.fields] == ["id"] * 5 + ["number", "bag"]
    assert encoded.ids.shape == (500, 5 * columns)
    assert encoded.ids.dtype == encoded.bags[0].dtype == np.int64
    assert encoded.dense.shape == (500, encoder.n_dense) == (500, 2)
    place, end = 0, 1
    for field in (field for field in encoder.fields if field.kind != "number"):
        assert field.first == end, "fields follow each other behind the padding"
        end += field.size
        own = encoded.bags[0] if field.kind == "bag" else encoded.ids[:, place : place + columns]
        place += columns
        assert ((own >= field.first) & (own < end) | ((own == 0) & (field.kind == "bag"))).all()
    assert encoder.n_rows == end
    combine = "product" if encoding == "quotient_remainder" else "sum"
    assert encoder.id_columns == tuple((field, combine) for field in range(5) for _ in range(columns))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_network_can_be_laid_out(encoding: Encoding) -> None:
    encoder = _fitted(made_log(200), encoding=encoding, buckets=40, target_rates=True)
    layout = InputLayout(
        n_rows=encoder.n_rows,
        columns=encoder.id_columns,
        unseen_rows=encoder.unseen_rows,
        group_columns=encoder.group_columns,
        n_bags=encoder.n_bags,
        n_dense=encoder.n_dense,
    )
    assert (layout.n_fields, layout.n_vectors, layout.n_dense) == (5, 6, 12)
    assert encoder.group_columns == tuple(range(len(encoder.id_columns) // 5))


def test_ids_are_those_of_a_dictionary() -> None:
    log = made_log(400)
    encoder = _fitted(log, include=("item",), min_count=10)
    values = ["missing" if value is None else value for value in log["item"].to_pylist()]
    ids = encoder.encode(log).ids[:, 0]
    for value in set(values):
        own = set(ids[[v == value for v in values]].tolist())
        assert len(own) == 1, "one value, one row"
        assert (own == {1}) == (values.count(value) < 10), "rare values share the row of the unseen"
    assert len(set(ids.tolist())) == encoder.n_rows - 1


def test_unseen_values_have_the_first_row_of_their_field() -> None:
    encoder = _fitted(made_log(300))
    rows = pa.table(
        {"campaign": ["new"], "useragent": ["beos_netpositive"], "IP": ["9.9.9.9"], "item": [999], "tags": [["x", "y"]]}
    )
    encoded = encoder.encode(rows)
    assert encoded.ids[0, :4].tolist() == list(encoder.unseen_rows[:4])
    assert encoded.bags[0].tolist() == [[encoder.fields[-1].first]], "all unseen values of a bag are one"
    assert encoder.unseen(rows).tolist() == [[True, True, True, True, False, False, True]]


def test_missing_is_unseen_only_where_training_never_missed_it() -> None:
    log = made_log(300)
    empty = pa.table({"campaign": [None], "IP": [None], "tags": pa.array([None], pa.list_(pa.string()))})
    by_name = dict(zip([f.name for f in _fitted(log).fields], _fitted(log).unseen(empty)[0].tolist(), strict=True))
    assert by_name["campaign"] is False
    assert by_name["IP2"] is True, "every training row had an address"
    assert by_name["tags"] is False, "no tags is nothing new"
    assert _fitted(log.drop(["age"]).append_column("age", pa.array([1.0] * 300))).unseen(empty)[0, 5]


def test_bags_hold_frequent_values_once() -> None:
    tags = [["a", "b", "a"], ["b"], ["a", "c"], ["a"], ["b", "b"], None, [], [None, "null", ""], ["c", "c"], ["a,b"]]
    log = pa.table({"click": [0] * 10, "tags": tags})
    encoder = _fitted(log, include=("tags",), bag_min_count=3)
    first = encoder.fields[0].first
    a, b = first + 1, first + 2
    expected = [[a, b], [b, 0], [first, a], [a, 0], [b, 0], [0, 0], [0, 0], [0, 0], [first, 0], [first, 0]]
    assert encoder.encode(log).bags[0].tolist() == expected, "c is in two rows only, although it occurs three times"
    as_text = pa.table({"tags": ["b, a,a", "c,a", "null", "", None, "zzz"]})
    assert encoder.encode(as_text).bags[0].tolist() == [[a, b], [first, a], [0, 0], [0, 0], [0, 0], [first, 0]]
    assert encoder.unseen(as_text)[:, 0].tolist() == [False, False, False, False, False, True]


def test_integers_and_texts_of_numbers_are_alike() -> None:
    log = made_log(300)
    encoder = _fitted(log)
    items, prices, ages = (log[name].to_pylist() for name in ("item", "price", "age"))
    as_text = {
        "item": pa.array([None if v is None else str(v) for v in items]),
        "price": pa.array([None if v is None else f"{v}.0" for v in prices]),
        "age": pa.array([str(v) for v in ages]),
        "tags": pa.array([None if v is None else ",".join(v) for v in log["tags"].to_pylist()]),
    }
    as_floats = {"item": pa.array([None if v is None else float(v) for v in items])}
    for changed in (as_text, as_floats):
        other = log
        for name, column in changed.items():
            other = other.set_column(other.column_names.index(name), name, column)
        same(encoder.encode(other), encoder.encode(log))


def test_columns_that_are_not_there_are_missing() -> None:
    encoder = _fitted(made_log(300))
    some = pa.table({"campaign": ["1458", "3386"], "unknown": [1, 2]})
    whole = some.append_column("age", pa.array([None, None], pa.float64())).append_column("IP", pa.nulls(2))
    same(encoder.encode(some), encoder.encode(whole))
    with pytest.raises(InputError, match="none of the features; found the columns unknown, expected some of campaign"):
        encoder.encode(some.select(["unknown"]))
    with pytest.raises(InputError, match="block"):
        _fitted(made_log(300), target_rates=True).rate_fold(some)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_a_stream_in_pieces_is_learnt_as_one(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "PIECE", 64)
    log = made_log(1000)
    config = FeatureConfig(target_rates=True)
    whole = RowEncoder.fit(SCHEMA, [log], config)
    pieces = RowEncoder.fit(SCHEMA, (log.slice(start, rows) for start in range(0, 1000, rows)), config)
    assert pieces.n_rows == whole.n_rows
    same(pieces.encode(log), whole.encode(log))
    same(pieces.encode(log, rates_without=whole.rate_fold(log)), whole.encode(log, rates_without=whole.rate_fold(log)))


def test_batches_are_encoded_as_the_whole() -> None:
    log = made_log(700)
    encoder = _fitted(log, target_rates=True)
    parts = [encoder.encode(log.slice(start, 100)) for start in range(0, 700, 100)]
    whole = encoder.encode(log)
    joined = Encoded.concatenate(parts)
    same(joined, whole)
    same(whole.take(np.arange(100, 200)), whole.take(slice(100, 200)))
    assert (len(whole), len(whole.take(whole.ids[:, 0] > 3))) == (700, int((whole.ids[:, 0] > 3).sum()))
    with pytest.raises(InputError, match="no encoded rows"):
        Encoded.concatenate([])


def test_no_rows_are_no_rows() -> None:
    encoder = _fitted(made_log(50), target_rates=True)
    encoded = encoder.encode(made_log(50).slice(0, 0))
    assert (encoded.ids.shape, encoded.dense.shape, encoded.bags[0].shape) == ((0, 5), (0, 12), (0, 1))


def _calls(work: Callable[[pa.Table], object], table: pa.Table) -> int:
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        work(table)
    finally:
        sys.setprofile(None)
    return count


def test_python_runs_once_for_a_table_and_not_for_each_row() -> None:
    short, long = made_log(300), made_log(20_000)
    encoder = _fitted(long, target_rates=True)
    for work in (encoder.encode, encoder.unseen, lambda log: _fitted(log, target_rates=True)):
        work(short)
        assert _calls(work, long) < 1.2 * _calls(work, short)


ODD = st.none() | st.text(max_size=12) | st.sampled_from(["null", "Na", "", "1458", "windows_ie", "Mozilla/5.0", "7"])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("campaign", "useragent", "IP", "item", "price", "age", "tags"), ODD)
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(ENCODINGS),
)
def test_no_value_raises_and_each_row_stands_alone(rows: list[dict[str, str | None]], encoding: Encoding) -> None:
    encoder = _encoders[encoding]
    names = [column.name for column in encoder.columns]
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    encoded = encoder.encode(table)
    assert ((encoded.ids > 0) & (encoded.ids < encoder.n_rows)).all()
    assert np.isfinite(encoded.dense).all()
    assert encoder.unseen(table).shape == (len(rows), len(encoder.fields))
    same(Encoded.concatenate([encoder.encode(table.slice(row, 1)) for row in range(len(rows))]), encoded)
    many = encoder.read(pa.concat_tables([table] * (FEW + 1)))
    same(many.encoded().take(slice(0, len(rows))), encoded)
    np.testing.assert_array_equal(many.unseen()[: len(rows)], encoder.unseen(table))


_encoders = {
    encoding: _fitted(made_log(300), encoding=encoding, buckets=20, target_rates=True) for encoding in ENCODINGS
}


def test_only_training_rows_that_can_be_are_learnt() -> None:
    log = made_log(20)
    with pytest.raises(InputError, match="no training rows"):
        _fitted(log.slice(0, 0))
    with pytest.raises(InputError, match="no column 'IP'"):
        _fitted(log.drop(["IP"]))
    with pytest.raises(InputError, match="'click' is the label and holds something else"):
        _fitted(log.set_column(0, "click", pa.array([2] * 20)))
    with pytest.raises(InputError, match="'click' is the label"):
        _fitted(log.set_column(0, "click", pa.array([None] * 20, pa.int64())))
    with pytest.raises(ConfigError, match="role label"):
        RowEncoder.fit(SCHEMA[1:], [log], FeatureConfig())
    assert _fitted(log).click_rate == pytest.approx(np.mean(log["click"].to_pylist()))
