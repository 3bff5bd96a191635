"""Who may import whom, and what an import costs."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from shared.contract import App, discover
from tests.architecture.sources import REPOSITORY
from tests.contract.case import APPS

LISTING_CPU_S = 0.5
HEAVY = ("torch", "matplotlib", "sklearn", "scipy", "pandas", "optuna", "lightning_fabric", "pyarrow")


def extras_of(repository: Path) -> dict[str, list[str]]:
    """The optional dependency groups of pyproject.toml: extra -> requirement lines."""
    with (repository / "pyproject.toml").open("rb") as stream:
        return tomllib.load(stream)["project"]["optional-dependencies"]


def modules_after(program: str) -> set[str]:
    """The modules that a fresh process has loaded after a program."""
    shown = f"{program}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", shown], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
        ).stdout.split()
    )


def top_modules(requirement: str) -> set[str]:
    """What a requirement line of pyproject.toml brings, by the names it is imported under; nothing if not installed."""
    name = requirement.partition(";")[0]
    for mark in "<>=!~[ ":
        name = name.partition(mark)[0]
    provided = metadata.packages_distributions()
    wanted = name.lower().replace("_", "-")
    return {m for m, owners in provided.items() if wanted in {owner.lower().replace("_", "-") for owner in owners}}


def test_the_layers_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([program, "--no-cache"], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("package", ["apps", "shared", "data_prep", *(app.package for app in APPS.values())])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    loaded = modules_after(f"import {package}")
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_the_declaration_and_the_settings_load_nothing_heavy(app: App) -> None:
    loaded = modules_after(f"from shared.contract import load, verbs_of\nfrom {app.package}.app import APP\n"
                           "for verb in verbs_of(APP).values(): load(verb.config)")  # fmt: skip
    assert [name for name in HEAVY if name in loaded] == []


ALONE: dict[str, list[App]] = {
    **{app.name: [app] for app in discover().values()},
    "toys": [*discover("tests.toys").values()],
}
"""Apps that are imported in one process: each by itself, and the toys together, to save time."""


@pytest.mark.parametrize("apps", ALONE.values(), ids=ALONE)
def test_an_app_loads_neither_another_app_nor_its_libraries(apps: list[App]) -> None:
    references = [reference for app in apps for reference in (app.predictor, app.experiment)]
    loaded = modules_after(f"from shared.contract import load\nfor reference in {references}: load(reference)")
    names = {app.name for app in apps}
    packages = {name.partition(".")[0] + "." + name.split(".")[1] for name in loaded if name.startswith("apps.")}
    assert packages <= {app.package for app in apps}
    assert not any(name.partition(".")[0] == "data_prep" for name in loaded)
    extras = extras_of(REPOSITORY)
    own, foreign = (
        {m for app in discover() if (app in names) == mine for line in extras.get(app, []) for m in top_modules(line)}
        for mine in (True, False)
    )
    assert sorted((foreign - own) & loaded) == []


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_public_names_are_lazy_and_there(app: App) -> None:
    package = importlib.import_module(app.package)
    for name in getattr(package, "__all__", ()):
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = package.no_such_name


def test_listing_the_apps_is_fast() -> None:
    program = (
        "import resource, sys\nfrom apps.__main__ import main\nmain([])\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\nprint(usage.ru_utime + usage.ru_stime)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert all(name in shown for name in discover())
    assert float(shown.split()[-1]) < LISTING_CPU_S


@pytest.mark.parametrize("app", discover().values(), ids=discover())
def test_an_app_has_an_extra_that_all_includes(app: App) -> None:
    extras = extras_of(REPOSITORY)
    assert app.name in extras
    assert any(app.name in line for line in extras["all"])
