"""An app declares itself completely, and says what it can do in a moment."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.contract import App, load, verbs_of
from shared.experiment import Experiment
from shared.predictor import Predictor
from tests.contract.case import APPS

REPOSITORY = Path(__file__).resolve().parents[2]
HELP_CPU_S = 0.5
EXPECTED_VERBS = ("train", "evaluate", "crossval", "predict", "export", "card")
WORDS = [(app, name) for app in APPS.values() for name in ("", *verbs_of(app))]

MEASURED = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as leaving:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print("measured", leaving.code, usage.ru_utime + usage.ru_stime, "torch" in sys.modules)
"""


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_the_declaration_is_complete(app: App) -> None:
    for field in ("package", "title", "primary_metric", "scored_unit", "resampling_unit"):
        assert getattr(app, field).strip(), field
    experiment = load(app.experiment)
    assert issubclass(experiment, Experiment)
    assert issubclass(load(app.predictor), Predictor)
    assert experiment.app is app
    assert load(app.predictor).app == app.package
    assert experiment.primary_metric().name == app.primary_metric
    assert 0 < app.batch_tolerance < 1
    assert app.demo is None or callable(load(app.demo))


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_every_verb_loads_and_its_settings_are_frozen(app: App) -> None:
    verbs = verbs_of(app)
    assert [name for name in EXPECTED_VERBS if name not in verbs] == []
    for name, verb in verbs.items():
        settings = load(verb.config)
        assert callable(load(verb.run)), name
        assert settings.__dataclass_params__.frozen, name
        assert verb.help, name
        assert set(verb.positional) <= {field.name for field in dataclasses.fields(settings)}, name


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_every_preset_is_there(app: App) -> None:
    missing = [name for name in app.presets if not (app.folder / "presets" / f"{name}.yaml").is_file()]
    assert missing == []


@pytest.mark.parametrize(("app", "verb"), WORDS, ids=[f"{app.name} {verb}".strip() for app, verb in WORDS])
def test_help_is_fast_and_needs_no_torch(app: App, verb: str) -> None:
    words = [sys.executable, "-c", MEASURED, app.package, *([verb] if verb else []), "--help"]
    shown = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, env={**os.environ}, check=True).stdout
    *_, code, seconds, with_torch = shown.split()
    assert (code, with_torch) == ("0", "False")
    assert float(seconds) < HELP_CPU_S
    assert (f"--{'config' if verb else 'help'}") in shown
