"""What one column of a table is, and how it was read from the rows that users have."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from shared.errors import ConfigError, did_you_mean

__all__ = ["Column", "ColumnKind", "ColumnRole"]

ColumnKind = Literal["integer", "number", "category", "categories", "time"]
ColumnRole = Literal["label", "time", "group", "weight", "user", "item", "context", "key", "leak"]


@dataclass(frozen=True)
class Column:
    """One column of a table. Raises ConfigError for an unknown kind or role."""

    name: str
    kind: ColumnKind
    """integer (int64), number (float64, NaN where missing), category (text, None where missing, or int64 codes),
    categories (a list of them in each row), time (datetime64[us])."""
    role: ColumnRole
    """What it is for: label, time, weight (how many rows of the world a row stands for); group (what splits keep
    apart), user, item, context (the rest of what is known beforehand); key (names the row, is never a feature), leak
    (known only afterwards: kept for reports, no feature)."""
    bins: tuple[float, ...] = ()
    """Ascending edges by which the field's models cut a number into categories; empty: it is used as it is."""
    unit: str = ""
    description: str = ""
    source: tuple[str, ...] = ()
    """Columns of the raw rows that it is read from, where it is not the one of its own name; texts are joined by a
    space ("2013-06-06", "14" -> "2013-06-06 14")."""
    format: str = ""
    """How a time is written in the raw rows: "%Y-%m-%d %H", "seconds" ...; empty: ISO 8601, or a time already."""
    separator: str = ""
    """What stands between the categories of one raw row, where they are text; empty: a comma."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kind", self.kind, get_args(ColumnKind)),
            ("role", self.role, get_args(ColumnRole)),
        ):
            if value not in known:
                raise ConfigError(f"Column {self.name!r} has the {name} {value!r}.{did_you_mean(str(value), known)}")
        if list(self.bins) != sorted(set(self.bins)):
            raise ConfigError(f"The bins of column {self.name!r} must be ascending edges, found {self.bins}.")

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """A column as schema.yaml holds it; raises TypeError and ConfigError for what it does not know."""
        lists: dict[str, Any] = {name: tuple(stored[name]) for name in ("bins", "source") if name in stored}
        return cls(**{**stored, **lists})

    def to_dict(self) -> dict[str, Any]:
        """As schema.yaml holds it: what says nothing is left out."""
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in given.items() if value}

    @property
    def raw_names(self) -> tuple[str, ...]:
        """Names of the raw columns that it is read from."""
        return self.source or (self.name,)
