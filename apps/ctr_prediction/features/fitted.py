"""What the encoder learns from training rows: the whole of its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.fields import kind_of
from apps.ctr_prediction.features.hashing import Coder, HashedIds
from apps.ctr_prediction.features.numbers import NumberScale
from apps.ctr_prediction.features.vocabulary import Vocabulary
from shared.prepared import Column

__all__ = ["CountedField", "Fitted", "hashed_ids"]

IntArray = npt.NDArray[np.int64]


def hashed_ids(column: Column, config: FeatureConfig) -> HashedIds | None:
    """What hashes the values of a column; None where it has a vocabulary. The values of a bag have one hash each."""
    if config.encoding == "vocabulary":
        return None
    return HashedIds("hash" if kind_of(column) == "bag" else config.encoding, config.buckets)


@dataclass(frozen=True)
class CountedField:
    """The values of an id or a bag: their rows, and how often each was seen and clicked in each fold."""

    coder: Coder
    count: IntArray
    """(slots, folds); slot 0, of rare and unseen values, stays at 0."""
    clicks: IntArray
    """(slots, folds)"""

    @classmethod
    def of_counts(cls, column: Column, config: FeatureConfig, counts: pa.Table, folds: int) -> CountedField:
        """Choose the values that get rows of their own.

        Args:
            column: the field's.
            config: with the least counts.
            counts: of `ValueCounts.table`, whose values are slots where they are hashed.
            folds: number of folds.
        """
        coder: Coder | None = hashed_ids(column, config)
        if coder:
            slots = counts["value"].to_numpy()
        else:
            coder = Vocabulary.of_counts(counts, config.bag_min_count if kind_of(column) == "bag" else config.min_count)
            slots, _ = coder.locate(counts["value"].combine_chunks())
        place = slots * folds + counts["fold"].to_numpy()
        shape, least = (coder.n_slots, folds), coder.n_slots * folds
        count, clicks = (np.bincount(place, counts[name].to_numpy(), least) for name in ("count", "clicks"))
        count, clicks = count.reshape(shape).astype(np.int64), clicks.reshape(shape).astype(np.int64)
        count[0] = clicks[0] = 0
        return cls(coder, count, clicks)

    def seen(self, slots: IntArray) -> npt.NDArray[np.bool_]:
        """(n,) whether a training value has the slot, for each of n slots."""
        return np.asarray(self.count[slots].any(axis=1))


@dataclass(frozen=True)
class Fitted:
    """Everything that was learnt; what is saved with a model."""

    config: FeatureConfig
    columns: tuple[Column, ...]
    """Those learnt from, in the order of the schema."""
    unit: tuple[str, ...]
    """Columns that name what the rates of a training row leave out; none where no rates are asked for."""
    counted: Mapping[str, CountedField]
    """By column, for ids and bags."""
    scales: Mapping[str, NumberScale]
    """By column, for numbers."""
    fold_rows: IntArray
    """(folds,) training rows; one fold where no rates are asked for."""
    fold_clicks: IntArray
    """(folds,) clicks among them."""
