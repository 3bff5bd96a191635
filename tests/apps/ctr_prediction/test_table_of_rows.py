from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.features.rows import table_of_rows
from shared.errors import InputError
from tests.apps.ctr_prediction.made_log import SCHEMA, made_log
from tests.apps.ctr_prediction.test_row_encoder import same


def test_rows_are_the_table_they_came_from() -> None:
    log = made_log(200)
    encoder = RowEncoder.fit(SCHEMA, [log], FeatureConfig())
    same(encoder.encode(table_of_rows(log.to_pylist(), encoder.columns)), encoder.encode(log))


def test_types_may_be_mixed_and_values_left_out() -> None:
    rows: list[dict[str, Any]] = [
        {"campaign": 1458, "item": 7.0, "tags": ["3", 4], "age": "12.5", "other": object()},
        {"campaign": "1458", "item": "7", "tags": "3,4", "age": 12.5},
        {"campaign": "1458", "item": np.int64(7), "tags": {4, "3"}, "age": np.float64(12.5)},
    ]
    encoder = RowEncoder.fit(SCHEMA, [made_log(200)], FeatureConfig())
    table = table_of_rows(rows, encoder.columns)
    assert table.column_names == ["campaign", "item", "age", "tags"]
    encoded = encoder.encode(table)
    for row in (1, 2):
        same(encoded.take(slice(row, row + 1)), encoded.take(slice(0, 1)))


@pytest.mark.parametrize("value", [None, float("nan"), "", "null"])
def test_missing_values_of_any_kind_are_missing(value: Any) -> None:
    encoder = RowEncoder.fit(SCHEMA, [made_log(200)], FeatureConfig())
    names = [column.name for column in encoder.columns]
    nothing = table_of_rows([dict.fromkeys(names, value), {}], encoder.columns)
    mixed = table_of_rows([dict.fromkeys(names, value), {"campaign": 1, "tags": [True]}], encoder.columns)
    first, second = encoder.encode(nothing), encoder.encode(mixed)
    same(first.take(slice(0, 1)), first.take(slice(1, 2)))
    np.testing.assert_array_equal(first.ids[0], second.ids[0])


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(InputError, match="Row 1 is a str"):
        table_of_rows([{"campaign": "a"}, "campaign"], SCHEMA)  # type: ignore[list-item]
