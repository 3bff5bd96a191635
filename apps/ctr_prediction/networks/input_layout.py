"""What a network must know of an encoded row: how many ids, which rows of the tables, what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass

from apps.ctr_prediction.features.fields import Combine
from shared.errors import ConfigError

__all__ = ["InputLayout"]


@dataclass(frozen=True, kw_only=True)
class InputLayout:
    """The shape of an encoded row; plain numbers, so that a card can hold it and `InputLayout(**...)` read it back.

    Ids are row numbers of one table for all fields. Row 0 is the padding of bags and stays zero.
    """

    n_rows: int
    """Rows of the tables, the padding included."""
    columns: tuple[tuple[int, Combine], ...]
    """For each id column the field it belongs to, counted from 0, and how it joins the field's first column."""
    unseen_rows: tuple[int, ...]
    """For each id column the row of a value that the training did not know."""
    group_columns: tuple[int, ...] = ()
    """Id columns that name the campaign, or give it away; they are hidden together (`group_dropout`)."""
    n_bags: int = 0
    """Fields of several ids each, such as tags."""
    n_dense: int = 0
    """Numbers beside the ids."""

    def __post_init__(self) -> None:
        fields = [field for field, _ in self.columns]
        if sorted(set(fields)) != list(range(self.n_fields)) or any(fields.count(field) > 2 for field in fields):
            raise ConfigError(
                f"The id columns must belong to fields 0, 1, ... without a gap, one or two to a field; found {fields}."
            )
        if len(self.unseen_rows) != len(self.columns) or not all(0 < row < self.n_rows for row in self.unseen_rows):
            raise ConfigError(
                f"Each of the {len(self.columns)} id columns needs an unseen row from 1 to {self.n_rows - 1}; found "
                f"{list(self.unseen_rows)}."
            )
        if not all(0 <= column < len(self.columns) for column in self.group_columns):
            raise ConfigError(
                f"group_columns must be from 0 to {len(self.columns) - 1}; found {list(self.group_columns)}."
            )
        if not self.columns and not self.n_bags:
            raise ConfigError("A network needs an id column or a bag; the row has neither.")

    @property
    def n_fields(self) -> int:
        """Fields of one id, however many columns encode it."""
        return len({field for field, _ in self.columns})

    @property
    def n_vectors(self) -> int:
        """Embedding vectors of a row: one for each field and one for each bag."""
        return self.n_fields + self.n_bags

    def width(self, dim: int) -> int:
        """Length of x0, the vectors of `dim` numbers and the dense inputs side by side."""
        return self.n_vectors * dim + self.n_dense
