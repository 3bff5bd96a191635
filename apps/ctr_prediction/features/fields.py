"""The fields of an encoded row: one for each feature column, with its place in the tables of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.prepared import Column

__all__ = ["Combine", "Field", "FieldKind", "kind_of"]

FieldKind = Literal["id", "bag", "number"]
Combine = Literal["sum", "product"]
"""How the embeddings of a field's id columns join to one."""

NAMING_ROLES = ("group", "item", "user")
"""A number in such a column names something; its size means nothing."""


@dataclass(frozen=True)
class Field:
    """One feature of an encoded row."""

    name: str
    column: Column
    """What it is read from."""
    kind: FieldKind
    """id: one value, as one or two row numbers; bag: any number of row numbers; number: dense inputs."""
    first: int = 0
    """The first of its rows in the tables, which stands for unseen values; of a number 0."""
    size: int = 0
    """How many rows are its own, those for unseen values among them; of a number 0."""
    columns: int = 0
    """Id columns; each has an equal part of the rows, beginning with one for unseen values."""
    combine: Combine = "sum"

    @property
    def unseen_rows(self) -> tuple[int, ...]:
        """For each id column the row that stands for unseen values; of a bag the one row."""
        parts = {"id": self.columns, "bag": 1, "number": 0}[self.kind]
        return tuple(self.first + part * (self.size // parts) for part in range(parts))


def kind_of(column: Column) -> FieldKind:
    """What a column becomes: numbers without bins stay numbers, lists become bags, everything else an id."""
    if column.kind == "categories":
        return "bag"
    if column.kind in ("integer", "number") and not column.bins and column.role not in NAMING_ROLES:
        return "number"
    return "id"
