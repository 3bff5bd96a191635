"""One pass over the training rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.bags import each_once
from apps.ctr_prediction.features.columns import column_of
from apps.ctr_prediction.features.counting import ValueCounts
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.fields import kind_of
from apps.ctr_prediction.features.fitted import CountedField, Fitted, hashed_ids
from apps.ctr_prediction.features.numbers import ScaleFit
from apps.ctr_prediction.features.reading import TableReader
from apps.ctr_prediction.features.selection import campaign_columns, feature_columns, made
from apps.ctr_prediction.features.target_rates import fold_of_unit
from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared import Column
from shared.prepared.table import RowBuffer

__all__ = ["fit"]

IntArray = npt.NDArray[np.int64]

BLOCK = "block"
"""Column that names what no split cuts: a day of a campaign."""
PIECE = 1 << 16
"""Rows taken in at a time, however the stream was cut: so the result does not depend on the cut."""


def fit(schema: Sequence[Column], batches: Iterable[pa.Table], config: FeatureConfig) -> Fitted:
    """Learn vocabularies, counts and scales from training rows; memory grows with the distinct values alone.

    Raises:
        ConfigError: the schema has no label, or a feature is asked for that cannot be one.
        InputError: a column is missing, a label is neither 0 nor 1, or there are no rows.
    """
    columns = feature_columns(schema, config)
    label = next((column.name for column in schema if column.role == "label"), None)
    if label is None:
        raise ConfigError("The schema has no column with the role label: give it to the one that holds 0 and 1.")
    folds = config.rate_folds if config.target_rates else 1
    unit = _rate_unit(schema, config)
    read = [column.name for column in columns if not made(column)]
    needed = list(dict.fromkeys([*read, label, *(unit if folds > 1 else ())]))
    learning = {column.name: _Learning(column, config, folds) for column in columns}
    fold_rows, fold_clicks = np.zeros(folds, np.int64), np.zeros(folds, np.int64)
    for piece in _pieces(batches, needed):
        clicks = _clicks(piece, label)
        reader = TableReader(piece)
        units = [reader.texts(name) for name in unit]
        fold = fold_of_unit(units, folds) if folds > 1 else np.zeros(len(clicks), np.int64)
        fold_rows += np.bincount(fold, minlength=folds)
        fold_clicks += np.bincount(fold[clicks == 1], minlength=folds)
        for field in learning.values():
            field.add(reader, fold, clicks)
    if not fold_rows.any():
        raise InputError("There are no training rows to fit the features on.")
    counted = {name: field.counted() for name, field in learning.items() if not field.is_number}
    scales = {name: field.scale.scale() for name, field in learning.items() if field.is_number}
    return Fitted(config, columns, unit, counted, scales, fold_rows, fold_clicks)


def _rate_unit(schema: Sequence[Column], config: FeatureConfig) -> tuple[str, ...]:
    """Columns that name what the rates of a training row leave out. Raises ConfigError where there are none."""
    if not config.target_rates:
        return ()
    if config.rate_unit == "block":
        return (BLOCK,)
    campaign = campaign_columns(schema)
    if not campaign:
        raise ConfigError("features.rate_unit campaign needs a column of the role group; the schema has none.")
    return campaign


class _Learning:
    """One column while it is being learnt."""

    def __init__(self, column: Column, config: FeatureConfig, folds: int) -> None:
        self._column, self._config, self._folds = column, config, folds
        self._hashed = hashed_ids(column, config)
        self._counts, self.scale = ValueCounts(folds), ScaleFit()
        self.is_number = kind_of(column) == "number"

    def add(self, reader: TableReader, fold: IntArray, clicks: IntArray) -> None:
        """Take rows with the fold and the click of each."""
        if self.is_number:
            self.scale.add(reader.numbers(self._column.name))
            return
        if kind_of(self._column) == "bag":
            rows, texts = reader.values_in_rows(self._column)
            texts = texts.distinct()
            rows, codes = each_once(rows, texts.codes, len(texts.values))
            fold, clicks = fold[rows], clicks[rows]
        else:
            texts = reader.single_values(self._column)
            codes = texts.codes
        values = pa.array(self._hashed.locate(texts.values)[0]) if self._hashed else texts.values
        self._counts.add(values, codes, fold, clicks)

    def counted(self) -> CountedField:
        return CountedField.of_counts(self._column, self._config, self._counts.table(), self._folds)


def _pieces(batches: Iterable[pa.Table], needed: list[str]) -> Iterator[pa.Table]:
    buffer = RowBuffer(PIECE)
    for batch in batches:
        for name in needed:
            if name not in batch.column_names:
                raise InputError(f"The training rows have no column {name!r}.{did_you_mean(name, batch.column_names)}")
        yield from buffer.push(batch.select(needed))
    yield from buffer.rest()


def _clicks(table: pa.Table, label: str) -> IntArray:
    """(rows,) 0 or 1."""
    column = column_of(table, label)
    clicked, other = (pc.fill_null(pc.equal(pc.cast(column, pa.float64()), value), False) for value in (1.0, 0.0))
    if not pc.all(pc.or_(clicked, other)).as_py():
        raise InputError(f"Column {label!r} is the label and holds something else than 0 and 1 in a training row.")
    return np.asarray(clicked).astype(np.int64)
