"""The three errors a user can meet, each with a message that says what was found, what was expected, how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["CheckpointError", "ConfigError", "InputError", "did_you_mean"]


class InputError(ValueError):
    """A file, array or record cannot be what the caller says it is."""


class ConfigError(ValueError):
    """A setting, flag or file name in a command or configuration is wrong."""


class CheckpointError(RuntimeError):
    """Weights, a card or a checkpoint are damaged, of another app, or of a newer version."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint at the end of an error: the nearest known name, or all of them where none is near.

    Args:
        name: what was found.
        known: what would have been accepted.

    Returns:
        A sentence that starts with a space, so that it can be appended as it is; empty where nothing is known.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(names)}." if names else ""
