"""The files of the repository, as git knows them, and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked, or new and not ignored. Skips where this is no checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = (REPOSITORY / name for name in listed.splitlines())
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files() -> list[Path]:
    """Those written in Python."""
    return [path for path in files() if path.suffix == ".py"]


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a syntax tree with the dotted name of what is called, as far as it is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def short(path: Path) -> str:
    """The path as a message names it."""
    return path.relative_to(REPOSITORY).as_posix()
