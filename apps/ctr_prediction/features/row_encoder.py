"""The one way from a table of impressions to numbers; training, evaluation, baselines and prediction share it.

encoder = RowEncoder.fit(schema, batches, FeatureConfig())
training = encoder.encode(table, rates_without=encoder.rate_fold(table))
later = encoder.encode(other)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.ctr_prediction.features import fitting, storage
from apps.ctr_prediction.features.columns import read_texts
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.fields import Combine, Field, kind_of
from apps.ctr_prediction.features.fitted import Fitted
from apps.ctr_prediction.features.normalise import field_name
from apps.ctr_prediction.features.read_rows import ReadRows
from apps.ctr_prediction.features.reading import TableReader
from apps.ctr_prediction.features.selection import made
from apps.ctr_prediction.features.target_rates import fold_of_unit, rate_inputs
from shared.errors import InputError
from shared.prepared import Column

__all__ = ["RowEncoder"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


class RowEncoder:
    """Turns tables into row numbers of embedding tables and dense numbers, as learnt from training rows.

    Nothing in a value raises: unseen values have a row in each field, missing ones are a value like any other, columns
    that are not there are missing in every row. Row 0 is the padding of bags; a field's rows begin at `Field.first`.
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted
        self.config = fitted.config
        self.fields = _fields(fitted)
        """One for each feature, in the order of the schema."""
        self.n_rows = 1 + sum(field.size for field in self.fields)
        """Rows of the embedding tables over all fields, with the padding."""
        ids = [field for field in self.fields if field.kind == "id"]
        self.id_columns: tuple[tuple[int, Combine], ...] = tuple(
            (place, field.combine) for place, field in enumerate(ids) for _ in range(field.columns)
        )
        """For each id column the field it belongs to, counted among the fields of kind id, and how it joins others."""
        self.unseen_rows = tuple(row for field in ids for row in field.unseen_rows)
        """For each id column the row of unseen values."""
        roles = [field.column.role for field in ids for _ in range(field.columns)]
        self.group_columns = tuple(place for place, role in enumerate(roles) if role == "group")
        """The id columns whose field has the role group."""
        self.dense_names = tuple(itertools.chain.from_iterable(map(self._dense_names, self.fields)))
        """What each dense input is."""
        self._rates: dict[str, FloatArray] = {}
        if self.config.target_rates:
            totals = fitted.fold_rows, fitted.fold_clicks, self.config.smoothing
            counted = {field.name: fitted.counted[field.column.name] for field in ids}
            self._rates = {name: rate_inputs(own.count, own.clicks, *totals) for name, own in counted.items()}

    @classmethod
    def fit(cls, schema: Sequence[Column], batches: Iterable[pa.Table], config: FeatureConfig) -> Self:
        """Learn from the training rows, in one pass; memory grows with the distinct values, not with the rows.

        Args:
            schema: of the table; roles say what is a feature.
            batches: the training rows alone, in tables of any length.
            config: settings.

        Raises:
            ConfigError: the schema has no label, or a feature is asked for that cannot be one.
            InputError: a column is missing, a label is neither 0 nor 1, or there are no rows.
        """
        return cls(fitting.fit(schema, batches, config))

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are read."""
        return self._fitted.columns

    @property
    def training_columns(self) -> tuple[str, ...]:
        """Names of the columns of a table that `encode` and `rate_fold` read; those of crosses and steps are made."""
        return (*(column.name for column in self.columns if not made(column)), *self._fitted.unit)

    @property
    def n_dense(self) -> int:
        """Dense inputs of a row."""
        return len(self.dense_names)

    @property
    def n_bags(self) -> int:
        """Multi-valued fields."""
        return sum(field.kind == "bag" for field in self.fields)

    @property
    def click_rate(self) -> float:
        """The share of clicks among the training rows, as they were sampled."""
        return float(self._fitted.fold_clicks.sum() / self._fitted.fold_rows.sum())

    def read(self, table: pa.Table | TableReader) -> ReadRows:
        """The rows of a table, for who asks more than one thing of them: no column is read or looked up twice.

        Args:
            table: any columns; or its reader, which another encoder may have used before.
        """
        reader = table if isinstance(table, TableReader) else TableReader(table)
        return ReadRows(reader, self.fields, self._fitted, self._rates)

    def encode(self, table: pa.Table, *, rates_without: IntArray | None = None) -> Encoded:
        """Encode rows.

        Args:
            table: any columns; those that are no features are ignored.
            rates_without: for rows that were fitted on, `rate_fold` of each: their rates then leave that fold out.
                None takes the rates over all training rows.

        Raises:
            InputError: the table has none of the features, or a column's type cannot be read.
        """
        return self.read(table).encoded(rates_without)

    def rate_fold(self, table: pa.Table) -> IntArray:
        """(rows,) the fold of each row, by what its rates leave out (`FeatureConfig.rate_unit`).

        Raises:
            InputError: the table lacks a column that names it.
        """
        for name in self._fitted.unit:
            if name not in table.column_names:
                raise InputError(
                    f"The table has no column {name!r}, by which rows are dealt to folds: prepare the data."
                )
        if not self._fitted.unit:
            return np.zeros(table.num_rows, dtype=np.int64)
        return fold_of_unit([read_texts(table, name) for name in self._fitted.unit], self.config.rate_folds)

    def unseen(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """(rows, fields) whether the training rows had nothing like it.

        Of an id: its value has no row of its own (hashed: no training value fell into its bucket). Of a bag: it has
        values, and none of them has a row. Of a number: it is missing and never was.
        """
        return self.read(table).unseen()

    def of_new_campaign(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """(rows,) whether a column of the role group has a value that the training rows never had."""
        return self.read(table).of_new_campaign()

    def _dense_names(self, field: Field) -> tuple[str, ...]:
        if field.kind == "number":
            return (field.name, f"{field.name} missing")
        return (f"{field.name} rate", f"{field.name} count") if field.kind == "id" and self.config.target_rates else ()

    def save(self, folder: Path, prefix: str = "") -> None:
        """Write encoder.json and vocabulary.parquet into `folder`, their names behind `prefix`."""
        storage.save(self._fitted, folder, prefix)

    @classmethod
    def load(cls, folder: Path, prefix: str = "") -> Self:
        """Read what `save` wrote. Raises CheckpointError where the files are missing, damaged or newer."""
        return cls(storage.load(folder, prefix))


def _fields(fitted: Fitted) -> tuple[Field, ...]:
    """The fields with their places in the tables, behind the row of the padding."""
    taken = {column.name for column in fitted.columns}
    fields, first = [], 1
    for column in fitted.columns:
        name = field_name(column.name)
        if name != column.name and name in taken:
            name = column.name
        kind = kind_of(column)
        if kind == "number":
            fields.append(Field(name, column, kind))
            continue
        coder = fitted.counted[column.name].coder
        fields.append(Field(name, column, kind, first, coder.size, coder.columns, coder.combine))
        first += coder.size
    return tuple(fields)
