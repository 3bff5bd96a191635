"""What the predictor answers with: one impression, or many as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.errors import InputError
from shared.result import Result

__all__ = ["ClickResult", "ClickResults"]

NOTHING_KNOWN = "unlike training: no feature has a value that the training rows had"
"""Why an answer is undecided; its number is what the network says of nothing."""
ANSWERS = ("probability", "sampled_probability", "status", "unseen")
"""Columns of `ClickResults.to_arrow` behind the keys."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClickResult(Result):
    """Click probability of one impression."""

    probability: float
    """Calibrated probability of a click in the world: the down-sampling of the training rows is undone."""
    sampled_probability: float
    """The same among rows sampled as the training rows were."""
    unseen: tuple[str, ...] = ()
    """Features whose value the training rows never had."""


@dataclass(frozen=True, eq=False)
class ClickResults(Sequence[ClickResult]):
    """Click probabilities of many impressions, column by column; item by item a `ClickResult`."""

    model: str
    """Which model answered."""
    probability: FloatArray
    """(rows,) as in `ClickResult`."""
    sampled_probability: FloatArray
    """(rows,)"""
    unseen: npt.NDArray[np.bool_]
    """(rows, features) whether the training rows never had the value."""
    features: tuple[str, ...]
    """Names of the columns of `unseen`."""
    nothing_known: npt.NDArray[np.bool_]
    """(rows,) whether no feature has a value that the training rows had; such an answer is undecided."""
    keys: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)
    """Columns of the rows that name them, as they came."""

    def __post_init__(self) -> None:
        for name in ("probability", "sampled_probability", "unseen", "nothing_known"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.probability)

    @overload
    def __getitem__(self, index: int) -> ClickResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[ClickResult]: ...
    def __getitem__(self, index: int | slice) -> ClickResult | list[ClickResult]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        probability = float(self.probability[index])  # IndexError ends an iteration
        undecided = bool(self.nothing_known[index])
        return ClickResult(
            status="undecided" if undecided else "ok",
            reason=NOTHING_KNOWN if undecided else None,
            model=self.model,
            probability=probability,
            sampled_probability=float(self.sampled_probability[index]),
            unseen=tuple(name for name, new in zip(self.features, self.unseen[index], strict=True) if new),
        )

    def __iter__(self) -> Iterator[ClickResult]:
        return (self[place] for place in range(len(self)))

    def to_arrow(self) -> pa.Table:
        """The keys, then `ANSWERS`, `unseen` as a list of names. Raises InputError where a key has such a name."""
        for name in self.keys:
            if name in ANSWERS:
                raise InputError(f"The key {name!r} has the name of a column of the answers: rename it in the rows.")
        ends = np.concatenate([[0], np.cumsum(self.unseen.sum(axis=1))]).astype(np.int32)
        names = pa.array(self.features, pa.string()).take(pa.array(np.nonzero(self.unseen)[1]))
        return pa.table(
            {
                **self.keys,
                "probability": self.probability,
                "sampled_probability": self.sampled_probability,
                "status": pa.array(["ok", "undecided"]).take(pa.array(self.nothing_known.astype(np.int8))),
                "unseen": pa.ListArray.from_arrays(pa.array(ends), names),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """The columns as plain lists."""
        return self.to_arrow().to_pydict()
