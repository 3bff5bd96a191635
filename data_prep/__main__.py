"""`python -m data_prep list | prepare | verify | synth`: from raw files, or from nothing, to a prepared set."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.contract import Source, discover, find_source
from shared.cli import guarded, parse_config
from shared.contract import load
from shared.errors import ConfigError, InputError, did_you_mean

if TYPE_CHECKING:
    from shared.prepared import PreparedSet

__all__ = ["main"]

PROGRAM = "python -m data_prep"


@dataclass(frozen=True, kw_only=True)
class PrepareOrder:
    """What `prepare` needs besides the options of the source."""

    paths: tuple[Path, ...]
    """Raw files or folders."""
    out: Path
    """Prepared set to create."""


@dataclass(frozen=True, kw_only=True)
class SynthOrder:
    """Settings of `synth`."""

    out: Path
    """Prepared set to create."""
    items: int = 100
    """About how many items to make up."""
    seed: int = 0
    """The same seed makes the same set."""

    def __post_init__(self) -> None:
        if self.items < 1:
            raise ConfigError(f"items is {self.items}; expected 1 or more.")


@dataclass(frozen=True, kw_only=True)
class VerifyOrder:
    """Settings of `verify`."""

    folder: Path
    """Prepared set."""
    near: bool = False
    """Also look for items that are alike up to gain and offset; slow from about 50 000 items on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 `verify` found a problem, 2 the user's error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        _say_verbs()
        return 0 if words else 2
    if words[0] not in VERBS:
        print(f"error: data_prep has no verb {words[0]!r}.{did_you_mean(words[0], VERBS)}", file=sys.stderr)
        return 2
    if words[0] != "verify" and words[1:2] in (["-h"], ["--help"]):
        return list_sources([])  # before a name is given there are no options to explain, only names
    return guarded(lambda: VERBS[words[0]](words[1:]))


def _say_verbs() -> None:
    print(f"""Raw data to prepared sets.

usage: {PROGRAM} list
       {PROGRAM} prepare NAME PATH... --out DIR [options of the source]
       {PROGRAM} prepare --schema FILE PATH... --out DIR
       {PROGRAM} verify DIR
       {PROGRAM} synth NAME --out DIR [--items N] [--seed S]

`list` shows the names; `prepare NAME --help` explains the options of a source. A table whose columns a schema file
describes needs no name.""")


def list_sources(words: Sequence[str]) -> int:
    """Print every source with what it offers."""
    if words:
        raise ConfigError(f"list takes no options, found {words[0]!r}.")
    for source in discover().values():
        verbs = [verb for verb in ("prepare", "synth") if getattr(source, verb)]
        print(f"{source.name:<20} {source.title} [{source.licence}; {', '.join(verbs)}]")
    return 0


def prepare(words: Sequence[str]) -> int:
    """Prepare raw files with the source that the first word names."""
    source, options = _source("prepare", words)
    config_class = load(source.config)
    order_class = dataclasses.make_dataclass(
        "PrepareOptions",
        [],
        bases=(config_class, PrepareOrder),
        namespace={"__doc__": config_class.__doc__, "__module__": __name__},
        frozen=True,
        kw_only=True,
    )
    order: Any = parse_config(
        order_class,
        options,
        prog=f"{PROGRAM} prepare {source.name}",
        description=source.title,
        positional=("paths",),
    )
    for path in order.paths:
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
    _refuse_occupied(order.out)
    config = config_class(**{field.name: getattr(order, field.name) for field in dataclasses.fields(config_class)})
    load(str(source.prepare))(list(order.paths), order.out, config)
    return _say_made(order.out)


def synth(words: Sequence[str]) -> int:
    """Make up a set of the source that the first word names."""
    source, options = _source("synth", words)
    order = parse_config(SynthOrder, options, prog=f"{PROGRAM} synth {source.name}", description=source.title)
    _refuse_occupied(order.out)
    load(str(source.synth))(order.out, order.items, order.seed)
    return _say_made(order.out)


def verify(words: Sequence[str]) -> int:
    """Read a whole prepared set; print what is not as its manifest says, then what its user should know."""
    order = parse_config(
        VerifyOrder, words, prog=f"{PROGRAM} verify", description="check a prepared set", positional=("folder",)
    )
    from data_prep.audit import audit
    from shared.prepared import PreparedSet

    prepared = PreparedSet(order.folder)
    problems = prepared.verify()
    for problem in problems:
        print(f"problem: {problem}")
    if problems:
        print(f"{order.folder}: {len(problems)} problems. Copy the set again, or prepare it again.")
        return 1
    for finding in audit(order.folder, near=order.near):
        print(f"{finding.kind}: {finding.message}")
    print(f"{order.folder}: {_content(prepared)}, as they were prepared ({prepared.manifest_hash[:12]}).")
    return 0


VERBS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "list": list_sources,
    "prepare": prepare,
    "verify": verify,
    "synth": synth,
}


def _source(verb: str, words: Sequence[str]) -> tuple[Source, Sequence[str]]:
    """The source that the first word names, which must offer the verb, and the words after it."""
    offering = [name for name, source in discover().items() if getattr(source, verb)]
    if verb == "prepare" and (implied := _implied(words)):
        return implied, words
    if not words or words[0].startswith("-"):
        raise ConfigError(f"{verb} needs the name of a source first: {', '.join(offering)}.")
    source = find_source(words[0])
    if source.name not in offering:
        raise ConfigError(f"{source.name!r} has no {verb}.{did_you_mean(source.name, offering)}")
    return source, words[1:]


def _implied(words: Sequence[str]) -> Source | None:
    """The source that an option among the words stands for, where the first word is no name of one."""
    if not words or words[0] in discover() or not (words[0].startswith("-") or Path(words[0]).exists()):
        return None
    options = {word.partition("=")[0] for word in words}
    return next((source for source in discover().values() if f"--{source.implied_by}" in options), None)


def _refuse_occupied(out: Path) -> None:
    """Say now, not after an hour's work, that a set cannot be written there."""
    from shared.prepared.writer import refuse_occupied

    refuse_occupied(out)


def _say_made(out: Path) -> int:
    from shared.prepared import PreparedSet

    print(f"{out} holds {_content(PreparedSet(out))}; check them with: {PROGRAM} verify {out}")
    return 0


def _content(prepared: PreparedSet) -> str:
    """How much there is, in words."""
    rows = {spec.name: prepared.table(spec.name).count() for spec in prepared.manifest.of_kind("table")}
    items = [f"{len(prepared)} items"] if len(prepared) or not rows else []
    return " and ".join([*items, *(f"{count} rows of {name!r}" for name, count in rows.items())])


if __name__ == "__main__":
    raise SystemExit(main())
