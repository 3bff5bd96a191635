"""Writing a prepared set: it appears whole, or not at all."""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.atomic import sha256_of, write_json
from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared.appenders import ArrayAppender, FieldAppender, FileAppender, RaggedAppender
from shared.prepared.check import check_declared_groups, check_set_split
from shared.prepared.column import Column
from shared.prepared.dataset import PreparedSet
from shared.prepared.index import IndexAppender
from shared.prepared.manifest import MANIFEST, SPLITS, FieldSpec, Manifest
from shared.prepared.table_writer import ROWS_PER_GROUP, TableWriter
from shared.splits import Split

__all__ = ["PreparedWriter", "refuse_occupied"]

_APPENDERS: Mapping[str, Callable[[Path, FieldSpec], FieldAppender]] = {
    "array": ArrayAppender,
    "ragged": RaggedAppender,
    "file": FileAppender,
}


def refuse_occupied(folder: Path) -> None:
    """Raise ConfigError unless `folder` can become a prepared set: it must not exist yet, or be empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is already there and not empty: choose another folder, or remove it.")


class PreparedWriter:
    """Writes a prepared set item by item; use it in a `with` block.

    All is written to a hidden folder beside the target, which is renamed when the block ends. An error in the block
    removes it; a killed process leaves it (`.NAME.partial-...`), and nothing under the target's name. Nobody reads what
    is left and the next writer does not mind it: remove it by hand when no process writes there, for a long-running
    one looks the same. Memory does not grow with the items; the index alone is read once at the end, to check the
    splits.

    Args:
        folder: to create.
        name: short name of the data set.
        title: what it is, in one line.
        source: where the raw data come from.
        licence: SPDX name, or the terms in words.
        citation: to be cited by who uses the data.
        groups: columns (a patient, a speaker) that no split may cut in silence.
        synthetic: whether the data are made up; every report then says so.
        created_by: the module that calls.

    Raises:
        ConfigError: the folder is occupied; name, title, source or licence is empty.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        title: str,
        source: str,
        licence: str,
        citation: str = "",
        groups: Sequence[str] = (),
        synthetic: bool = False,
        created_by: str = "",
    ) -> None:
        self.folder = Path(folder)
        refuse_occupied(self.folder)
        for word, value in (("name", name), ("title", title), ("source", source), ("licence", licence)):
            if not value.strip():
                raise ConfigError(
                    f"A prepared set must state its {word}: who reads it later has nothing else to go by."
                )
        self._manifest = Manifest(
            name=name, title=title, source=source, licence=licence, citation=citation, groups=tuple(groups),
            synthetic=synthetic, fields=(), files={}, n_items=0, created_by=created_by,
        )  # fmt: skip
        self._partial = self.folder.with_name(f".{self.folder.name}.partial-{uuid.uuid4().hex[:8]}")
        self._specs: dict[str, FieldSpec] = {}
        self._fields: dict[str, FieldAppender] = {}
        self._tables: dict[str, TableWriter] = {}
        self._splits: dict[str, Split] = {}

    def __enter__(self) -> Self:
        self._partial.mkdir(parents=True)
        self._index = IndexAppender(self._partial)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def declare(self, spec: FieldSpec) -> None:
        """Announce a field of the items, before the first one is added.

        Raises ConfigError where it is declared twice or too late, its unit is missing, or it is a table.
        """
        if spec.kind == "table":
            raise ConfigError(f"Field {spec.name!r}: a table is not declared, `table(name, schema)` makes it.")
        if spec.kind != "file" and not spec.unit:
            raise ConfigError(
                f"Field {spec.name!r} must state its unit; '1' for counts, labels and other pure numbers."
            )
        if self._index.n_rows:
            raise ConfigError(f"Field {spec.name!r} is declared after the first item: declare all fields first.")
        self._claim(spec)
        self._fields[spec.name] = _APPENDERS[spec.kind](self._partial, spec)

    def _claim(self, spec: FieldSpec) -> None:
        if spec.name in self._specs:
            raise ConfigError(f"Field {spec.name!r} is declared twice.")
        self._specs[spec.name] = spec

    def add(self, fields: Mapping[str, Any], /, **columns: str | float | bool | None) -> int:
        """Add one item.

        Args:
            fields: a value for every declared field: an array, or the path of a file, which is copied.
            columns: its row of the index; every item has the same columns.

        Returns:
            Its row number.

        Raises:
            InputError: the item is not what was declared; then nothing of it is kept.
        """
        for name in fields.keys() ^ self._fields.keys():
            lacks = f"lacks the field {name!r}" if name in self._fields else f"has an undeclared field {name!r}"
            raise InputError(f"Item {self._index.n_rows} {lacks}.{did_you_mean(name, self._fields)}")
        checked = {name: appender.check(fields[name]) for name, appender in self._fields.items()}
        self._index.check(columns)
        files: dict[str, str] = {}
        for name, appender in self._fields.items():
            files |= appender.append(checked[name])
        self._index.append(columns, files)
        return self._index.n_rows - 1

    def add_split(self, split: Split) -> None:
        """Add a named split, checked against the items when the block ends. Raises ConfigError for a name twice."""
        if split.name in self._splits:
            raise ConfigError(f"There is already a split {split.name!r}.")
        self._splits[split.name] = split

    def table(
        self, name: str, schema: Sequence[Column], *, description: str = "", rows_per_group: int = ROWS_PER_GROUP
    ) -> TableWriter:
        """A table of rows of its own, to be filled with `write(pyarrow.Table)` until the block ends.

        Args:
            name: of the field.
            schema: its columns.
            description: what one row is.
            rows_per_group: rows that are read at once and dealt to one process.
        """
        self._claim(FieldSpec(name, "table", description=description))
        self._tables[name] = TableWriter(self._partial / "tables" / name, schema, rows_per_group)
        return self._tables[name]

    def _finish(self) -> None:
        if not self._index.n_rows and not self._tables:
            raise InputError(f"Nothing was added to {self.folder}: a prepared set needs items or a table.")
        for field in self._fields.values():
            field.close()
        for table in self._tables.values():
            table.close()
        self._index.close()
        for split in self._splits.values():
            split.write(self._partial / SPLITS)
        files = {
            path.relative_to(self._partial).as_posix(): _sealed(path)
            for path in sorted(self._partial.rglob("*"))
            if path.is_file() and not path.is_relative_to(self._partial / "files")
        }
        manifest = dataclasses.replace(
            self._manifest, fields=tuple(self._specs.values()), files=files, n_items=self._index.n_rows
        )
        write_json(self._partial / MANIFEST, manifest.to_dict())
        written = PreparedSet(self._partial)
        check_declared_groups(written)
        for split in self._splits.values():
            check_set_split(written, split)
        if self.folder.exists():
            self.folder.rmdir()  # empty, or it would have been refused
        self._partial.rename(self.folder)


def _sealed(path: Path) -> str:
    """The SHA-256 of a file after its content has reached the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return sha256_of(path)
