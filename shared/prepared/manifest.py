"""What a prepared set says about itself: its fields, its source, who may use it, and the hash of every file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from shared.errors import ConfigError, InputError, did_you_mean

__all__ = ["FORMAT_VERSION", "INDEX", "MANIFEST", "SPLITS", "FieldKind", "FieldSpec", "Manifest", "read_manifest"]

FORMAT_VERSION = 1
"""Layout of the folder; a set with a higher number was written by a newer version of this software."""

MANIFEST, INDEX, SPLITS = "dataset.json", "index.parquet", "splits"

FieldKind = Literal["array", "ragged", "file", "table"]

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class FieldSpec:
    """One thing that every item has (or, for a table, the whole set).

    Raises ConfigError where name, kind, dtype and shape do not go together.
    """

    name: str
    """Names the files; letters, digits, '.', '_' and '-'."""
    kind: FieldKind
    dtype: str | None = None
    """NumPy name of the numbers of an array or ragged field, such as "float32"."""
    shape: tuple[int | None, ...] | None = None
    """Shape of one item; None where a ragged field varies: (None, 4) for boxes, (None, None, None) for volumes."""
    unit: str = ""
    """Of the numbers: "mV", "HU", "px"; "1" for counts, labels and other pure numbers."""
    description: str = ""
    """What the axes are and what missing values look like."""

    def __post_init__(self) -> None:
        if not _FILE_NAME.fullmatch(self.name):
            raise ConfigError(f"A field's name is made of letters, digits, '.', '_' and '-'; found {self.name!r}.")
        if self.kind not in get_args(FieldKind):
            raise ConfigError(
                f"Field {self.name!r} is of kind {self.kind!r}.{did_you_mean(self.kind, get_args(FieldKind))}"
            )
        if self.kind in ("array", "ragged"):
            self._check_numbers()
        elif self.dtype is not None or self.shape is not None:
            raise ConfigError(f"Field {self.name!r} is a {self.kind}: it has neither dtype nor shape.")

    def _check_numbers(self) -> None:
        try:
            kind = np.dtype(self.dtype).kind if self.dtype else ""
        except TypeError:
            kind = ""
        if kind not in tuple("biufc"):
            raise ConfigError(
                f"Field {self.name!r} has dtype {self.dtype!r}; expected one of numbers, such as 'float32'."
            )
        if self.shape is None or (None in self.shape) != (self.kind == "ragged"):
            expected = "None at each axis that varies" if self.kind == "ragged" else "numbers only, () for one number"
            raise ConfigError(f"The {self.kind} field {self.name!r} has shape {self.shape}; expected {expected}.")

    @property
    def axes(self) -> tuple[int | None, ...]:
        """The declared shape; () where there is none."""
        return self.shape or ()

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an item of this shape may be an item of this field."""
        return len(shape) == len(self.axes) and all(
            want is None or want == size for want, size in zip(self.axes, shape, strict=True)
        )


@dataclass(frozen=True)
class Manifest:
    """The content of dataset.json."""

    name: str
    title: str
    source: str
    """Where the raw data come from: names, addresses, versions."""
    licence: str
    """SPDX name where there is one, or the terms in words."""
    citation: str
    groups: tuple[str, ...]
    """Columns whose values (a patient, a speaker) no split may cut in silence."""
    synthetic: bool
    """Whether the data are made up."""
    fields: tuple[FieldSpec, ...]
    files: dict[str, str]
    """Path inside the set -> SHA-256; files of "file" fields have theirs in the index."""
    n_items: int
    created_by: str
    """Module that wrote the set."""
    format_version: int = FORMAT_VERSION

    def field(self, name: str) -> FieldSpec:
        """The field of that name. Raises ConfigError with the nearest name where there is none."""
        for spec in self.fields:
            if spec.name == name:
                return spec
        known = [spec.name for spec in self.fields]
        raise ConfigError(f"Prepared set {self.name!r} has no field {name!r}.{did_you_mean(name, known)}")

    def of_kind(self, *kinds: FieldKind) -> list[FieldSpec]:
        """The fields of these kinds, in the order in which they were declared."""
        return [spec for spec in self.fields if spec.kind in kinds]

    def to_dict(self) -> dict[str, Any]:
        """As dataset.json holds it."""
        return dataclasses.asdict(self)


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """The manifest of a prepared set and the SHA-256 of its file.

    Raises InputError where the folder is no prepared set, its manifest is damaged, or it was written by newer software.
    """
    path = Path(folder) / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder} is no prepared set: it has no {MANIFEST}. `python -m data_prep prepare` makes one."
        ) from error
    try:
        stored: dict[str, Any] = json.loads(content)
        version = int(stored["format_version"])
        if version > FORMAT_VERSION:
            raise InputError(f"{folder} has format {version}, this software knows up to {FORMAT_VERSION}: update it.")
        fields = tuple(_field_from(spec) for spec in stored.pop("fields"))
        manifest = Manifest(**{**stored, "groups": tuple(stored["groups"]), "fields": fields})
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}): prepare the set again.") from error
    return manifest, hashlib.sha256(content).hexdigest()


def _field_from(stored: dict[str, Any]) -> FieldSpec:
    shape = stored["shape"]
    return FieldSpec(**{**stored, "shape": None if shape is None else tuple(shape)})
