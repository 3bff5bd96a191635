"""What every predictor answers with: a frozen record that says whether it stands by its numbers, and why not."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

__all__ = ["Result", "Status"]

Status = Literal["ok", "undecided"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Base of every app's result; a subclass adds its fields and is decorated `@dataclass(frozen=True, eq=False)`.

    Arrays become read-only views: an answer cannot be changed by accident, and the giver's own array stays as it was.
    Numeric fields are filled and finite also when the status is "undecided": the best guess, not to be acted upon.

    Raises:
        ValueError: when status and reason contradict each other.
    """

    status: Status = "ok"
    """"ok", or "undecided" where the input gives no ground for an answer."""
    reason: str | None = None
    """Why it is undecided, one of the app's fixed phrases; None when the status is "ok"."""
    model: str
    """Which model answered, as `Card.label` names it."""

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.reason is None):
            raise ValueError(f"Status {self.status!r} and reason {self.reason!r} contradict each other.")
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                view = value.view()
                view.flags.writeable = False
                object.__setattr__(self, item.name, view)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain Python that `json.dumps(..., allow_nan=False)` takes.

        Arrays and tuples become lists, NumPy scalars Python numbers, NaN and infinity None, paths text. A result with
        dense arrays overrides this to leave them out.
        """
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
