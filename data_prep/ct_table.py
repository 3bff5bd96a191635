"""Tables of a user's own: a CSV with a row for each scan, and a CSV with a row for each point."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.ct_fields import POINT_KINDS
from data_prep.ct_scans import Scan, patient_of, stem_of
from shared.errors import InputError, did_you_mean

__all__ = ["read_patients", "read_points", "read_scans"]

_FILES = ("path", "mask", "labels", "lung", "artery_vein", "points")
_WORDS = ("patient", "item", "contrast", "section_mm", "pair", "origin")
_CHOICES = {"contrast": ("", "contrast", "plain", "unknown"), "origin": ("", "real", "rendering", "phantom")}


def read_scans(table: Path) -> list[Scan]:
    """The scans of a CSV with the column path and any of those that `data_prep.pulmonary_vessel` lists.

    Raises:
        InputError: another column, no path, a file that is not there, or a word that is none of its column's.
    """
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or "path" not in rows[0]:
        raise InputError(f"{table} is no table of scans; expected a row for each scan and a column 'path'.")
    for column in rows[0]:
        if column not in (*_FILES, *_WORDS):
            raise InputError(
                f"{table} has an unknown column {column!r}.{did_you_mean(str(column), (*_FILES, *_WORDS))}"
            )
    return [_scan(table, {name: (value or "").strip() for name, value in row.items()}) for row in rows]


def _scan(table: Path, row: dict[str, str]) -> Scan:
    files = {name: table.parent / row[name] if row.get(name) else None for name in _FILES}
    for column, path in files.items():
        if path is not None and not path.exists():
            raise InputError(f"{table}: there is no file {path} (column {column!r}).")
    scan, mask, labels = files["path"], files["mask"], files["labels"]
    if scan is None or (mask is not None and labels is not None):
        raise InputError(f"{table}: every row names a scan in 'path', and not both a 'mask' and 'labels'; found {row}.")
    for column, known in _CHOICES.items():
        if row.get(column, "") not in known:
            raise InputError(f"{table}: {column} is {row[column]!r}.{did_you_mean(row[column], filter(None, known))}")
    name = row.get("item") or stem_of(scan)
    return Scan(
        scan,
        item=name,
        patient=row.get("patient") or ("" if scan.is_dir() else patient_of(name)),
        truth=labels or mask,
        kind="labels" if labels else "vessels",
        lung=files["lung"],
        artery_vein=files["artery_vein"],
        points=files["points"],
        contrast=row.get("contrast", ""),
        section_mm=_millimetres(row.get("section_mm", ""), table),
        pair=row.get("pair", ""),
        origin=row.get("origin") or "real",
    )


def _millimetres(text: str, table: Path) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not value > 0:
        raise InputError(f"{table}: section_mm is {text!r}; expected a thickness in mm.")
    return value


def read_patients(table: Path, items: Collection[str]) -> dict[str, str]:
    """The patients of scans, from a CSV with the columns item and patient.

    Raises:
        InputError: it has not these columns, or names an item that is not there.
    """
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"item", "patient"} <= rows[0].keys():
        raise InputError(f"{table} is no table of patients; expected the columns 'item' and 'patient'.")
    for row in rows:
        if row["item"] not in items:
            raise InputError(
                f"{table} names a scan {row['item']!r} that is not there.{did_you_mean(row['item'], items)}"
            )
    return {row["item"]: row["patient"] for row in rows}


def read_points(path: Path) -> npt.NDArray[np.float64]:
    """Read sparse points in a scan's own voxels.

    Args:
        path: a CSV with the columns i, j, k (0-based, along x, y, z of the file), is_vessel and, if known, kind; or, as
            VESSEL12 has them, x, y, z and 1 for vessel, without a header.

    Returns:
        (n, 5): k, j, i, is_vessel, code of the kind (`ct_fields.POINT_KINDS`).

    Raises:
        InputError: it is neither, or has an unknown kind.
    """
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    names = [cell.strip() for cell in rows[0]] if rows else []
    try:
        if "is_vessel" not in names:
            listed = [{"i": row[0], "j": row[1], "k": row[2], "is_vessel": row[3]} for row in rows]
        else:
            listed = [dict(zip(names, row, strict=True)) for row in rows[1:]]
        points = [[float(row[column]) for column in ("k", "j", "i", "is_vessel")] for row in listed]
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(
            f"{path} is no list of points: expected the columns i, j, k, is_vessel, kind, or four numbers in a row "
            "(x, y, z, vessel or not)."
        ) from error
    if any(is_vessel not in (0, 1) for *_, is_vessel in points):
        raise InputError(f"{path}: a point is a vessel (1) or is not (0); found another number.")
    kinds = [_kind(row, path) for row in listed]
    return np.array([[*point, kind] for point, kind in zip(points, kinds, strict=True)]).reshape(-1, 5)


def _kind(row: dict[str, str], path: Path) -> int:
    name = row.get("kind", "").strip().replace("_", " ") or ("vessel" if float(row["is_vessel"]) else "other")
    if name not in POINT_KINDS:
        raise InputError(f"{path}: a point is of kind {name!r}.{did_you_mean(name, POINT_KINDS)}")
    return POINT_KINDS[name]
