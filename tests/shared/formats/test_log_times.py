"""Times in the forms that logs write them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigError, InputError
from shared.formats.adlog import read_column
from shared.formats.log_times import days, hours_of_day, read_times
from shared.prepared import Column

AT = dt.datetime(2013, 6, 6, 14, 5)


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("2013-06-06 14:05:00", ""),
        ("2013-06-06T14:05", ""),
        ("2013-06-06T16:05:00+02:00", ""),
        (1370527500, ""),
        ("1370527500", ""),
        (1370527500.0, ""),
        (1370527500_000, ""),
        (1370527500_000_000, ""),
        (AT, ""),
        (AT.replace(tzinfo=dt.UTC), ""),
        ("20130606140500000", "%Y%m%d%H%M%S%f"),
        (20130606140500000, "%Y%m%d%H%M%S%f"),
        ("06/06/2013 14:05", "%d/%m/%Y %H:%M"),
        (1306061405, "%y%m%d%H%M"),
        (15862, "days"),
        (380702, "hours"),
        ("1370527500", "seconds"),
    ],
)
def test_every_form_is_read(value: Any, pattern: str) -> None:
    found = read_times(pa.array([value]), pattern)
    assert found.type == pa.timestamp("us")
    expected = AT.replace(hour=0, minute=0) if pattern == "days" else AT.replace(minute=0) if pattern == "hours" else AT
    assert found.to_pylist() == [expected]


def test_zones_are_turned_to_utc_and_fractions_are_kept() -> None:
    berlin = pa.array([AT], pa.timestamp("ns", "Europe/Berlin"))
    assert read_times(berlin).to_pylist() == [AT]
    assert read_times(pa.array(["20130606140500738"]), "%Y%m%d%H%M%S%f")[0].as_py() == AT.replace(microsecond=738_000)
    assert read_times(pa.array([500]), "%H%M").to_pylist()[0].hour == 5  # a leading zero that a number lost


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["2013-06-06", "yesterday"], ""),
        (["2013-06-06", None], ""),
        (["2013-06-06", "null"], ""),
        (["20130606", "2013060"], "%Y%m%d"),
        ([14102100], ""),  # YYMMDDHH, no seconds
        ([2013102119], ""),
        ([20131021192300738], ""),
    ],
)
def test_what_is_no_time_is_refused_with_the_row(values: list[Any], pattern: str) -> None:
    row = len(values) - 1
    with pytest.raises(InputError, match=rf"row {row} \(from 0\): found .*format: "):
        read_column(pa.table({"x": values}), Column("x", "time", "time", format=pattern))


def test_no_rows_are_no_times() -> None:
    for kind in (pa.string(), pa.int64(), pa.timestamp("ms")):
        assert len(read_times(pa.array([], kind))) == 0


def test_fractions_may_only_end_a_pattern_of_digits() -> None:
    for pattern in ("%f%S", "%b%f"):
        with pytest.raises(ConfigError, match="%f may only end"):
            read_times(pa.array(["1"]), pattern)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1)), min_size=1, max_size=5))
def test_days_and_hours_are_those_of_the_standard_library(times: list[dt.datetime]) -> None:
    array = pa.array(times, pa.timestamp("us"))
    assert days(array).to_pylist() == [time.strftime("%Y-%m-%d") for time in times]
    assert hours_of_day(array).to_pylist() == [time.strftime("%H") for time in times]
