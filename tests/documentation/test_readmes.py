"""READMEs tell the truth: their numbers are the committed results, their commands run, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from apps.readme import readmes, renewed
from shared.contract import App

REPOSITORY = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(?P<kind>bash long|bash|python)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|#)(?P<target>[^)#]+)")


def documents() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
    )
    return [REPOSITORY / name for name in names.stdout.split()]


def fences(kind: str, paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        for match in _FENCE.finditer(path.read_text(encoding="utf-8")):
            if match["kind"] == kind:
                yield match["body"]


def lines(kind: str) -> list[str]:
    commands = [line for body in fences(kind, documents()) for line in body.replace("\\\n", " ").splitlines()]
    return [command.partition("  #")[0] for command in commands if command.startswith("python -m ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a newcomer sees it, except that what commands write lands elsewhere."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("apps", "shared", "data_prep", "benchmarks"):
        (folder / name).symlink_to(REPOSITORY / name)
    return folder


def run(words: list[str], folder: Path) -> None:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, encoding="utf-8", env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(("path", "app"), readmes().items(), ids=lambda value: getattr(value, "name", None))
def test_numbers_are_the_committed_results(path: Path, app: App | None) -> None:
    assert path.read_text(encoding="utf-8") == renewed(path, app), "run `make readme`"


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = [match["target"] for match in _LINK.finditer(path.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.slow
def test_commands_run_in_order(workplace: Path) -> None:
    commands = lines("bash")
    assert commands
    for command in commands:
        run([sys.executable, *shlex.split(command)[1:]], workplace)


@pytest.mark.slow
@pytest.mark.parametrize("body", list(fences("python", readmes())))
def test_python_examples_run(workplace: Path, body: str) -> None:
    run([sys.executable, "-c", body], workplace)


@pytest.mark.parametrize("command", lines("bash long"))
def test_long_commands_have_valid_settings(workplace: Path, command: str) -> None:
    run([sys.executable, *shlex.split(command)[1:], "--print_config"], workplace)
