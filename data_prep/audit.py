"""What the user of a prepared set should know before trusting a figure: twins, leaks, empty and broken items.

Nothing here is an error by itself: a silent channel is constant, an empty mask is too. Twins on both sides of a split
are: then a score counts what was learnt by heart.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.fetch import looks_like_web_page
from shared.errors import InputError
from shared.prepared import FieldSpec, PreparedSet

__all__ = ["Finding", "audit"]

LEAST_BYTES = 64
"""Shorter items (a label, a few boxes) are the same by chance, and are not compared."""
NEAR = 0.999
"""Correlation of two outlines from which on they are near twins."""
_OUTLINE = 256
"""Numbers of an outline: means over as many equal parts of an item."""
_COMPARED_AT_ONCE = 2048


@dataclass(frozen=True)
class Finding:
    """One thing to know about a field of a set."""

    kind: str
    """"duplicate", "near duplicate", "leak", "not finite", "constant" or "unreadable"."""
    field: str
    message: str
    """One sentence with a count and examples."""
    rows: tuple[int, ...]
    """All rows concerned."""


@dataclass
class _Survey:
    """What one pass over a field found."""

    name: str
    defects: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    twins: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Hash of the content -> rows, for items that can be compared."""
    outlines: list[npt.NDArray[np.float32]] = field(default_factory=list)
    outlined: list[int] = field(default_factory=list)


def audit(folder: Path, *, near: bool = False) -> list[Finding]:
    """Look through every item of a prepared set, one at a time.

    Args:
        folder: prepared set.
        near: also compare items of numbers up to gain and offset, by their outlines; takes a time that grows with the
            square of their number.

    Returns:
        Findings, field by field; empty where there is nothing to say.

    Raises:
        InputError: it is no prepared set.
    """
    prepared = PreparedSet(folder)
    findings: list[Finding] = []
    for spec in prepared.manifest.of_kind("array", "ragged", "file"):
        survey = _survey(prepared, spec, near)
        findings += _defects(survey, len(prepared))
        exact = [rows for rows in survey.twins.values() if len(rows) > 1]
        findings += _coincidences(prepared, spec.name, "duplicate", "byte-identical", exact)
        if near:
            alike = [[a, b] for a, b in _near_pairs(survey)]
            findings += _coincidences(prepared, spec.name, "near duplicate", "alike up to gain and offset", alike)
    return findings


def _survey(prepared: PreparedSet, spec: FieldSpec, near: bool) -> _Survey:
    survey = _Survey(spec.name)
    for row in range(len(prepared)):
        try:
            item = prepared.read(spec.name, row)
            if isinstance(item, Path):
                _survey_file(survey, row, item, prepared.index[f"{spec.name}.sha256"][row])
            else:
                _survey_numbers(survey, row, item, near)
        except (OSError, InputError):
            survey.defects["unreadable"].append(row)
    return survey


def _survey_file(survey: _Survey, row: int, path: Path, sha256: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(1024)
    if not start or (looks_like_web_page(start) and path.suffix not in (".html", ".htm")):
        survey.defects["unreadable"].append(row)
    else:
        survey.twins[bytes.fromhex(sha256)].append(row)


def _survey_numbers(survey: _Survey, row: int, item: npt.NDArray[Any], near: bool) -> None:
    finite = item[np.isfinite(item)]
    if finite.size < item.size:
        survey.defects["not finite"].append(row)
    if item.nbytes < LEAST_BYTES:
        return
    if not finite.size or (finite == finite[0]).all():
        survey.defects["constant"].append(row)
        return  # constant items are the same without being copies of each other
    content = hashlib.blake2b(repr(item.shape).encode(), digest_size=16)
    content.update(np.ascontiguousarray(item).data)
    survey.twins[content.digest()].append(row)
    if near and item.size >= _OUTLINE and item.dtype.kind in "iuf":
        survey.outlines.append(_outline(item))
        survey.outlined.append(row)


def _outline(item: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Means over equal parts of the flattened item, centred and scaled to length 1; missing values count as 0."""
    flat = np.nan_to_num(np.asarray(item, dtype=np.float64).reshape(-1), posinf=0.0, neginf=0.0)
    starts = np.linspace(0, flat.size, _OUTLINE, endpoint=False).astype(np.int64)
    means = np.add.reduceat(flat, starts) / np.diff([*starts, flat.size])
    means -= means.mean()
    return (means / (np.linalg.norm(means) or 1.0)).astype(np.float32)


def _near_pairs(survey: _Survey) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose outlines agree and whose content does not."""
    if not survey.outlines:
        return
    outlines, rows = np.stack(survey.outlines), survey.outlined
    same = {row: number for number, twins in enumerate(survey.twins.values()) for row in twins}
    for start in range(0, len(rows), _COMPARED_AT_ONCE):
        block = outlines[start : start + _COMPARED_AT_ONCE] @ outlines[start:].T
        for a, b in np.argwhere(np.triu(block, k=1) >= NEAR):
            first, second = rows[start + a], rows[start + b]
            if same[first] != same[second]:
                yield first, second


def _defects(survey: _Survey, n_items: int) -> Iterator[Finding]:
    words = {
        "unreadable": "are empty, gone, or a web page instead of a file",
        "not finite": "hold NaN or infinity",
        "constant": "hold one value only, or none at all",
    }
    for kind, rows in survey.defects.items():
        message = f"{len(rows)} of {n_items} items of {survey.name!r} {words[kind]} ({_listed(rows)})."
        yield Finding(kind, survey.name, message, tuple(rows))


def _coincidences(
    prepared: PreparedSet, name: str, kind: str, alike: str, sets: Sequence[Sequence[int]]
) -> Iterator[Finding]:
    """That items are alike, that they are alike across groups, and that a split puts them on both sides."""
    if not sets:
        return
    rows = tuple(sorted({row for twins in sets for row in twins}))
    yield Finding(kind, name, f"{len(rows)} items of {name!r} are {alike} to another ({_listed(sets[0])}).", rows)
    for group in prepared.manifest.groups:
        if group in prepared.index:
            where = f"of different {group!r} are {alike}"
            yield from _apart(kind, name, where, prepared.index[group], sets)
    for split_name in prepared.splits:
        split = prepared.read_split(split_name)
        if split.column in prepared.index and not split.cuts:  # one that cuts leaks on purpose
            where = f"on two sides of split {split_name!r} are {alike}"
            yield from _apart("leak", name, where, split.of(prepared.index), sets)


def _apart(
    kind: str, name: str, where: str, sides: npt.NDArray[Any], sets: Sequence[Sequence[int]]
) -> Iterator[Finding]:
    apart = [twins for twins in sets if len({sides[row] for row in twins}) > 1]
    if apart:
        first = apart[0][0]
        other = next(row for row in apart[0] if sides[row] != sides[first])
        example = f"row {first} of {sides[first]!r} and row {other} of {sides[other]!r}"
        rows = tuple(sorted({row for twins in apart for row in twins}))
        yield Finding(kind, name, f"{len(rows)} items of {name!r} {where} ({example}).", rows)


def _listed(rows: Sequence[int], shown: int = 5) -> str:
    more = f" and {len(rows) - shown} more" if len(rows) > shown else ""
    return f"rows {', '.join(map(str, rows[:shown]))}{more}"
