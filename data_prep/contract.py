"""What a data source says about itself, once, and how the sources are found: no list of them is kept anywhere.

A source is a module of `data_prep` (or, where its data are only ever made up, of `data_prep.synth`) with a constant
`SOURCE = Source(...)`. What is heavier than words is named as "module:attribute" and imported when it is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError, did_you_mean

__all__ = ["PACKAGES", "Source", "discover", "find_source"]

PACKAGES = ("data_prep", "data_prep.synth")
"""Packages whose modules are looked through."""

_DECLARATION = re.compile(r"^SOURCE\b[^=\n]*=", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """The one declaration of where a prepared set comes from. Raises ConfigError where it makes nothing."""

    name: str
    """Word after `prepare` and `synth`."""
    title: str
    """What the data are, in one line."""
    licence: str
    """SPDX name of the raw data's licence, or the terms in words."""
    config: str
    """"module:class" of the frozen dataclass with the options of `prepare`; each becomes a flag. The names `paths`,
    `out` and `config` are taken."""
    prepare: str | None = None
    """"module:function" (paths: list[Path], out: Path, config) -> None; writes `out` with `shared.prepared`."""
    synth: str | None = None
    """"module:function" (out: Path, items: int, seed: int) -> None; makes up a set of the same form."""
    implied_by: str | None = None
    """Option of `prepare` that only this source has: who gives it may leave the name of the source out."""

    def __post_init__(self) -> None:
        if self.prepare is None and self.synth is None:
            raise ConfigError(f"Source {self.name!r} names neither prepare nor synth: it makes nothing.")


def discover(packages: Sequence[str] = PACKAGES) -> dict[str, Source]:
    """Every declared source: name -> Source, in alphabetical order.

    Only modules that declare one are imported, so that listing them stays fast.

    Raises:
        ConfigError: two modules declare the same name, or the same option that stands for it.
    """
    sources: dict[str, Source] = {}
    homes: dict[str, str] = {}
    for module in _declaring(packages):
        source: Source = importlib.import_module(module).SOURCE
        if source.name in sources:
            raise ConfigError(
                f"Source {source.name!r} is declared in {homes[source.name]} and in {module}: rename one."
            )
        sources[source.name], homes[source.name] = source, module
    sources = dict(sorted(sources.items()))
    for first, second in itertools.combinations(sources.values(), 2):
        if first.implied_by and first.implied_by == second.implied_by:
            raise ConfigError(f"{first.name!r} and {second.name!r} are both implied by --{first.implied_by}.")
    return sources


def _declaring(packages: Sequence[str]) -> Iterator[str]:
    for package in packages:
        for info in pkgutil.iter_modules(importlib.import_module(package).__path__, prefix=f"{package}."):
            spec = importlib.util.find_spec(info.name)
            if info.ispkg or spec is None or spec.origin is None:
                continue
            if _DECLARATION.search(Path(spec.origin).read_text(encoding="utf-8")):
                yield info.name


def find_source(name: str) -> Source:
    """The source of that name. Raises ConfigError with the nearest name where there is none."""
    sources = discover()
    if name not in sources:
        raise ConfigError(f"There is no data source {name!r}.{did_you_mean(name, sources)}")
    return sources[name]
