"""What holds of every answer: how two are compared, and what a sound one looks like."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from shared.golden import largest_difference
from shared.result import Result

__all__ = ["assert_alike", "assert_sound", "unchanged"]


def assert_alike(one: Result, other: Result, tolerance: float) -> None:
    """Numbers agree within the tolerance, everything else exactly."""
    assert type(one) is type(other)
    for field in dataclasses.fields(one):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, float | np.ndarray):
            gap = largest_difference([np.asarray(first)], [np.asarray(second)])
            assert gap <= tolerance, f"{field.name} differs by {gap:.2g}"
        else:
            assert first == second, field.name


def assert_sound(result: Result, classes: tuple[str, ...]) -> None:
    """Status and reason go together, all numbers are finite, arrays are read-only, and JSON can hold it."""
    assert result.status in ("ok", "undecided")
    assert (result.reason is None) == (result.status == "ok")
    assert result.reason is None or result.reason.strip()
    assert result.model
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable, field.name
        if isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind in "fc"):
            assert np.isfinite(value).all(), f"{field.name} is not finite: {value}"
    if hasattr(result, "probabilities"):
        assert result.probabilities.shape == (len(classes),)
        assert result.probabilities.dtype == np.float32
    json.dumps(result.to_dict(), allow_nan=False)


@contextlib.contextmanager
def unchanged(item: Any) -> Iterator[None]:
    """A block after which an input is as it was before, to the last bit."""
    kept = isinstance(item, list | Mapping) or (isinstance(item, np.ndarray) and item.dtype != object)
    before = copy.deepcopy(item) if kept else None
    yield
    if isinstance(item, np.ndarray) and kept:
        assert item.tobytes() == before.tobytes()
    elif kept:
        assert item == before
