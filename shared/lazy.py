"""Public names of a package that are imported when they are first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

__all__ = ["attribute"]


def attribute(package: str, name: str, homes: Mapping[str, str]) -> Any:
    """What a package's `__getattr__` returns for `name`.

    Args:
        package: the package that was asked.
        name: the attribute it was asked for.
        homes: public name -> module that defines it.

    Raises:
        AttributeError: the package has no such public name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(importlib.import_module(homes[name]), name)
