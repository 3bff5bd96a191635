"""Small files, small functions, the same files in every app, and weights that a checkout can bear."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from shared.contract import App, discover
from tests.architecture.sources import REPOSITORY, python_files, short

FILE_LINES, FUNCTION_LINES, TOY_LINES = 450, 60, 150
WEIGHTS_MB, ALL_WEIGHTS_MB = 8.0, 30.0
APP_FILES = (
    "__init__.py", "__main__.py", "app.py", "config.py", "data.py", "model.py", "baselines.py", "train.py",
    "evaluate.py", "predict.py", "README.md",
)  # fmt: skip
MODEL_FILES = ("weights.safetensors", "card.json", "golden.npz", "oof.parquet")


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_small() -> None:
    assert [f"{short(path)}: {lines_of(path)}" for path in python_files() if lines_of(path) > FILE_LINES] == []


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{short(path)}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("app", discover().values(), ids=discover())
def test_every_app_has_the_same_files(app: App) -> None:
    assert [name for name in APP_FILES if not (app.folder / name).is_file()] == []
    assert list((app.folder / "presets").glob("*.yaml"))


@pytest.mark.parametrize("app", discover("tests.toys").values(), ids=discover("tests.toys"))
def test_a_toy_is_a_toy(app: App) -> None:
    paths = [path for path in app.folder.glob("*.py") if path.name != "contract_case.py"]
    assert sum(map(lines_of, paths)) < TOY_LINES


def test_shipped_models_are_whole_and_small() -> None:
    models = sorted(path for path in REPOSITORY.glob("apps/*/pretrained/*") if path.is_dir())
    assert [short(model / name) for model in models for name in MODEL_FILES if not (model / name).is_file()] == []
    megabytes = {short(path): path.stat().st_size / 1e6 for model in models for path in model.glob("weights*")}
    assert {name: size for name, size in megabytes.items() if size > WEIGHTS_MB} == {}
    assert sum(megabytes.values()) <= ALL_WEIGHTS_MB
