"""Blocks: the parts of a click log that no split may cut, named in a column, and counted while the rows go by."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import InputError
from shared.formats.log_times import days, hours_of_day
from shared.prepared import Column

__all__ = ["Block", "Blocks", "Cut", "cuts_for"]

Cut = Literal["day", "hour", "group", "user", "row"]
"""What a block is: a day (or hour) of a group, a group, one part of the users, one part of the rows."""

IntArray = npt.NDArray[np.int64]

_PARTS = 1000
"""Parts that users or rows are dealt to."""
_MOST_BLOCKS = 100_000
"""Blocks are held in memory and stand in every split: more of them are a column that is no group."""

_ROW = Column("row", "integer", "key", description="number of the row in the log")
_BLOCK = Column("block", "category", "group", description="what no split cuts")
_DAY = Column("day", "category", "group", description="of the time, UTC where the log has zones")
_HOUR = Column("hour_of_day", "category", "context", description="00 to 23")


def cuts_for(columns: Sequence[Column]) -> list[Cut]:
    """The ways to cut a log into blocks, the best one first; the next is for a log that the one before leaves whole."""
    roles = {column.role for column in columns}
    possible: dict[Cut, bool] = {
        "day": "time" in roles,
        "hour": "time" in roles,
        "group": "group" in roles and "time" not in roles,
        "user": _user(columns) is not None,
        "row": True,
    }
    return [cut for cut, is_possible in possible.items() if is_possible]


def _user(columns: Sequence[Column]) -> str | None:
    """The first column that names users."""
    return next((column.name for column in columns if column.role == "user" and column.kind == "category"), None)


@dataclass
class Block:
    """One block."""

    group: tuple[str, ...]
    """Values of the group columns."""
    period: str
    """Its day or hour; empty where it is no period."""
    rows: int = 0


class Blocks:
    """Names the block of each row, and remembers the blocks.

    Args:
        columns: of the log.
        cut: what a block is.
    """

    def __init__(self, columns: Sequence[Column], cut: Cut) -> None:
        self.cut = cut
        self.groups = tuple(column.name for column in columns if column.role == "group")
        """Names of the group columns."""
        self.seen: dict[str, Block] = {}
        """Name of the block -> block."""
        self.n_rows = 0
        self._time = next((column.name for column in columns if column.role == "time"), None)
        self._user = _user(columns)
        self.columns = [*columns, _ROW, _BLOCK, *([_DAY, _HOUR] if self._time else [])]
        """Those of the table that `add` gives."""

    def add(self, table: pa.Table) -> pa.Table:
        """The next rows with the columns row, block and, where there is a time, day and hour_of_day.

        Raises:
            InputError: there are too many blocks.
        """
        rows = np.arange(self.n_rows, self.n_rows + len(table))
        made = {"row": pa.array(rows)}
        if self._time:
            times = table[self._time].combine_chunks()
            made |= {"day": days(times), "hour_of_day": hours_of_day(times)}
        groups = [table[name].cast(pa.string()).combine_chunks() for name in self.groups]
        period = self._period(table, made, rows)
        parts = [*groups, period] if self.cut in ("day", "hour") else groups if self.cut == "group" else [period]
        made["block"] = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")
        self._remember(made["block"], groups, period)
        self.n_rows += len(table)
        for column in self.columns[len(table.column_names) :]:
            table = table.append_column(column.name, made[column.name])
        return table

    def _period(self, table: pa.Table, made: dict[str, pa.Array], rows: IntArray) -> pa.Array:
        """What stands in the block's name beside the group."""
        if self.cut == "day":
            return made["day"]
        if self.cut == "hour":
            return pc.binary_join_element_wise(made["day"], made["hour_of_day"], " ")
        if self.cut == "user":
            return _user_parts(table[self._user])
        if self.cut == "row":
            return pa.array([f"row {part:03d}" for part in range(_PARTS)]).take(pa.array(rows % _PARTS))
        return pa.array([""] * len(table))

    def _remember(self, blocks: pa.Array, groups: Sequence[pa.Array], period: pa.Array) -> None:
        names = [str(place) for place in range(2 + len(groups))]
        keys = pa.table([blocks, period, *groups], names=names)
        counted = keys.group_by(names, use_threads=False).aggregate([([], "count_all")])
        for *key, count in zip(*(counted[name].to_pylist() for name in [*names, "count_all"]), strict=True):
            block = self.seen.setdefault(key[0], Block(tuple(key[2:]), key[1] if self.cut in ("day", "hour") else ""))
            block.rows += count
        if len(self.seen) > _MOST_BLOCKS:
            raise InputError(
                f"{' and '.join(map(repr, self.groups))} cut the log into over {_MOST_BLOCKS:,} blocks: give a column "
                "that names single users, items or pages the role user, item or context instead of group."
            )


def _user_parts(users: pa.ChunkedArray) -> pa.Array:
    """The part of each user, as text: by a checksum of its name, so that it is the same in every log."""
    coded = pc.fill_null(users, "missing").combine_chunks().dictionary_encode()
    parts = [f"user {zlib.crc32(name.encode()) % _PARTS:03d}" for name in coded.dictionary.to_pylist()]
    return pa.array(parts, pa.string()).take(coded.indices)
