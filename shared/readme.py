"""Generated blocks of a README: between two markers stands what a committed result says, and nothing typed by hand.

    <!-- begin: card paper -->
    ...
    <!-- end: card paper -->

The first word names the kind of block, the rest its argument. `fill` renews all blocks of a text; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from shared.errors import ConfigError, did_you_mean

__all__ = ["Block", "blocks_in", "fill"]

Block = Callable[[str], str]
"""Argument of a marker -> Markdown of the block."""

_BLOCK = re.compile(r"<!-- begin: (?P<name>[^>]+?) -->\n(?P<body>.*?)<!-- end: (?P=name) -->", re.DOTALL)


def blocks_in(text: str) -> list[str]:
    """Names of the generated blocks of a text, in order."""
    return [match["name"] for match in _BLOCK.finditer(text)]


def fill(text: str, kinds: Mapping[str, Block]) -> str:
    """The text with every generated block renewed.

    Args:
        text: Markdown with markers.
        kinds: first word of a block's name -> function that writes it.

    Raises:
        ConfigError: a block is of no known kind.
    """

    def renewed(match: re.Match[str]) -> str:
        kind, _, argument = match["name"].partition(" ")
        if kind not in kinds:
            raise ConfigError(f"There is no kind {kind!r} of generated block.{did_you_mean(kind, kinds)}")
        return f"<!-- begin: {match['name']} -->\n{kinds[kind](argument).strip()}\n<!-- end: {match['name']} -->"

    return _BLOCK.sub(renewed, text)
