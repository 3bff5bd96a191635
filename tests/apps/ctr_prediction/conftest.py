"""A made-up log and a model of it, for all tests of the app that need one."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.ctr_prediction.predict import ClickPredictor
from data_prep.synth import ctr_prediction as synth
from tests.apps.ctr_prediction.quick import QUICK, ask


@pytest.fixture(scope="session")
def made_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2000 made-up impressions, prepared."""
    folder = tmp_path_factory.mktemp("clicks") / "set"
    synth.prepare(folder, items=2000)
    return folder


@pytest.fixture(scope="session")
def made_run(made_set: Path) -> Path:
    """A run of a small network on them, calibrated on a fold that it was not trained on."""
    folder = made_set.parent / "run"
    assert ask("train", *QUICK, "--data", made_set, "--out", folder, "--split.validation", "1") == 0
    return folder


@pytest.fixture(scope="session")
def predictor(made_run: Path) -> ClickPredictor:
    """That model; whoever changes it loads one of its own."""
    return ClickPredictor.from_pretrained(made_run)
