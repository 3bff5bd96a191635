"""Reading a prepared set: opened in a moment, items as slices of memory-mapped files."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from shared.errors import ConfigError, InputError, did_you_mean
from shared.prepared.check import check_set_split, problems_of
from shared.prepared.fields import ArrayReader, FieldReader, FileReader, RaggedReader
from shared.prepared.manifest import INDEX, SPLITS, FieldSpec, read_manifest
from shared.prepared.table import TableField
from shared.splits import Split
from shared.table import Table, read_table

__all__ = ["PreparedSet"]


class PreparedSet:
    """A prepared set on disk. Pickles as its folder, so that workers of a DataLoader open it for themselves.

    Args:
        folder: as `PreparedWriter` made it.

    Raises:
        InputError: it is no prepared set, was written by newer software, or a file is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest, self.manifest_hash = read_manifest(self.folder)
        """What the set says about itself, and the SHA-256 of dataset.json, which stands for the whole set."""
        for name in self.manifest.files:
            if not (self.folder / name).is_file():
                raise InputError(f"{self.folder} lacks {name}: copy the whole folder, or prepare the set again.")
        self._readers: dict[str, FieldReader] = {}
        self._tables: dict[str, TableField] = {}

    def __len__(self) -> int:
        return self.manifest.n_items

    def __reduce__(self) -> tuple[Callable[[Path], PreparedSet], tuple[Path]]:
        return type(self), (self.folder,)

    @cached_property
    def index(self) -> Table:
        """One row per item; read when first asked for."""
        return read_table(self.folder / INDEX)

    def read(self, field: str, row: int) -> Any:
        """The item of a row: a read-only array that is a view of the file on disk, or for a file its Path.

        Raises:
            ConfigError: there is no such field, or it is a table.
            InputError: its files are damaged.
            IndexError: there is no such row; rows count from 0, and not from the end.
        """
        number = operator.index(row)
        if not 0 <= number < len(self):
            raise IndexError(f"There is no row {number} among {len(self)} items.")
        return self.reader(field).read(number)

    def reader(self, field: str) -> FieldReader:
        """The field itself, opened when first asked for. Raises as `read` does."""
        if field not in self._readers:
            self._readers[field] = self._opened(self.manifest.field(field))
        return self._readers[field]

    def _opened(self, spec: FieldSpec) -> FieldReader:
        if spec.kind == "array":
            return ArrayReader(self.folder, spec, len(self))
        if spec.kind == "ragged":
            return RaggedReader(self.folder, spec, len(self))
        if spec.kind == "file":
            return FileReader(self.folder, spec, self.index)
        raise ConfigError(f"Field {spec.name!r} is a table without items: read it with table({spec.name!r}).batches().")

    def table(self, name: str) -> TableField:
        """A table of rows of its own, opened when first asked for. Raises ConfigError where there is none."""
        known = [spec.name for spec in self.manifest.of_kind("table")]
        if name not in known:
            raise ConfigError(f"Prepared set {self.manifest.name!r} has no table {name!r}.{did_you_mean(name, known)}")
        if name not in self._tables:
            self._tables[name] = TableField(self.folder / "tables" / name)
        return self._tables[name]

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, those that were added later (`Split.write`) among them.

        Hidden files are none: a killed `Split.write` leaves one.
        """
        return tuple(sorted(path.stem for path in (self.folder / SPLITS).glob("[!.]*.json")))

    def read_split(self, name: str) -> Split:
        """A split as its file says, unchecked. Raises ConfigError where there is none of that name."""
        if name not in self.splits:
            raise ConfigError(f"{self.folder} has no split {name!r}.{did_you_mean(name, self.splits)}")
        return Split.read(self.folder / SPLITS / f"{name}.json")

    def split(self, name: str) -> Split:
        """A split, after it was checked against the index.

        Raises:
            ConfigError: there is none of that name.
            InputError: it is damaged, leaves a value without a side, or cuts a declared group without saying so.
        """
        split = self.read_split(name)
        check_set_split(self, split, through_tables=False)
        return split

    def verify(self) -> list[str]:
        """Read everything and say what is wrong, in sentences; empty where all is as it was prepared."""
        return list(problems_of(self))
