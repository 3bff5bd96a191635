"""Times as logs write them (ISO text, any pattern of digits, counts of seconds), and their days and hours as text."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import ConfigError

__all__ = ["days", "hours_of_day", "read_times"]

_MICROSECONDS = {"days": 86_400_000_000, "hours": 3_600_000_000, "seconds": 1_000_000, "milliseconds": 1_000,
                 "microseconds": 1}  # fmt: skip
"""Formats that count from the start of 1970."""
_LEAST_S, _MOST_S = 6.3e8, 1.95e9
"""Seconds of 1990 and of 2031: whole numbers outside are no count of seconds. Digits like 2013102119 lie outside."""
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "j": 3}
_TIME = pa.timestamp("us")
_HOURS = pa.array([f"{hour:02d}" for hour in range(24)])


def read_times(values: pa.Array, pattern: str = "") -> pa.Array:
    """Times without a zone, in microseconds; those with a zone are turned to UTC.

    Args:
        values: text, whole numbers, dates or timestamps.
        pattern: as `time.strptime` knows it ("%Y%m%d%H", "%f" only at the end), or what whole numbers count since 1970:
            "days", "hours", "seconds", "milliseconds", "microseconds". Empty: ISO 8601, or seconds, milli- or
            microseconds where the numbers lie between 1990 and 2031.

    Returns:
        timestamp[us]; null where a value does not fit the pattern.

    Raises:
        pyarrow.ArrowInvalid: values that cannot be read as times at all.
        ConfigError: "%f" is not at the end of the pattern, after digits of fixed width.
    """
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        zone = getattr(values.type, "tz", None)
        return values.cast(pa.timestamp("us", zone), safe=False).cast(_TIME)
    if pattern in _MICROSECONDS:
        return _counted(values, _MICROSECONDS[pattern])
    if pattern:
        return _patterned(values, pattern)
    return _iso(values) if pa.types.is_string(values.type) else _counted(values, _guessed_unit(values))


def _counted(values: pa.Array, unit: int) -> pa.Array:
    whole = pa.types.is_integer(values.type)
    count = values.cast(pa.int64() if whole else pa.float64())
    return pc.multiply(count, unit).cast(pa.int64(), safe=False).cast(_TIME)


def _guessed_unit(values: pa.Array) -> int:
    numbers = values.cast(pa.float64())
    if not len(numbers):
        return 1
    least, most = (bound.as_py() or 0.0 for bound in pc.min_max(numbers).values())
    for name in ("seconds", "milliseconds", "microseconds"):
        scale = 1_000_000 / _MICROSECONDS[name]
        if _LEAST_S * scale <= least and most <= _MOST_S * scale:
            return _MICROSECONDS[name]
    raise pa.ArrowInvalid("numbers that count neither seconds nor milli- nor microseconds since 1970")


def _iso(texts: pa.Array) -> pa.Array:
    for kind in (_TIME, pa.timestamp("us", "UTC")):
        try:
            return texts.cast(kind).cast(_TIME)
        except pa.ArrowInvalid:
            continue
    return _counted(texts, _guessed_unit(texts))


def _patterned(values: pa.Array, pattern: str) -> pa.Array:
    texts = values
    if not pa.types.is_string(values.type):
        width = _width(pattern)
        texts = pc.utf8_lpad(values.cast(pa.string()), width, "0") if width else values.cast(pa.string())
    whole, fraction, rest = pattern.partition("%f")
    if not fraction:
        return pc.strptime(texts, pattern, "us", error_is_null=True)
    width = _width(whole)
    if rest or not width:
        raise ConfigError(f"The time format {pattern!r} cannot be read: %f may only end a pattern of plain digits.")
    times = pc.strptime(pc.utf8_slice_codeunits(texts, 0, width), whole, "us", error_is_null=True)
    digits = pc.utf8_rpad(pc.utf8_slice_codeunits(texts, width, width + 6), 6, "0")
    return pc.add(times, digits.cast(pa.int64()).cast(pa.duration("us")))


def _width(pattern: str) -> int:
    """Characters of a text that fits the pattern; 0 where they vary."""
    widths = [_WIDTHS.get(letter, 0) for letter in re.findall("%(.)", pattern)]
    literal = len(re.sub("%.", "", pattern))
    return sum(widths) + literal if all(widths) else 0


def days(times: pa.Array) -> pa.Array:
    """The days as text, "2013-06-06"."""
    return times.cast(pa.date32()).cast(pa.string())


def hours_of_day(times: pa.Array) -> pa.Array:
    """The hours as text, "00" to "23"."""
    return _HOURS.take(pc.hour(times))
