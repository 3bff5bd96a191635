"""One command line for every app: verbs from the contract, settings from frozen dataclasses, errors in one line.

Settings come from the dataclass defaults, then `--config FILE` (YAML), then flags. The docstring under a field is its
`--help`. A wrong key, type or file ends with one line on stderr and exit code 2.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from shared.contract import ALIASES, App, load, verbs_of
from shared.errors import CheckpointError, ConfigError, InputError, did_you_mean

__all__ = ["guarded", "load_config", "main", "parse_config"]

Config = TypeVar("Config")


def main(app: App, argv: Sequence[str] | None = None) -> int:
    """Run `python -m <package> VERB ...` and return the exit code: 0 done, 2 the user's error, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    program = f"python -m {app.package}"
    verbs = verbs_of(app)
    if not arguments or arguments[0] in ("-h", "--help"):
        _say_verbs(app, program)
        return 0 if arguments else 2
    name = ALIASES.get(arguments[0], arguments[0])
    if name not in verbs:
        print(f"error: {app.name} has no verb {name!r}.{did_you_mean(name, verbs)}", file=sys.stderr)
        return 2
    verb = verbs[name]

    def run() -> int:
        config = parse_config(
            load(verb.config),
            arguments[1:],
            prog=f"{program} {name}",
            description=verb.help,
            positional=verb.positional,
            presets=app.folder / "presets",
        )
        return load(verb.run)(app, config) or 0

    return guarded(run)


def guarded(run: Callable[[], int]) -> int:
    """Call `run`; turn the errors a user can cause into one line and exit code 2, Ctrl-C into 130."""
    warnings.showwarning = _warn_in_one_line
    try:
        return run()
    except (ConfigError, InputError, CheckpointError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away (`... | head`): nothing is left to say
        return 0
    except OSError as error:  # a full disk, a folder that may not be written, a file where a folder should be
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _warn_in_one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"note: {message}", file=sys.stderr)


def _say_verbs(app: App, program: str) -> None:
    print(f"{app.title}\n\nusage: {program} VERB [options]\n")
    for name, verb in verbs_of(app).items():
        print(f"  {name:<10} {verb.help}")
    print(f"\n{program} VERB --help explains a verb; evaluate may be written eval.")


def parse_config(
    config_class: type[Config],
    argv: Sequence[str],
    *,
    prog: str,
    description: str = "",
    positional: Sequence[str] = (),
    presets: Path | None = None,
) -> Config:
    """Read settings from flags and YAML into a frozen dataclass.

    Args:
        config_class: the dataclass; nested dataclasses become dotted flags (`--fit.epochs 3`).
        argv: the words after the verb.
        prog: what the user typed, for the usage line.
        description: one line for `--help`.
        positional: fields that are given without a flag.
        presets: folder whose NAME.yaml may be given as `--config NAME`.

    Returns:
        An instance of `config_class`.

    Raises:
        ConfigError: an unknown key (with the nearest known one), a wrong type, a missing value or file.
        SystemExit: after `--help` and `--print_config`.
    """
    import jsonargparse

    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = jsonargparse.ArgumentParser(prog=prog, description=description, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--config", action=jsonargparse.ActionConfigFile, help="YAML file, or the name of a preset")
    hints = get_type_hints(config_class)
    for name in positional:
        many = get_origin(hints[name]) is tuple
        parser.add_argument(name, type=Path, **({"nargs": "+"} if many else {}))
    parser.add_class_arguments(config_class, skip=set(positional), fail_untyped=True)
    words = _resolve_presets(list(argv), presets)
    try:
        found = parser.instantiate(parser.parse_args(words))
    except jsonargparse.ArgumentError as error:
        raise ConfigError(_one_line(str(error), _settings(config_class))) from error
    values = {field.name: found[field.name] for field in dataclasses.fields(config_class)}  # type: ignore[arg-type]
    return config_class(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def load_config(config_class: type[Config], path: Path) -> Config:
    """Read the `config.yaml` of a run folder back into its dataclass, with the checks of the command line."""
    return parse_config(config_class, ["--config", str(path)], prog=str(path))


def _resolve_presets(words: list[str], presets: Path | None) -> list[str]:
    resolved = []
    for position, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--config" and equals:
            resolved.append(f"--config={_preset_file(value, presets)}")
        elif position and words[position - 1] == "--config":
            resolved.append(str(_preset_file(word, presets)))
        else:
            resolved.append(word)
    return resolved


def _preset_file(word: str, presets: Path | None) -> Path:
    path = Path(word)
    if path.is_file():
        _check_yaml(path)
        return path
    names = sorted(p.stem for p in presets.glob("*.yaml")) if presets and presets.is_dir() else []
    if presets and word in names:
        return presets / f"{word}.yaml"
    raise ConfigError(f"--config {word}: no such file{' or preset' if names else ''}.{did_you_mean(word, names)}")


def _check_yaml(path: Path) -> None:
    """Raise ConfigError that names the file and the line, unless it holds settings."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no settings; lines like 'name: value' are expected.")


def _settings(config_class: type, prefix: str = "") -> dict[str, Any]:
    """Dotted name of every setting -> its type."""
    settings = {}
    for name, hint in get_type_hints(config_class).items():
        settings[prefix + name] = hint
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            settings |= _settings(hint, f"{prefix}{name}.")
    return settings


def _one_line(message: str, known: Mapping[str, Any]) -> str:
    """Say in our words what jsonargparse found."""
    message = " ".join(message.split())
    if match := re.search(r"unrecognized arguments: (.*)", message, re.IGNORECASE):
        key = match[1].split()[0].split("=")[0].lstrip("-")
        return f"Unknown option --{key}.{did_you_mean(key, known)}"
    if match := re.search(r"Group '([^']+)' does not accept option '([^']+)'", message):
        key = f"{match[1]}.{match[2]}"
        return f"Unknown setting {key!r}.{did_you_mean(key, known)}"
    if match := re.search(r"Option '([^']+)' is not accepted", message):
        return f"Unknown setting {match[1]!r}.{did_you_mean(match[1], known)}"
    if match := re.search(r'.*Parser key "([^"]+)": (.*)', message):
        key, complaint = match[1], match[2]
        found = re.search(r".*(?:Got|Given) value: (.*)", complaint)
        if found and key in known:
            return f"{key}: expected {_expected(known[key])}, found {found[1]!r}"
        return f"{key}: {complaint}"
    return message[:1].upper() + message[1:]


def _expected(hint: Any) -> str:
    """A type as a person reads it: "int or nothing", "list of int", "one of cosine, constant"."""
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_expected, arguments))
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if get_origin(hint) is tuple:
        return f"list of {_expected(arguments[0])} in brackets"
    return "nothing" if hint is NoneType else "true or false" if hint is bool else str(hint.__name__).lower()
