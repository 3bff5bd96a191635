"""Whether a prepared set is what it says: every file, every length, every split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.atomic import sha256_of
from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared.table import TableField, to_numpy
from shared.splits import SplitCheck
from shared.table import n_rows

if TYPE_CHECKING:
    from shared.prepared.dataset import PreparedSet
    from shared.splits import Split

__all__ = ["check_declared_groups", "check_set_split", "problems_of"]

_STREAM_ROWS = 65_536


def check_declared_groups(prepared: PreparedSet) -> None:
    """Raise InputError where a declared group is a column neither of the index nor of a table."""
    columns = {*prepared.index, *(name for table in _tables(prepared) for name in table.columns)}
    for group in prepared.manifest.groups:
        if group not in columns:
            raise InputError(f"There is no column for the declared group {group!r}.{did_you_mean(group, columns)}")


def check_set_split(prepared: PreparedSet, split: Split, *, through_tables: bool = True) -> None:
    """Raise InputError where a split leaves a value without a side, or cuts a declared group without saying so.

    A split of the index is checked there. One of a table is checked by streaming the columns that matter through it,
    which takes as long as reading them does; not so where `through_tables` is False. Where the set declares no column
    of a table as a group, the table's columns of role "group" count as declared.
    """
    groups = prepared.manifest.groups
    found = split.column in prepared.index
    if found:
        SplitCheck(split, [group for group in groups if group in prepared.index]).see(prepared.index)
    for table in _tables(prepared):
        if split.column in table.columns:
            found = True
            if not through_tables:
                continue
            of_role = [column.name for column in table.schema if column.role == "group"]
            declared = [name for name in table.columns if name in groups] or of_role
            check, watched = SplitCheck(split, declared), list(dict.fromkeys([split.column, *declared]))
            for batch in table.arrow_batches(_STREAM_ROWS, watched):
                check.see(to_numpy(batch.group_by(watched, use_threads=False).aggregate([])))  # each pair once
    if not found:
        raise InputError(
            f"Split {split.name!r} deals the column {split.column!r}, which the set does not have."
            f"{did_you_mean(split.column, prepared.index)}"
        )


def problems_of(prepared: PreparedSet) -> Iterator[str]:
    """Everything that is wrong with a set, in sentences."""
    yield from _statements(prepared)
    damaged = list(_files(prepared))
    yield from damaged
    if damaged:
        return  # what lies in a damaged file would only repeat it in other words
    try:
        check_declared_groups(prepared)
        yield from _items(prepared)
    except InputError as error:
        yield str(error)
    for name in prepared.splits:
        try:
            check_set_split(prepared, prepared.read_split(name))
        except (InputError, ConfigError) as error:
            yield str(error)


def _statements(prepared: PreparedSet) -> Iterator[str]:
    manifest = prepared.manifest
    for word in ("name", "title", "source", "licence"):
        if not getattr(manifest, word).strip():
            yield f"The set does not state its {word}."
    for spec in manifest.of_kind("array", "ragged"):
        if not spec.unit:
            yield f"Field {spec.name!r} does not state its unit."


def _files(prepared: PreparedSet) -> Iterator[str]:
    for name, expected in prepared.manifest.files.items():
        if sha256_of(prepared.folder / name) != expected:
            yield f"{name} has changed since the set was prepared (SHA-256)."
    present = {path.relative_to(prepared.folder).as_posix() for path in prepared.folder.glob("tables/*/part-*.parquet")}
    for name in sorted(present - prepared.manifest.files.keys()):
        yield f"{name} is not part of the set: it is not listed in its manifest."


def _items(prepared: PreparedSet) -> Iterator[str]:
    manifest = prepared.manifest
    if prepared.index and n_rows(prepared.index) != manifest.n_items:
        yield f"The index has {n_rows(prepared.index)} rows, the manifest says {manifest.n_items}."
        return
    for spec in manifest.of_kind("array", "ragged", "file"):
        try:
            yield from prepared.reader(spec.name).problems()
        except InputError as error:
            yield str(error)
    for table in _tables(prepared):
        for _ in table.batches(_STREAM_ROWS, table.columns[:1]):
            pass  # reading is the check: a damaged shard raises


def _tables(prepared: PreparedSet) -> list[TableField]:
    return [prepared.table(spec.name) for spec in prepared.manifest.of_kind("table")]
