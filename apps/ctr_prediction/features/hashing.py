"""Hashing of text, the same on every machine and in every process, and ids made of hashes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.feature_config import Encoding
from apps.ctr_prediction.features.fields import Combine

__all__ = ["Coder", "HashedIds", "stable_hash"]

IntArray = npt.NDArray[np.int64]
HashArray = npt.NDArray[np.uint64]

GOLDEN = 0x9E3779B97F4A7C15
"""2 ** 64 over the golden ratio: its multiples are spread evenly."""
MISSING = np.uint64(0x6D697373696E6721)
"""The hash of a missing value."""
WORD = 8
"""Bytes that are mixed in at a time."""


def _mix(h: HashArray) -> HashArray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every bit of the input moves every bit."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def stable_hash(values: pa.LargeStringArray, seed: int = 0) -> HashArray:
    """A 64-bit hash of each text's UTF-8 bytes, eight at a time; missing values have one of their own.

    Args:
        values: (n,) text.
        seed: hashes of different seeds have nothing to do with each other.
    """
    if not len(values):
        return np.empty(0, np.uint64)
    offsets = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    start, length = offsets[:-1] - offsets[0], np.diff(offsets)
    words = _words(values, int(offsets[0]), int(offsets[-1]))
    start_hash = np.uint64(seed * GOLDEN % 2**64)
    h = _mix(length.astype(np.uint64) + start_hash)
    done, rows = 0, np.flatnonzero(length > 0)
    while len(rows):
        word = words[start[rows] + done]
        unused = 8 * (WORD - np.minimum(length[rows] - done, WORD)).astype(np.uint64)
        h[rows] = _mix(h[rows] ^ (word << unused)) * np.uint64(GOLDEN)
        done += WORD
        rows = rows[length[rows] > done]
    missing = pc.is_null(values).to_numpy(zero_copy_only=False)
    h[missing] = _mix(np.full(missing.sum(), MISSING ^ start_hash))
    return h


def _words(values: pa.LargeStringArray, first: int, last: int) -> HashArray:
    """The eight bytes from each position of the text's own bytes on, little-endian; zeros behind the end."""
    data = np.zeros(last - first + WORD, np.uint8)
    if last > first:
        data[: last - first] = np.frombuffer(values.buffers()[2], np.uint8)[first:last]
    return np.ndarray((last - first + 1,), "<u8", data, strides=(1,))


class Coder(Protocol):
    """How the values of a field become row numbers within the field."""

    n_slots: int
    """Places in the field's counts; 0 is for values without one."""
    size: int
    """Rows of the field."""
    columns: int
    """Row numbers that each value has."""
    combine: Combine

    def locate(self, values: pa.LargeStringArray) -> tuple[IntArray, IntArray]:
        """Find values.

        Returns:
            (values,) place of each in the field's counts, and (values, columns) row numbers from 0, of which the first
            in each column's part is for unseen values.
        """


class HashedIds:
    """Ids without a vocabulary: values that fall into one bucket share their rows.

    hash: one of `buckets` rows (Weinberger et al., ICML 2009). multihash: two hashes, each with half of the rows, whose
    embeddings are added: two values rarely share both (Svenstrup et al., NeurIPS 2017). quotient_remainder: a hash
    below (buckets / 2) ** 2, whose quotient and remainder by buckets / 2 have half of the rows each and whose
    embeddings are multiplied (Shi et al., KDD 2020).

    The row in front of each part is for values declared unseen; a value never met in training has the rows of its
    hash, so that online learning can fill them.
    """

    def __init__(self, encoding: Encoding, buckets: int) -> None:
        self._encoding = encoding
        self.columns = 1 if encoding == "hash" else 2
        self.combine: Combine = "product" if encoding == "quotient_remainder" else "sum"
        self._part = 1 + buckets // self.columns
        self.size = self.columns * self._part
        self.n_slots = 1 + buckets

    def locate(self, values: pa.LargeStringArray) -> tuple[IntArray, IntArray]:
        """The counts are kept by one hash, whatever the rows are made of."""
        h = stable_hash(values)
        slots = 1 + _remainder(h, self.n_slots - 1)
        if self._encoding == "hash":
            return slots, slots[:, None]
        half = self._part - 1
        if self._encoding == "multihash":
            first, second = _remainder(h, half), _remainder(stable_hash(values, seed=1), half)
        else:
            first, second = np.divmod(_remainder(h, half * half), half)
        return slots, np.stack([1 + first, 1 + self._part + second], axis=1)


def _remainder(h: HashArray, n: int) -> IntArray:
    return (h % np.uint64(n)).astype(np.int64)
