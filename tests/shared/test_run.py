"""The run folder: never overwritten by accident, re-runnable, and recognised by what is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from shared.cli import load_config
from shared.errors import CheckpointError, ConfigError, InputError
from shared.fit_config import FitConfig, ScheduleConfig
from shared.run import FORMAT_VERSION, Run

APP = "apps.toy"
HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Settings as a train verb has them."""

    data: Path
    """Prepared set."""
    out: Path
    """Run folder."""
    filters: tuple[int, ...] = (8, 4)
    """Filters of each block."""
    fit: FitConfig = field(default_factory=FitConfig)
    """The loop."""
    resume: bool = False
    """Go on."""


@pytest.fixture
def config(tmp_path: Path) -> ToyConfig:
    """Settings that differ from the defaults in every kind of value."""
    fit = FitConfig(epochs=3, ema=0.99, monitor="auc", mode="max", schedule=ScheduleConfig(name="cosine", warmup=0.1))
    return ToyConfig(data=tmp_path / "data", out=tmp_path / "run", filters=(5, 3, 2), fit=fit)


def start(config: ToyConfig, **changes: object) -> Run:
    settings = {"app": APP, "data_manifest_hash": HASH, "resume": config.resume, **changes}
    return Run.create(config.out, config, **settings)


def test_config_is_read_back_as_it_was(config: ToyConfig) -> None:
    run = start(config)
    assert load_config(ToyConfig, run.config) == config


def test_config_of_a_resumed_run_starts_a_run_of_its_own(config: ToyConfig) -> None:
    run = start(replace(config, resume=True))
    assert load_config(ToyConfig, run.config).resume is False


def test_env_says_what_it_was_made_with(config: ToyConfig) -> None:
    env = json.loads(start(config).env.read_text())
    assert (env["app"], env["data_manifest_hash"], env["format_version"]) == (APP, HASH, FORMAT_VERSION)
    assert env["versions"]["torch"].startswith("2.")
    assert env["device"]
    assert env["commit"] is None or len(env["commit"].removesuffix("-dirty")) == 40


def test_open_gives_the_run_that_was_created(config: ToyConfig) -> None:
    assert start(config) == Run.open(config.out) == Run.open(config.out, APP)


def test_files_lie_in_the_folder(config: ToyConfig) -> None:
    run = start(config)
    files = (run.log, run.last, run.best, run.predictions, run.outputs, run.metrics, run.report, run.model)
    assert [file.relative_to(config.out).as_posix() for file in files] == [
        "log.jsonl",
        "last.ckpt",
        "best.safetensors",
        "predictions.parquet",
        "outputs",
        "metrics.json",
        "report.html",
        "model",
    ]


def test_a_folder_with_a_run_is_refused_unless_resumed(config: ToyConfig) -> None:
    start(config)
    with pytest.raises(ConfigError, match="already holds a run"):
        start(config)
    assert start(replace(config, resume=True)).folder == config.out


def test_resume_in_an_empty_folder_starts_a_run(config: ToyConfig) -> None:
    assert Run.open(start(replace(config, resume=True)).folder).app == APP


def test_a_resumed_run_may_train_longer_but_not_otherwise(config: ToyConfig) -> None:
    start(config)
    longer = replace(config, resume=True, fit=replace(config.fit, epochs=9, progress=False))
    run = start(longer)
    assert yaml.safe_load(run.config.read_text())["fit"]["epochs"] == 3, "what was not trained yet is not told"
    run.record(longer)
    assert yaml.safe_load(run.config.read_text())["fit"]["epochs"] == 9
    with pytest.raises(ConfigError, match=r"filters \(\[5, 3, 2\] then, \[5\] now\)"):
        start(replace(longer, filters=(5,)))
    with pytest.raises(ConfigError, match=r"fit\.schedule\.warmup \(0\.1 then, 0\.2 now\)"):
        start(replace(longer, fit=replace(config.fit, schedule=ScheduleConfig(name="cosine", warmup=0.2))))


def test_a_resumed_run_keeps_its_data_and_its_app(config: ToyConfig) -> None:
    start(config)
    with pytest.raises(InputError, match="have changed since"):
        start(config, resume=True, data_manifest_hash="1" * 64)
    with pytest.raises(CheckpointError, match=r"a run of apps\.toy, not of apps\.other"):
        start(config, resume=True, app="apps.other")


def test_other_processes_leave_the_folder_to_the_first(config: ToyConfig) -> None:
    assert start(config, first_process=False).folder == config.out
    assert not config.out.exists()
    assert start(config) == start(config, first_process=False)


def test_no_run_another_app_a_newer_format_and_damage_are_told_apart(config: ToyConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder"):
        Run.open(tmp_path)
    run = start(config)
    with pytest.raises(CheckpointError, match=r"not of apps\.other"):
        Run.open(run.folder, "apps.other")
    env = json.loads(run.env.read_text())
    run.env.write_text(json.dumps({**env, "format_version": FORMAT_VERSION + 1}))
    with pytest.raises(CheckpointError, match="update"):
        Run.open(run.folder)
    run.env.write_text(json.dumps(env)[:40])
    with pytest.raises(CheckpointError, match="damaged"):
        Run.open(run.folder)
