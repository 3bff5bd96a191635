"""What one call asks of its rows is read once, and not kept by the encoder."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from apps.ctr_prediction.features import reading
from apps.ctr_prediction.features.columns import read_items, read_numbers, read_texts
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.reading import TableReader
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.features.vocabulary import Vocabulary
from tests.apps.ctr_prediction.made_log import SCHEMA, made_log

LOG = made_log(400)


def _encoder(**settings: Any) -> RowEncoder:
    return RowEncoder.fit(SCHEMA, [LOG], FeatureConfig(**settings))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each column was read as texts, numbers or items."""
    counted: Counter[str] = Counter()

    def counting(read: Callable[..., Any]) -> Callable[..., Any]:
        def note(table: pa.Table, name: str, *separator: str) -> Any:
            counted[f"{read.__name__} {name}"] += 1
            return read(table, name, *separator)

        return note

    for read in (read_texts, read_numbers, read_items):
        monkeypatch.setattr(reading, read.__name__, counting(read))
    return counted


def test_each_column_is_read_once_whatever_is_asked_by_whatever_encoder(reads: Counter[str]) -> None:
    encoders = [_encoder(campaign_crosses=True, number_steps=True), _encoder(number_steps=True, target_rates=True)]
    reads.clear()
    reader = TableReader(LOG)
    for rows in [encoder.read(reader) for encoder in encoders]:
        rows.of_new_campaign(), rows.encoded(), rows.unseen(), rows.nothing_known()
    names = {f"read_texts {name}" for name in ("campaign", "useragent", "IP", "item")}
    assert reads == Counter(names | {"read_numbers price", "read_numbers age", "read_items tags"})


def test_values_are_looked_up_once_for_all_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[Vocabulary] = []

    def noting(own: Vocabulary, values: pa.LargeStringArray) -> Any:
        looked_up.append(own)
        return locate(own, values)

    encoder, locate = _encoder(campaign_crosses=True), Vocabulary.locate
    monkeypatch.setattr(Vocabulary, "locate", noting)
    rows = encoder.read(LOG)
    rows.of_new_campaign(), rows.unseen(), rows.encoded(), rows.nothing_known()
    assert len(looked_up) == len(set(map(id, looked_up))) == sum(field.kind != "number" for field in encoder.fields)


def test_nothing_is_known_where_all_is_missing_or_new() -> None:
    encoder = _encoder(campaign_crosses=True)
    new: dict[str, Any] = {
        "campaign": "9",
        "useragent": None,
        "IP": "9.9.9.9",
        "item": None,
        "price": None,
        "age": None,
        "tags": ["?"],
    }
    known = {"campaign": "1458", "useragent": "mac_safari", "item": 3, "price": 5, "age": 30.0, "tags": ["?", "3"]}
    rows = [new, *({**new, name: value} for name, value in known.items())]
    columns = {name: pa.array([row[name] for row in rows]) for name in new}
    for times in (1, 20):
        found = encoder.read(pa.concat_tables([pa.table(columns)] * times)).nothing_known()
        assert found.tolist() == [True, *[False] * len(known)] * times


def test_the_rows_are_gone_when_the_call_is_over() -> None:
    encoder = _encoder(campaign_crosses=True, target_rates=True)
    gc.disable()
    try:
        rows = encoder.read(LOG.slice(0, 3))
        rows.encoded(), rows.unseen()
        gone = weakref.ref(rows)
        del rows
        assert gone() is None, "nothing refers to it, and it takes no search for circles to free it"
    finally:
        gc.enable()
    assert np.isfinite(encoder.encode(LOG).dense).all()
