"""Settings from flags and YAML, and every mistake as one line that names the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from shared.cli import guarded, load_config, parse_config
from shared.errors import CheckpointError, ConfigError, InputError


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Part of the settings."""

    rate: float = 0.1
    """Step size."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a test."""

    files: tuple[Path, ...] = ()
    """Input."""
    items: int = 3
    """A name that the parser's own namespace also uses."""
    sizes: tuple[int, ...] = (1, 2)
    """Several numbers."""
    name: str | None = None
    """Text or nothing."""
    limit: int | None = None
    """A number or nothing."""
    kind: Literal["low", "high"] = "low"
    """One of two words."""
    quiet: bool = False
    """Yes or no."""
    inner: Inner = field(default_factory=Inner)
    """Nested settings."""


def parse(*words: str, **keywords) -> Settings:
    return parse_config(Settings, words, prog="test", **keywords)


def test_defaults_then_file_then_flags(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("sizes: [5]\ninner:\n  rate: 1e-3\nname: from file\n")
    assert parse() == Settings()
    assert parse("--config", str(path), "--name", "flag") == Settings(sizes=(5,), inner=Inner(rate=1e-3), name="flag")


def test_positional_words_and_a_field_called_items() -> None:
    found = parse("a.csv", "b.csv", "--items", "7", positional=("files",))
    assert found.files == (Path("a.csv"), Path("b.csv"))
    assert found.items == 7


def test_presets_are_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text("items: 9\n")
    assert parse("--config", "quick", presets=tmp_path).items == 9
    assert parse("--config=quick", presets=tmp_path).items == 9
    with pytest.raises(ConfigError, match="Did you mean 'quick'"):
        parse("--config", "quik", presets=tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--inner.rat", "1"], "Unknown option --inner.rat. Did you mean 'inner.rate'"),
        (["--item", "1"], "Unknown option --item. Did you mean 'items'"),
        (["--items", "many"], "^items: expected int, found 'many'$"),
        (["--items", "1.5"], "^items: expected int, found '1.5'$"),
        (["--limit", "few"], "^limit: expected int or nothing, found 'few'$"),
        (["--kind", "middle"], "^kind: expected one of low, high, found 'middle'$"),
        (["--quiet", "perhaps"], "^quiet: expected true or false, found 'perhaps'$"),
        (["--sizes", "3"], "^sizes: expected list of int in brackets, found '3'$"),
        (["--sizes", "[1, a]"], "^sizes: expected list of int in brackets, found 'a'$"),
        (["--inner", "3"], "^inner: Unable to load config"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
    ],
)
def test_mistakes_in_flags(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(*words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("itemz: 3", "Unknown setting 'itemz'. Did you mean 'items'"),
        ("inner:\n  rat: 3", "Unknown setting 'inner.rat'. Did you mean 'inner.rate'"),
        ("inner:\n  rate: fast", "^inner.rate: expected float, found 'fast'$"),
        ("sizes: [1,", "is no YAML"),
    ],
)
def test_mistakes_in_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(Settings, path)
    assert "\n" not in str(caught.value)


def test_printed_settings_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--items", "4", "--inner.rate", "2", "--print_config")
    path = tmp_path / "printed.yaml"
    path.write_text(capsys.readouterr().out)
    assert load_config(Settings, path) == Settings(items=4, inner=Inner(rate=2.0))


@pytest.mark.parametrize("error", [ConfigError, InputError, CheckpointError])
def test_user_errors_are_one_line_and_exit_code_2(error, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise error("wrong\nin two lines")

    assert guarded(fail) == 2
    assert capsys.readouterr().err == "error: wrong in two lines\n"


def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    def fail() -> int:
        (tmp_path / "file" / "inside").mkdir()
        return 0

    assert guarded(fail) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'file' / 'inside'}: Not a directory\n"


def test_a_full_disk_without_a_file_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise OSError(28, "No space left on device")

    assert guarded(fail) == 2
    assert capsys.readouterr().err == "error: No space left on device\n"


def test_a_bug_is_not_hidden() -> None:
    def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded(fail)


def test_interruption_is_130() -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert guarded(interrupted) == 130
