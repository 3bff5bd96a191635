"""Nothing that runs code when it is read, and nothing that is true on one machine only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import REPOSITORY, calls, files, python_files, short

UNPICKLING = {"pickle.load", "pickle.loads", "pickle.dump", "pickle.dumps", "pickle.Unpickler", "pickle.Pickler"}
PICKLING_MODULES = {"joblib", "dill", "cloudpickle", "shelve"}
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".lock", ".html", ".hea", ".csv", ".cfg", ".ini", ""}
PLACES = re.compile(
    r"(?<![\w.])/(?:home|root|Users|mnt|work|scratch|tmp)/\w"  # folders of one machine
    r"|\b[A-Z]:\\\\?\w"
    r"|--(?:extra-)?index-url|--find-links"  # package hosts
    r"|https?://[^\s\"')>]*(?:pypi|simple/|artifactory|nexus|devpi|mirror)"
    r"|//(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d"  # addresses of one network
)
"""What a place looks like that others do not have. The Makefile may pass on what a user asks of pip and uv."""
OWN = Path(__file__).resolve()


def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in python_files()]


def test_nothing_is_pickled() -> None:
    found = []
    for path, tree in trees():
        if path.is_relative_to(REPOSITORY / "tests"):
            continue  # tests make pickles to see them refused
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{short(path)}: imports {n}" for n in names if n.partition(".")[0] in PICKLING_MODULES]
        for name, call in calls(tree):
            allowed = any(word.arg == "allow_pickle" and ast.unparse(word.value) == "True" for word in call.keywords)
            if name in UNPICKLING or allowed:
                found.append(f"{short(path)}:{call.lineno}: {ast.unparse(call)}")
    assert found == []


def test_torch_loads_weights_only() -> None:
    found = [
        f"{short(path)}:{call.lineno}"
        for path, tree in trees()
        for name, call in calls(tree)
        if name == "torch.load" and not any(ast.unparse(word) == "weights_only=True" for word in call.keywords)
    ]
    assert found == []


def test_no_file_names_a_place_that_others_do_not_have() -> None:
    found = []
    for path in files():
        if path.suffix not in TEXT or path == OWN:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if match := PLACES.search(line):
                found.append(f"{short(path)}:{number}: {match[0]}")
    assert found == []


def test_no_file_is_larger_than_it_need_be() -> None:
    large = {short(path): path.stat().st_size for path in files() if path.stat().st_size > 8_000_000}
    assert large == {}


def test_random_numbers_come_from_a_seeded_generator() -> None:
    old = re.compile(r"\bnp\.random\.(?!default_rng|Generator|SeedSequence)\w+")
    found = [
        f"{short(path)}:{number}: {match[0]}"
        for path in python_files()
        if path != OWN
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (match := old.search(line))
    ]
    assert found == []
