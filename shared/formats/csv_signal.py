"""CSV tables of samples: comma, semicolon or tab; with a header or without; with a time column or without.

A comma is the decimal sign where it does not separate columns. Lines that start with # are comments at the top. An
empty cell is a missing sample; in a table of one column, so is an empty line.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from shared.errors import InputError

__all__ = ["Columns", "read_columns"]

_TIME = re.compile(r"(elapsed[ _]?)?(time|timestamp|seconds|sec|t)[ _]*[\[(]?(s|sec|seconds|ms|us|µs|min)?[\])]?", re.I)
_COUNTER = re.compile(r"(sample|index|row|no|n)?[ _.]*(#|number|no)?", re.I)
_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "min": 60.0}
_UNIT = re.compile(r"[ _]*[\[(]([^\])]+)[\])]$|[ _](mV|[uµμ]V)$", re.I)
_MISSING = ["", "NaN", "nan", "NA", "null"]


@dataclass(frozen=True)
class Columns:
    """Numbers as they stand in a table, and what the table says about them."""

    values: npt.NDArray[np.float64]
    """(samples, leads); NaN where a sample is missing."""
    names: tuple[str, ...]
    unit: str | None = None
    sampling_rate: float | None = None


@dataclass(frozen=True)
class _Layout:
    """How the text is to be read."""

    separator: str
    first_line: int
    """Lines above the first row of numbers."""
    n_columns: int
    header: tuple[str, ...]
    """Names of the columns; empty where the file has none."""


def read_columns(path: Path) -> Columns:
    """Read a CSV file: its leads, without a column of times or row numbers.

    The rate comes from the column of times, in seconds or as its name says ("time_ms", "t [s]"). Without a header, a
    first column of several that rises evenly is one, too: times in seconds where it rises by less than 1, else numbers.

    Raises:
        InputError: no text, no numbers, rows of different lengths, or times that do not rise evenly.
    """
    layout = _layout(path)
    values = _numbers(path, layout)
    names = layout.header or _names_by_content(values)
    leads = [n for n, name in enumerate(names) if not _TIME.fullmatch(name) and not _COUNTER.fullmatch(name)]
    if not leads:
        raise InputError(f"{path} has no column of samples beside its times or row numbers.")
    units = {found.group(1) or found.group(2) for n in leads if (found := _UNIT.search(names[n]))}
    if len(units) > 1:
        raise InputError(f"The columns of {path} are in different units: {', '.join(sorted(units))}.")
    stripped = tuple(_UNIT.sub("", names[n]) for n in leads)
    return Columns(values[:, leads], stripped, units.pop() if units else None, _rate(names, values, path))


def _names_by_content(values: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """Names for a table without a header."""
    if values.shape[1] > 1 and _is_even(values[:, 0]):
        first = "time" if values[1, 0] - values[0, 0] < 1.0 else "sample"
        return (first, *(f"lead {number}" for number in range(1, values.shape[1])))
    return tuple(f"lead {number}" for number in range(1, values.shape[1] + 1))


def _layout(path: Path) -> _Layout:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            lines = list(itertools.islice(stream, 50))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no text file; expected a CSV table of numbers.") from error
    above = sum(1 for _ in itertools.takewhile(lambda line: line.startswith("#") or not line.strip(), lines))
    if above == len(lines):
        raise InputError(f"{path} is empty; expected a CSV table of numbers.")
    separator = next((sign for sign in ("\t", ";") if sign in lines[above]), ",")
    cells = tuple(cell.strip().strip("\"'").strip() for cell in lines[above].split(separator))
    if all(_is_number(cell, separator) for cell in cells):
        return _Layout(separator, above, len(cells), ())
    return _Layout(separator, above + 1, len(cells), cells)


def _is_number(cell: str, separator: str) -> bool:
    try:
        float(cell if separator == "," else cell.replace(",", "."))
    except ValueError:
        return cell in _MISSING
    return True


def _numbers(path: Path, layout: _Layout) -> npt.NDArray[np.float64]:
    decimal = "," if layout.separator != "," and _has_decimal_comma(path, layout) else "."
    reading = pyarrow.csv.ReadOptions(skip_rows=layout.first_line, autogenerate_column_names=True)
    parsing = pyarrow.csv.ParseOptions(delimiter=layout.separator, ignore_empty_lines=layout.n_columns > 1)
    types = {f"f{number}": pa.float64() for number in range(layout.n_columns)}
    converting = pyarrow.csv.ConvertOptions(column_types=types, null_values=_MISSING, decimal_point=decimal)
    try:
        table = pyarrow.csv.read_csv(path, reading, parsing, converting)
    except pa.ArrowInvalid as error:
        detail = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{path} is no table of numbers in rows of one length: {detail}.") from error
    if table.num_columns != layout.n_columns:
        raise InputError(f"{path} has {layout.n_columns} names of columns above rows of {table.num_columns} cells.")
    return np.stack([column.to_numpy(zero_copy_only=False) for column in table.columns], axis=1).astype(np.float64)


def _has_decimal_comma(path: Path, layout: _Layout) -> bool:
    with path.open(encoding="utf-8-sig") as stream:
        return any("," in line for line in itertools.islice(stream, layout.first_line, layout.first_line + 50))


def _is_even(times: npt.NDArray[np.float64]) -> bool:
    """Whether values rise evenly, up to the rounding of what they were printed with: never by two steps or none."""
    if len(times) < 3 or not np.isfinite(times).all() or times[-1] <= times[0]:
        return False
    straight = np.linspace(times[0], times[-1], len(times))
    return bool(np.abs(times - straight).max() <= straight[1] - straight[0])


def _rate(names: tuple[str, ...], values: npt.NDArray[np.float64], path: Path) -> float | None:
    """Samples per second by the first column of times; None without one.

    A whole number where it is one within a thousandth, which is what the rounding of printed times leaves uncertain.
    """
    found = next(((n, match) for n, name in enumerate(names) if (match := _TIME.fullmatch(name))), None)
    if found is None:
        return None
    times_s = values[:, found[0]] * _SECONDS[(found[1].group(3) or "").lower()]
    if not _is_even(times_s):
        raise InputError(f"The times of {path} do not rise evenly; expected one row per sample, without gaps.")
    rate = float((len(times_s) - 1) / (times_s[-1] - times_s[0]))
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate
