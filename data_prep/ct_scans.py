"""Which files belong to a scan: by the names that the public sets and the readers of this project give them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from shared.errors import InputError
from shared.formats.volume import SUFFIXES
from shared.formats.volume_dicom import is_dicom

__all__ = ["Scan", "Truth", "find_scans", "patient_of", "stem_of"]

Truth = Literal["labels", "silver", "vessels", "carve14", "arteries"]
"""What a file of labels holds: codes, codes made by rule, a mask of vessels, CARVE14's numbers, a mask of arteries."""


@dataclass(frozen=True)
class Scan:
    """The files of one scan, and what their names or a table say of it."""

    path: Path
    """A file, or a folder of DICOM files."""
    item: str
    patient: str = ""
    """Empty where the DICOM files name the patient."""
    truth: Path | None = None
    kind: Truth = "labels"
    lung: Path | None = None
    artery_vein: Path | None = None
    points: Path | None = None
    contrast: str = ""
    """Empty where nothing but the DICOM files may know."""
    section_mm: float | None = None
    pair: str = ""
    origin: str = "real"


_RENDERINGS = ("c009_noncontrast", "c009_contrast", "p1_sharp", "r3_thick")
"""Reference volumes of this project's field: geometry from real masks, grey values synthetic."""

_ROLES: dict[str, tuple[str, Truth | None]] = {
    "lung": ("lung", None),
    "lungmask": ("lung", None),
    "label": ("truth", "labels"),
    "labels": ("truth", "labels"),
    "silver": ("truth", "silver"),
    "vessels": ("truth", "vessels"),
    "fullAnnotations": ("truth", "carve14"),
    "artery_vein": ("artery_vein", None),
    "points": ("points", None),
}
"""Last word of a file's name -> what it is of the scan that its other words name."""
_FOLDERS: dict[tuple[str, str], tuple[str, Truth | None, str]] = {
    ("scans", "lungmasks"): ("lung", None, "{}"),
    ("scans", "annotations"): ("points", None, "{}_annotations"),
    ("image", "label"): ("truth", "arteries", "{}"),
}
"""Folder of scans and folder beside it -> what the latter holds, and under which name: VESSEL12, PARSE2022."""

_ROLE = re.compile(rf"^(?P<scan>.+)_(?P<role>{'|'.join(sorted(_ROLES, key=len, reverse=True))})$")
_ABOUT_ONE_SCAN = re.compile(
    r"(^|_)(ct|left|right|lung|upper|lower|(non)?contrast|plain|cta|sharp|soft|thick|thin|kernel\w+|\d+(p\d+)?mm)(?=_|$)",
    re.IGNORECASE,
)
_KERNEL = re.compile(r"^(?P<pair>.+)_kernel[^_]+$", re.IGNORECASE)


def stem_of(path: Path) -> str:
    """The name without the suffix of a volume, in which ".nii.gz" is one."""
    for suffix in sorted((*SUFFIXES, ".csv"), key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name


def patient_of(name: str) -> str:
    """The name of a scan without the words that tell scans, lungs, kernels and renderings of one patient apart."""
    return _ABOUT_ONE_SCAN.sub("", name).strip("_") or name


def find_scans(folder: Path) -> list[Scan]:
    """The scans in a folder and below.

    Raises:
        InputError: there is none, or a file of labels, points or lungs belongs to none.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    volumes = [path for path in files if path.name.lower().endswith((*SUFFIXES, "_points.csv"))]
    beside = _beside_folders(files)
    companions = {path for found in beside.values() for path, _, _ in found}
    named = {path: match for path in volumes if path not in companions and (match := _ROLE.match(stem_of(path)))}
    paths = [path for path in volumes if path not in companions and path not in named]
    series = sorted({path.parent for path in files if not path.name.lower().endswith(SUFFIXES) and is_dicom(path)})
    scans = {path: _with_folders(_scan(path), beside.get(path, [])) for path in [*paths, *series]}
    for path, match in named.items():
        owners = [scan for scan in paths if scan.parent == path.parent and _begins(_own_name(scan), match["scan"])]
        if not owners:
            raise InputError(f"{path} belongs to no scan: there is none named {match['scan']!r} beside it.")
        for owner in owners:
            scans[owner] = _with(scans[owner], path, *_ROLES[match["role"]])
    if not scans:
        raise InputError(f"There is no scan in {folder}: no DICOM files and none with {', '.join(SUFFIXES)}.")
    return _told_apart(scans.values(), folder)


def _beside_folders(files: Iterable[Path]) -> dict[Path, list[tuple[Path, str, Truth | None]]]:
    """Scans in folders of their own -> what the folders beside hold of them."""
    known = {(path.parent.parent, path.parent.name.lower(), stem_of(path).lower()): path for path in files}
    found: dict[Path, list[tuple[Path, str, Truth | None]]] = {}
    for (above, place, stem), path in known.items():
        for (scans, other), (role, kind, name) in _FOLDERS.items():
            companion = known.get((above, other, name.format(stem)))
            if place == scans and companion is not None and path.name.lower().endswith(SUFFIXES):
                found.setdefault(path, []).append((companion, role, kind))
    return found


def _with_folders(scan: Scan, found: Iterable[tuple[Path, str, Truth | None]]) -> Scan:
    for path, role, kind in found:
        scan = _with(scan, path, role, kind)
    return scan


def _with(scan: Scan, path: Path, role: str, kind: Truth | None) -> Scan:
    if getattr(scan, role) is not None:
        raise InputError(f"{scan.path} has two files of one kind: {getattr(scan, role)} and {path}. Keep one.")
    changed: dict[str, Any] = {role: path} | ({"kind": kind} if kind else {})
    return replace(scan, **changed)


def _scan(path: Path) -> Scan:
    name = _own_name(path)
    words = name.lower().split("_")
    contrast = (
        "plain" if {"noncontrast", "plain"} & set(words) else "contrast" if {"contrast", "cta"} & set(words) else ""
    )
    kernel = _KERNEL.match(name)
    return Scan(
        path,
        item=name,
        patient="" if path.is_dir() else patient_of(name),
        contrast=contrast,
        pair=kernel["pair"] if kernel else "",
        origin="rendering" if name in _RENDERINGS else "real",
    )


def _own_name(path: Path) -> str:
    return stem_of(path).removesuffix("_ct")


def _begins(name: str, start: str) -> bool:
    return name == start or name.startswith((f"{start}_", f"{start}."))


def _told_apart(scans: Iterable[Scan], folder: Path) -> list[Scan]:
    """Scans of the same name in several folders are named by the folders as well."""
    listed = list(scans)
    counts = Counter(scan.item for scan in listed)
    return [
        scan if counts[scan.item] == 1 else replace(scan, item=f"{scan.path.relative_to(folder).parent}/{scan.item}")
        for scan in listed
    ]
