"""The rows of a table as one encoder reads them: what its fields find there, located once for all questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from apps.ctr_prediction.features.bags import each_once, padded
from apps.ctr_prediction.features.columns import Texts
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.fields import Field
from apps.ctr_prediction.features.fitted import CountedField, Fitted
from apps.ctr_prediction.features.numbers import NumberScale
from apps.ctr_prediction.features.reading import TableReader
from shared.errors import InputError

__all__ = ["ReadRows"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Numbers:
    """What a number field finds."""

    numbers: npt.NDArray[np.float64]
    """(rows,) NaN where missing."""
    scale: NumberScale

    def missing(self) -> BoolArray:
        return np.isnan(self.numbers)

    def unseen(self) -> BoolArray:
        return self.missing() & (not self.scale.has_missing)


@dataclass(frozen=True)
class _Ids:
    """What an id field finds."""

    counted: CountedField
    texts: Texts
    slots: IntArray
    """(values,) of each text."""
    rows: IntArray
    """(values, id columns) row numbers within the field."""

    def missing(self) -> BoolArray:
        absent: BoolArray = self.texts.values.is_null().to_numpy(zero_copy_only=False)
        return absent[self.texts.codes]

    def unseen(self) -> BoolArray:
        return ~self.counted.seen(self.slots)[self.texts.codes]


@dataclass(frozen=True)
class _Bag:
    """What a bag field finds."""

    counted: CountedField
    n_rows: int
    rows: IntArray
    """(values,) the row of each, ascending."""
    slots: IntArray
    """(values,)"""
    ids: IntArray
    """(values,) row number of each within the field."""

    def missing(self) -> BoolArray:
        return np.bincount(self.rows, minlength=self.n_rows) == 0

    def unseen(self) -> BoolArray:
        known = np.bincount(self.rows[self.counted.seen(self.slots)], minlength=self.n_rows)
        return ~self.missing() & (known == 0)


_Found: TypeAlias = _Numbers | _Ids | _Bag


class ReadRows:
    """Answers all that is asked of some rows; each field is read and located once, when it is first needed.

    It keeps what it found, so it belongs to one call, as its reader does; the encoder it comes from keeps nothing.

    Args:
        reader: of the table.
        fields: of the encoder, with their places in its tables.
        fitted: what the encoder learnt.
        rates: (folds + 1, slots, 2) of `rate_inputs` for each id field that has them.
    """

    def __init__(
        self, reader: TableReader, fields: Sequence[Field], fitted: Fitted, rates: Mapping[str, FloatArray]
    ) -> None:
        self._reader, self._fields, self._fitted, self._rates = reader, fields, fitted, rates
        self._found: dict[str, _Found] = {}

    def encoded(self, rates_without: IntArray | None = None) -> Encoded:
        """The rows as `RowEncoder.encode` gives them; raises InputError as it does."""
        self._require_features()
        n_rows = self._reader.n_rows
        ids = np.empty((sum(field.columns for field in self._fields if field.kind == "id"), n_rows), dtype=np.int64)
        bags: list[IntArray] = []
        dense: list[FloatArray] = [np.empty((n_rows, 0), dtype=np.float32)]
        next_column = 0
        for field in self._fields:
            found = self._found_by(field)
            if isinstance(found, _Numbers):
                dense.append(found.scale(found.numbers))
            elif isinstance(found, _Bag):
                bags.append(self._bag(field, found))
            else:
                own = ids[next_column : next_column + field.columns]
                np.take((field.first + found.rows).T, found.texts.codes, axis=1, out=own)
                next_column += field.columns
                if field.name in self._rates:
                    dense.append(_rates_of(self._rates[field.name], found, rates_without))
        return Encoded(np.ascontiguousarray(ids.T), tuple(bags), np.concatenate(dense, axis=1))

    def unseen(self) -> BoolArray:
        """(rows, fields) as `RowEncoder.unseen` gives it; raises InputError as it does."""
        self._require_features()
        return np.stack([self._found_by(field).unseen() for field in self._fields], axis=1)

    def nothing_known(self) -> BoolArray:
        """(rows,) whether every feature is missing, or has a value that the training rows never had."""
        nothing = np.ones(self._reader.n_rows, dtype=bool)
        for field in self._fields:
            if not nothing.any():  # after the first fields hardly any row is left
                break
            found = self._found_by(field)
            nothing &= found.unseen() | found.missing()
        return nothing

    def of_new_campaign(self) -> BoolArray:
        """(rows,) as `RowEncoder.of_new_campaign` gives it."""
        campaigns = [field for field in self._fields if field.kind == "id" and field.column.role == "group"]
        new = [self._found_by(field).unseen() for field in campaigns]
        return np.any(new, axis=0) if new else np.zeros(self._reader.n_rows, dtype=bool)

    def _require_features(self) -> None:
        names, there = [column.name for column in self._fitted.columns], self._reader.column_names
        if not set(names) & set(there):
            raise InputError(
                f"The rows have none of the features; found the columns {', '.join(there) or 'none'}, "
                f"expected some of {', '.join(names)}."
            )

    def _found_by(self, field: Field) -> _Found:
        if field.name not in self._found:
            self._found[field.name] = self._find(field)
        return self._found[field.name]

    def _find(self, field: Field) -> _Found:
        column = field.column
        if field.kind == "number":
            return _Numbers(self._reader.numbers(column.name), self._fitted.scales[column.name])
        counted = self._fitted.counted[column.name]
        if field.kind == "id":
            texts = self._reader.single_values(column)
            return _Ids(counted, texts, *counted.coder.locate(texts.values))
        rows, texts = self._reader.values_in_rows(column)
        slots, own = counted.coder.locate(texts.values)
        return _Bag(counted, self._reader.n_rows, rows, slots[texts.codes], own[:, 0][texts.codes])

    def _bag(self, field: Field, found: _Bag) -> IntArray:
        n_codes = field.first + field.size
        rows, ids = each_once(found.rows, field.first + found.ids, n_codes)
        return padded(rows, ids, found.n_rows)


def _rates_of(rates: FloatArray, found: _Ids, without: IntArray | None) -> FloatArray:
    slots, codes = found.slots, found.texts.codes
    return rates[-1, slots][codes] if without is None else rates[without, slots[codes]]
