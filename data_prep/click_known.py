"""The well-known click logs, recognised by their columns, and a schema suggested for any other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import get_args

import pyarrow as pa
import yaml

from data_prep.click_schema import ClickSchema, kind_of
from shared.errors import InputError
from shared.prepared.column import ColumnKind, ColumnRole

__all__ = ["headerless_names", "recognise", "suggest"]

_FOLDER = Path(__file__).parent / "click_schemas"


@cache
def _known() -> Mapping[str, ClickSchema]:
    return {path.stem: ClickSchema.read(path) for path in sorted(_FOLDER.glob("*.yaml"))}


def headerless_names(first_line: str, columns: int) -> tuple[str, ...]:
    """Column names of a well-known log without header; empty where the first line is not of one."""
    for schema in _known().values():
        if schema.first_line and columns == len(schema.names) and re.match(schema.first_line, first_line):
            return schema.names
    return ()


def recognise(head: pa.Table) -> ClickSchema:
    """The schema of a well-known log.

    Args:
        head: its first rows.

    Raises:
        InputError: the columns are of none; the message holds a schema to begin with.
    """
    fitting = [schema for schema in _known().values() if schema.fits(head.column_names)]
    if not fitting:
        raise InputError(
            f"These columns are of no log known here ({', '.join(_known())}). Write what they are into a file, such as "
            f"schema.yaml, and name it with --schema schema.yaml. To begin with, look through this guess (roles: "
            f"{', '.join(get_args(ColumnRole))}; kinds: {', '.join(get_args(ColumnKind))}): {suggest(head)}"
        )
    return max(fitting, key=lambda schema: len(schema.columns_for(head.schema)))


_GUESSES: tuple[tuple[str, ColumnRole], ...] = (
    (r"(is_?)?cli?c?k(ed)?|label|target", "label"),
    (r"(event_?)?(time|timestamp|time_stamp|datetime|date|ts)", "time"),
    (r".*weight", "weight"),
    (r"(pay|paying|bid|bidding|winning?|clearing)_?price|.*conver(t|sion).*|click_?id", "leak"),
    (r"(bid|request|impression|imp|session|row|event)?_?id|index|unnamed.*", "key"),
    (r"(advertiser|campaign|account)(_?id)?", "group"),
    (r".*user.*|device_?id|cookie.*|uid", "user"),
    (r".*(item|creative|product|sku).*|ad(_?group)?(_?id)?", "item"),
)
"""Names as logs use them, and what they usually are."""


def suggest(head: pa.Table) -> str:
    """A schema to begin with, as YAML in one line, from the names and types of the first rows."""
    columns: dict[str, dict[str, str]] = {}
    taken: set[str] = set()
    for field in head.schema:
        roles = [role for pattern, role in _GUESSES if re.fullmatch(pattern, field.name.lower())]
        role = next((role for role in roles if role not in taken), "context")
        taken |= {role} & {"label", "time", "weight"}
        columns[field.name] = {"kind": kind_of(role, field.type), "role": role}
    return yaml.safe_dump({"columns": columns}, default_flow_style=True, width=10**9, sort_keys=False).strip()
