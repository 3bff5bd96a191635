"""Checks of what a user hands to `predict`, with errors that say what was found and what was expected."""

from __future__ import annotations

import numbers
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shared.atomic import read_json
from shared.errors import InputError

__all__ = ["Kind", "finite_array", "record"]

Kind = Literal["whole number", "number", "text"]
"""What a field of a record holds."""

_TYPES: Mapping[str, type] = {"whole number": numbers.Integral, "number": numbers.Real, "text": str}


def finite_array(source: Any, *, dimensions: int, what: str) -> npt.NDArray[np.float32]:
    """Read an array of real numbers.

    Args:
        source: the path of an .npy file, an array, or nested sequences of numbers.
        dimensions: how many axes it must have.
        what: it is called this in an error: "A picture".

    Returns:
        float32, at least one number, all finite; never the caller's own memory.

    Raises:
        InputError: the file cannot be read, or it is no such array.
    """
    try:
        given = np.load(source, allow_pickle=False) if isinstance(source, str | Path) else np.asarray(source)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{source if isinstance(source, str | Path) else what} is no array: {error}.") from error
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "fiu" or given.ndim != dimensions or not given.size:
        found = f"{given.dtype} of shape {given.shape}" if isinstance(given, np.ndarray) else "an archive of several"
        raise InputError(f"{what} is one array of real numbers with {dimensions} axes, none empty; found {found}.")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused as such
        single = np.array(given, dtype=np.float32)
    if not np.isfinite(single).all():
        raise InputError(f"{what} holds NaN, infinity, or numbers beyond 3e38: mask or cut them out first.")
    return single


def record(source: Any, what: str, kinds: Mapping[str, Kind]) -> Mapping[str, Any]:
    """Read one row of named values.

    Args:
        source: a mapping, or the path of a JSON file that holds one.
        what: it is called this in an error: "Row 3".
        kinds: the fields it must have, and what they hold; others are left alone.

    Returns:
        The mapping.

    Raises:
        InputError: the file cannot be read, it is no mapping, or a field is missing or of another kind.
    """
    try:
        row = read_json(Path(source)) if isinstance(source, str | Path) else source
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{source} is no JSON file: {error}.") from error
    if not isinstance(row, Mapping):
        raise InputError(f"{what} is a mapping with the fields {', '.join(kinds)}; found {type(row).__name__}.")
    for name, kind in kinds.items():
        if not isinstance(row.get(name), _TYPES[kind]):
            found = repr(row[name])[:80] if name in row else "nothing"
            raise InputError(f"{what} needs a {kind} in the field {name!r}; found {found}.")
    return row
