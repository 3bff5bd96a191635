"""Columns that would give the answer away: known only after the decision to show, or made from the click."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import ConfigError
from shared.prepared import Column

__all__ = ["known_leaks", "refuse_leaks"]

_AUCTION = "is known only after the auction"
_DECISION = "is the logger's own decision, made from its own prediction"
_ROW = "names one impression"
_OUTCOME = "happens after the click"

KNOWN_LEAKS = {
    "payprice": _AUCTION,
    "payingprice": _AUCTION,
    "bidprice": _DECISION,
    "biddingprice": _DECISION,
    "bidid": _ROW,
    "clickid": _ROW,
    "conversion": _OUTCOME,
}
"""Names as they occur in public logs, lower case and without underscores, and why they are no features."""


def _reason(column: Column) -> str | None:
    """Why a column is no feature; None where it may be one."""
    by_role = "has the role leak: it is known only after the decision" if column.role == "leak" else None
    return KNOWN_LEAKS.get(column.name.lower().replace("_", ""), by_role)


def known_leaks(schema: Sequence[Column]) -> tuple[str, ...]:
    """The columns with the role leak and those whose name is known for a leak, whatever their role."""
    return tuple(column.name for column in schema if _reason(column) is not None)


def refuse_leaks(columns: Sequence[Column], forced: Sequence[str]) -> None:
    """Raise ConfigError where one of the columns to learn from is a leak that was not forced."""
    for column in columns:
        reason = _reason(column)
        if reason is not None and column.name not in forced:
            raise ConfigError(
                f"Column {column.name!r} cannot be a feature: it {reason}. Give it the role leak or key in the schema "
                f"or leave it out (--features.exclude), or learn from it all the same (--features.forced)."
            )
