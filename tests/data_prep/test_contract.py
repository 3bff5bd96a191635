"""Sources: found by being there, imported only when they declare one, each as its contract says."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path

import pytest

from data_prep.contract import Source, discover, find_source
from shared.contract import load
from shared.errors import ConfigError

DECLARATION = """
from data_prep.contract import Source
SOURCE = Source(name="{name}", title="Tones", licence="CC0-1.0", config="{module}:Config", synth="{module}:make")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "made_up_sources"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for module in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[module]


def test_only_modules_that_declare_a_source_are_imported(package: Path) -> None:
    (package / "tones.py").write_text(DECLARATION.format(name="tones", module="made_up_sources.tones"))
    (package / "heavy.py").write_text("from made_up_sources.tones import SOURCE\nraise RuntimeError('imported')\n")
    assert list(discover([package.name])) == ["tones"]


def test_a_name_is_given_once(package: Path) -> None:
    for module in ("a", "b"):
        (package / f"{module}.py").write_text(DECLARATION.format(name="tones", module=f"made_up_sources.{module}"))
    with pytest.raises(ConfigError, match=r"'tones' is declared in made_up_sources\.a and in made_up_sources\.b"):
        discover([package.name])


def test_an_option_stands_for_one_source_only(package: Path) -> None:
    for name in ("a", "b"):
        text = DECLARATION.format(name=name, module=f"made_up_sources.{name}").replace(")\n", ', implied_by="tone")\n')
        (package / f"{name}.py").write_text(text)
    with pytest.raises(ConfigError, match="'a' and 'b' are both implied by --tone"):
        discover([package.name])


def test_a_source_makes_something() -> None:
    with pytest.raises(ConfigError, match="makes nothing"):
        Source(name="x", title="x", licence="x", config="a:b")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no data source 'ecg_shok'. Did you mean 'ecg_shock'"):
        find_source("ecg_shok")


@pytest.mark.parametrize("source", discover().values(), ids=lambda source: source.name)
def test_every_source_keeps_its_contract(source: Source) -> None:
    config = load(source.config)
    assert dataclasses.is_dataclass(config)
    assert config.__dataclass_params__.frozen
    assert not {field.name for field in dataclasses.fields(config)} & {"paths", "out", "config"}
    config()  # every option has a default
    assert source.title
    assert source.licence
    for reference, parameters in (
        (source.prepare, ["paths", "out", "config"]),
        (source.synth, ["out", "items", "seed"]),
    ):
        if reference:
            assert list(inspect.signature(load(reference)).parameters) == parameters
