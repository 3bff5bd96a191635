"""What trees see of a row: click rates and counts of its values, its numbers, and its most frequent tags as 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.ctr_prediction.classical.boosting import Inputs, Matrix
from apps.ctr_prediction.classical.training_rows import Rows, clicks_of, label_of
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from shared.prepared import Column

__all__ = ["TreeInputs"]

MOST_FREQUENT = 300


class TreeInputs:
    """The encoder of the rows, and the values of each bag that have a column of their own.

    Args:
        encoder: with target rates and an exact vocabulary, whose rows begin with the most frequent values.
        label: the column of the clicks.
    """

    def __init__(self, encoder: RowEncoder, label: str) -> None:
        self.encoder, self.label = encoder, label
        self._firsts = [field.first + 1 for field in encoder.fields if field.kind == "bag"]
        sizes = [field.size - 1 for field in encoder.fields if field.kind == "bag"]
        self._widths = [min(MOST_FREQUENT, size) for size in sizes]

    @classmethod
    def fit(cls, schema: Sequence[Column], rows: Rows, features: FeatureConfig) -> Self:
        """Count the values of the training rows in one pass."""
        config = replace(
            features, target_rates=True, rate_unit="block", encoding="vocabulary", campaign_crosses=False,
            number_steps=False,
        )  # fmt: skip
        return cls(RowEncoder.fit(schema, rows(), config), label_of(schema))

    def table(self, rows: pa.Table, *, learnt: bool = False) -> Matrix:
        """(n, F) one line a row; rates of rows that the encoder learnt from leave the fold of the row's block out."""
        encoded = self.encoder.encode(rows, rates_without=self.encoder.rate_fold(rows) if learnt else None)
        bags = zip(encoded.bags, self._firsts, self._widths, strict=True)
        return np.concatenate([encoded.dense, *(_indicators(*bag) for bag in bags)], axis=1)

    def inputs(self, rows: Rows, *, learnt: bool) -> Inputs:
        """All rows as one table (4 bytes a number, twice that while it is put together), with their clicks."""
        parts = [(self.table(table, learnt=learnt), clicks_of(table, self.label)) for table in rows()]
        matrices, clicks = zip(*parts, strict=True)
        return np.concatenate(matrices), np.concatenate(clicks)

    def save(self, folder: Path) -> None:
        """Write the encoder's files into the folder."""
        self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError where it is missing or damaged."""
        return cls(RowEncoder.load(folder), label="")


def _indicators(bag: npt.NDArray[np.int64], first: int, width: int) -> Matrix:
    """(n, width) 1 where the bag (n, longest) holds the row first + column, else 0."""
    line, place = np.nonzero((bag >= first) & (bag < first + width))
    table = np.zeros((len(bag), width), dtype=np.float32)
    table[line, bag[line, place] - first] = 1.0
    return table
