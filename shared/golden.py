"""Golden outputs: what a model answered when it was saved, kept to prove that it still does.

golden.npz holds the inputs and outputs of the network ("input.0", "output.0" ...), the answers of `predict` on the
app's own examples as JSON text, and the tolerance. It is made with the weights as they were stored and loaded again.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shared.atomic import atomic_path
from shared.errors import CheckpointError

__all__ = ["Golden", "largest_difference"]


@dataclass(frozen=True)
class Golden:
    """Recorded inputs, outputs and answers of one model."""

    inputs: tuple[Tensor, ...]
    """What the network was given."""
    outputs: tuple[Tensor, ...]
    """What the network answered."""
    answers: Sequence[Any]
    """Results of `predict` as plain JSON; empty where the app gives no examples."""
    tolerance: float
    """Largest absolute difference that another machine may show."""

    def write(self, path: Path) -> None:
        """Write golden.npz atomically; the same record gives the same bytes."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            **{f"input.{i}": tensor.numpy() for i, tensor in enumerate(self.inputs)},
            **{f"output.{i}": tensor.numpy() for i, tensor in enumerate(self.outputs)},
            "answers": np.array(json.dumps(self.answers, allow_nan=False)),
            "tolerance": np.array(self.tolerance),
        }
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> Golden:
        """Read golden.npz. Raises CheckpointError when it is absent or damaged."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(
                    inputs=_numbered(arrays, "input"),
                    outputs=_numbered(arrays, "output"),
                    answers=json.loads(str(arrays["answers"])),
                    tolerance=float(arrays["tolerance"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{path} is no readable record of golden outputs: {error}.") from error

    def difference(self, outputs: Sequence[Tensor], answers: Sequence[Any]) -> float:
        """The largest absolute difference of outputs and answers to those recorded; infinite where shapes differ."""
        return max(
            largest_difference([tensor.numpy() for tensor in self.outputs], [tensor.numpy() for tensor in outputs]),
            _json_difference(self.answers, answers),
        )


def largest_difference(expected: Sequence[npt.NDArray[Any]], found: Sequence[npt.NDArray[Any]]) -> float:
    """The largest absolute difference between two lists of arrays.

    NaN and infinity agree with themselves only; infinite where number or shapes differ.
    """
    if [array.shape for array in expected] != [array.shape for array in found]:
        return float("inf")
    largest = 0.0
    for one, other in zip(expected, found, strict=True):
        with np.errstate(invalid="ignore"):  # infinity minus infinity; such places are compared as equal below
            gap = np.abs(one.astype(np.float64) - other.astype(np.float64))
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        largest = max(largest, float(np.where(same, 0.0, np.nan_to_num(gap, nan=np.inf)).max(initial=0.0)))
    return largest


def _numbered(arrays: Any, name: str) -> tuple[Tensor, ...]:
    count = sum(key.startswith(f"{name}.") for key in arrays.files)
    return tuple(torch.from_numpy(arrays[f"{name}.{i}"]) for i in range(count))


def _json_difference(expected: Any, found: Any) -> float:
    """Numbers by their distance, containers member by member, everything else equal (0) or not (infinity)."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return max((_json_difference(expected[key], found[key]) for key in expected), default=0.0)
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return max((_json_difference(*pair) for pair in zip(expected, found, strict=True)), default=0.0)
    numbers = (int, float)
    if isinstance(expected, numbers) and isinstance(found, numbers):
        return float(abs(expected - found))
    return 0.0 if expected == found else float("inf")
