"""One writing for what logs write in several: missing values, user agents, addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.features.columns import Texts

__all__ = ["field_name", "normalise", "os_browser", "two_octets", "whole_numbers", "without_missing_words"]

MISSING_WORDS = ("", "null", "Na")
"""What public logs write for a missing value, besides leaving it out."""
_IS_MISSING_WORD = pc.SetLookupOptions(value_set=pa.array(MISSING_WORDS, pa.large_string()))
SYSTEMS = ("windows", "ios", "mac", "android", "linux")
BROWSERS = ("chrome", "sogou", "maxthon", "safari", "firefox", "theworld", "opera", "ie")
"""The first of these found in the raw agent, in this order, names it: so the tables of iPinYou were made (repository
wnzhang/make-ipinyou-data), in which an iPhone is a "mac" ("like Mac OS X")."""
RAW_AGENT = r"^[A-Za-z][A-Za-z0-9._-]*/[0-9]"
"""A raw agent begins with a product and its version (RFC 9110, section 10.1.5): Mozilla/5.0, Opera/9.80, Dalvik/1.6."""
WHOLE = r"^([+-]?[0-9]+)\.0$"
"""A whole number as programs write it that hold a column with gaps as floats."""
IPV4 = r"^([0-9]{1,3}\.[0-9]{1,3})\.\S*$"


def without_missing_words(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """The values with null in place of each word for missing; themselves where there is none."""
    missing = pc.is_in(values, options=_IS_MISSING_WORD)
    return pc.if_else(missing, None, values) if missing.true_count else values


def whole_numbers(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """The values with "33" in place of "33.0", so that an id is one value however its file was written."""
    if not pc.any(pc.ends_with(values, ".0")).as_py():
        return values
    return pc.replace_substring_regex(values, WHOLE, r"\1")


def os_browser(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Raw user agents as "windows_ie", "android_safari", ...; what is no raw agent stays as it is."""
    raw = pc.match_substring_regex(values, RAW_AGENT)
    if not raw.true_count:
        return values
    lower = pc.utf8_lower(values)
    named = pc.binary_join_element_wise(
        _first_found(lower, SYSTEMS), _first_found(lower, BROWSERS), pa.scalar("_", values.type)
    )
    return pc.if_else(raw, named, values)


def _first_found(lower: pa.LargeStringArray, words: Sequence[str]) -> pa.Array:
    found: pa.Array | pa.Scalar = pa.scalar("other", pa.large_string())
    for word in reversed(words):
        found = pc.if_else(pc.match_substring(lower, word), pa.scalar(word, pa.large_string()), found)
    return found


def two_octets(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """The first two octets of IPv4 addresses, whole or masked ("110.255.103.*"); what is none stays as it is."""
    return pc.replace_substring_regex(values, IPV4, r"\1")


_REWRITES: dict[str, tuple[str, Callable[[pa.LargeStringArray], pa.LargeStringArray]]] = {
    "useragent": ("", os_browser),
    "ip": ("2", two_octets),
}
"""By the column's name in lower case, without underscores: what its field's name gains, and the rewriting."""


def _plain(column: str) -> str:
    return column.lower().replace("_", "")


def field_name(column: str) -> str:
    """The name of the field a column becomes: IP becomes IP2, others keep theirs."""
    return column + _REWRITES.get(_plain(column), ("",))[0]


def normalise(column: str, texts: Texts) -> Texts:
    """A column's texts in the one writing that its vocabulary knows; null where a word says missing."""
    texts = texts.mapped(without_missing_words).mapped(whole_numbers)
    rewrite = _REWRITES.get(_plain(column))
    return texts.mapped(rewrite[1]) if rewrite else texts
