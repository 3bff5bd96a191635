"""Schema files: what the columns of a click log are, and which column of the prepared table each becomes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self, cast, get_args

import pyarrow as pa
import yaml

from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared import Column
from shared.prepared.column import ColumnKind, ColumnRole

__all__ = ["MADE", "ClickSchema", "ColumnRule", "kind_of"]

MADE = ("row", "block", "day", "hour_of_day")
"""Names of the columns that preparation adds."""
_KIND_OF_ROLE: dict[str, ColumnKind] = {"label": "integer", "time": "time", "weight": "number"}
_IDENTIFIERS = ("group", "user", "item", "key")
"""Roles whose numbers are names, not quantities."""


@dataclass(frozen=True)
class ColumnRule:
    """One entry under `columns`."""

    column: Column
    inferred: bool
    """Whether the kind is to be taken from the data."""
    optional: bool
    """Whether a log may lack it; of entries with one name the first that the log has is taken."""

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Self:
        """An entry as YAML holds it. Raises ConfigError that names the key or value that is wrong."""
        name = str(entry.get("name"))
        known = {"from" if field.name == "source" else field.name for field in fields(Column)} | {"optional"}
        for key in entry:
            if key not in known:
                raise ConfigError(f"Column {name!r} of the schema has the key {key!r}.{did_you_mean(str(key), known)}")
        for key in ("name", "role"):
            if entry.get(key) is None:
                raise ConfigError(f"Column {name!r} of the schema has no {key}.{_roles() if key == 'role' else ''}")
        if name in MADE:
            raise ConfigError(f"The name {name!r} is given by preparation: write 'name: own_{name}, from: {name}'.")
        role, kind = str(entry["role"]), entry.get("kind")
        if role == "group" and kind not in (None, "category", "integer"):
            raise ConfigError(f"Column {name!r} has the role group and the kind {kind!r}; expected category.")
        source = entry.get("from", ())
        words = {key: str(entry[key]) for key in ("unit", "description", "format", "separator") if key in entry}
        column = Column(
            name,
            _KIND_OF_ROLE.get(role, kind or "category"),
            cast(ColumnRole, role),
            bins=_edges(name, entry.get("bins", ())),
            source=tuple(map(str, source)) if isinstance(source, list) else (str(source),) if source else (),
            **words,
        )
        return cls(column, kind is None and role not in _KIND_OF_ROLE, bool(entry.get("optional", False)))


def _edges(name: str, bins: Any) -> tuple[float, ...]:
    try:
        return tuple(float(edge) for edge in bins)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The bins of column {name!r} are a list of numbers, found {bins!r}.") from error


def _roles() -> str:
    return f" Known: {', '.join(sorted(get_args(ColumnRole)))}."


@dataclass(frozen=True, kw_only=True)
class ClickSchema:
    """A schema file."""

    columns: tuple[ColumnRule, ...]
    names: tuple[str, ...] = ()
    """Names of the file's columns in their order, for a file without a header."""
    first_line: str = ""
    """Regular expression by which a well-known log without header is recognised."""
    title: str = "Click log"
    licence: str = "not stated"
    citation: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The schema in a file. Raises ConfigError that names the file and what is wrong in it."""
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"There is no schema file {path}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        try:
            return cls._parse(found)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    @classmethod
    def _parse(cls, found: Any) -> Self:
        if not isinstance(found, dict) or not found:
            raise ConfigError("A schema begins with 'columns:' and lists a name, a kind and a role for each column.")
        known = [field.name for field in fields(cls)]
        for key in found:
            if key not in known:
                raise ConfigError(f"A schema has no key {key!r}.{did_you_mean(str(key), known)}")
        rules = tuple(map(ColumnRule.parse, _entries(found.get("columns"))))
        _check(rules)
        names = found.get("names", [])
        if not isinstance(names, list):
            raise ConfigError(f"'names' lists the columns of a file without a header, found {names!r}.")
        words = {key: str(found[key]) for key in ("first_line", "title", "licence", "citation") if key in found}
        return cls(columns=rules, names=tuple(map(str, names)), **words)

    def fits(self, columns: Collection[str]) -> bool:
        """Whether a log with these columns has all that is needed."""
        return all(rule.optional or set(rule.column.raw_names) <= {*columns} for rule in self.columns)

    def columns_for(self, raw: pa.Schema) -> list[Column]:
        """The columns of the prepared table, kinds taken from the log where the schema leaves them out.

        Raises:
            InputError: the log lacks a column.
        """
        chosen: dict[str, Column] = {}
        for rule in self.columns:
            absent = [name for name in rule.column.raw_names if name not in raw.names]
            if absent and not rule.optional:
                raise InputError(f"The log has no column {absent[0]!r}.{did_you_mean(absent[0], raw.names)}")
            if not absent and rule.column.name not in chosen:
                kind = kind_of(rule.column.role, raw.field(rule.column.raw_names[0]).type)
                chosen[rule.column.name] = replace(rule.column, kind=kind) if rule.inferred else rule.column
        return list(chosen.values())


def _entries(columns: Any) -> Iterator[dict[str, Any]]:
    """Entries from a list of them, or from a mapping of names to entries or roles."""
    named = [({"name": name}, entry) for name, entry in columns.items()] if isinstance(columns, dict) else None
    listed = [({}, entry) for entry in columns] if isinstance(columns, list) else named
    if not listed:
        raise ConfigError("'columns' lists a name, a kind and a role for each column; found nothing of the kind.")
    for name, entry in listed:
        if isinstance(entry, str) and name:
            entry = {"role": entry}  # "click: label"
        if not isinstance(entry, dict):
            raise ConfigError(f"Found {entry!r} where 'name: ..., kind: ..., role: ...' is expected.")
        yield {**name, **entry}


def _check(rules: Collection[ColumnRule]) -> None:
    names = [rule.column.name for rule in rules if not rule.optional]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Column {name!r} is described twice.")
    for role, least, most in (("label", 1, 1), ("time", 0, 1), ("weight", 0, 1)):
        found = {rule.column.name for rule in rules if rule.column.role == role}
        if not least <= len(found) <= most:
            wanted = "one column" if least else "at most one column"
            raise ConfigError(f"A schema has {wanted} of the role {role!r}; found {sorted(found) or 'none'}.")


def kind_of(role: str, raw: pa.DataType) -> ColumnKind:
    """The kind of a column from its role and the type of its raw values."""
    if role in _KIND_OF_ROLE:
        return _KIND_OF_ROLE[role]
    if pa.types.is_list(raw) or pa.types.is_large_list(raw):
        return "categories"
    if role in _IDENTIFIERS:
        return "category"
    if pa.types.is_timestamp(raw) or pa.types.is_date(raw):
        return "time"
    quantity = pa.types.is_integer(raw) or pa.types.is_floating(raw) or pa.types.is_decimal(raw)
    return "number" if quantity else "category"
