"""Folders of WFDB records as they come: a download of PhysioNet, its zip, or several databases side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError, InputError, did_you_mean

__all__ = ["Database", "find_databases"]

_ZIP_NAMES = {
    "mit-bih-malignant-ventricular-ectopy-database": "vfdb",
    "cu-ventricular-tachyarrhythmia-database": "cudb",
    "mit-bih-arrhythmia-database": "mitdb",
}
_VERSION = re.compile(r"-?\d+\.\d+\.\d+$")


@dataclass(frozen=True)
class Database:
    """One folder of records."""

    name: str
    """Short name as PhysioNet uses it, or the folder's."""
    folder: Path

    def records(self) -> list[Path]:
        """The records without suffix, sorted; a segment that another header lists is no record of its own."""
        headers = sorted(self.folder.glob("*.hea"))
        segments = {segment for header in headers for segment in _segments(header)}
        return [header.with_suffix("") for header in headers if header.stem not in segments]


def find_databases(paths: Iterable[Path], only: tuple[str, ...] = ()) -> list[Database]:
    """The databases in the given folders: the folder itself where it holds headers, else the nearest ones below.

    Args:
        paths: folders.
        only: names to keep; empty keeps all.

    Raises:
        InputError: a path is no folder, there is no header anywhere below it, or one database is given twice.
        ConfigError: `only` names a database that is not there.
    """
    found: dict[str, Database] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputError(f"{path} is no folder; expected a folder of WFDB records (.hea, .dat, .atr).")
        folders = _record_folders(path.resolve())
        if not folders:
            raise InputError(f"There is no WFDB header (.hea) in {path} or below; expected a folder of WFDB records.")
        for folder in folders:
            name = _short_name(folder)
            if name in found and found[name].folder != folder:
                raise InputError(f"Two folders hold a database {name!r}: {found[name].folder} and {folder}. Give one.")
            found[name] = Database(name, folder)
    for name in only:
        if name not in found:
            raise ConfigError(f"There is no database {name!r} in the folders given.{did_you_mean(name, found)}")
    return [database for name, database in found.items() if not only or name in only]


def _record_folders(folder: Path) -> list[Path]:
    if next(folder.glob("*.hea"), None) is not None:
        return [folder]
    below = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    return [found for child in below for found in _record_folders(child)]


def _short_name(folder: Path) -> str:
    """The database's name: .../vfdb, .../vfdb/1.0.0 and the unpacked zip are all "vfdb"."""
    name = _VERSION.sub("", folder.name) or folder.parent.name
    return _ZIP_NAMES.get(name, name)


def _segments(header: Path) -> list[str]:
    """Segment names in a multi-segment header (its first line says "name/segments"); none in any other."""
    lines = [line for line in header.read_text(encoding="ascii", errors="ignore").splitlines() if line.strip()]
    content = [line for line in lines if not line.startswith("#")]
    if not content or "/" not in content[0].split()[0]:
        return []
    return [line.split()[0] for line in content[1:]]
