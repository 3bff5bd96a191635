"""Search: finds the optimum, continues, repeats itself, shares one file among processes, outlives kill -9."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.storages._heartbeat import HeartbeatThread

from shared.errors import CheckpointError, ConfigError
from shared.study import StudyPlace, error_of, is_settled
from shared.tune import Report, search
from tests.shared.study_work import KillOnce, parabola, slow_parabola, space


def test_finds_the_optimum_and_keeps_every_trial(tmp_path: Path) -> None:
    result = search(parabola, space, tmp_path, n_trials=20)
    assert result.value < 0.2
    assert result.params["x"] == pytest.approx(1, abs=0.5)
    assert result.params["kind"] == "a"
    assert [trial.number for trial in result.trials] == list(range(20))
    assert result.value == min(trial.value for trial in result.trials if trial.value is not None)


def test_a_stopped_search_continues_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    whole = search(parabola, space, tmp_path / "whole", n_trials=12, seed=5)
    search(parabola, space, tmp_path / "parts", n_trials=5, seed=5)
    parts = search(parabola, space, tmp_path / "parts", n_trials=12, seed=5)
    assert parts.trials == whole.trials
    other = search(parabola, space, tmp_path / "other", n_trials=5, seed=6)
    assert other.trials != whole.trials[:5]


def test_random_draws_do_not_depend_on_the_values(tmp_path: Path) -> None:
    one = search(parabola, space, tmp_path / "one", n_trials=6, sampler="random")
    other = search(parabola, space, tmp_path / "other", n_trials=6, sampler="random", direction="maximize")
    assert [trial.params for trial in one.trials] == [trial.params for trial in other.trials]
    assert len({trial.params["x"] for trial in one.trials}) == 6
    assert other.value == max(trial.value for trial in one.trials if trial.value is not None)


def test_a_finished_search_runs_nothing(tmp_path: Path) -> None:
    first = search(parabola, space, tmp_path, n_trials=3)

    def never(params: Mapping[str, Any], report: Report) -> float:
        raise AssertionError("a trial was run")

    assert search(never, space, tmp_path, n_trials=3) == first


def test_an_interrupted_trial_is_replaced(tmp_path: Path) -> None:
    calls = 0

    def interrupted(params: Mapping[str, Any], report: Report) -> float:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return parabola(params, report)

    with pytest.raises(KeyboardInterrupt):
        search(interrupted, space, tmp_path, n_trials=4)
    assert len(search(interrupted, space, tmp_path, n_trials=4).trials) == 4
    assert calls == 5


def test_a_failing_trial_is_recorded_and_the_search_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def diverges(params: Mapping[str, Any], report: Report) -> float:
        if params["x"] < 0:
            raise FloatingPointError("the loss is not finite")
        return float("nan") if params["kind"] == "b" else params["x"]

    result = search(diverges, space, tmp_path, n_trials=8)
    errors = Counter(trial.error for trial in result.trials if trial.value is None)
    assert set(errors) == {"FloatingPointError: the loss is not finite", "ArithmeticError: The objective is nan"}
    assert result.params["x"] >= 0
    assert "search 8/8" in capsys.readouterr().err


def test_pruned_trials_end_early(tmp_path: Path) -> None:
    steps = Counter[float]()

    def learns(params: Mapping[str, Any], report: Report) -> float:
        for step in range(5):
            steps[params["x"]] += 1
            report(step, abs(params["x"] - 1))
        return abs(params["x"] - 1)

    result = search(learns, space, tmp_path, n_trials=10)
    pruned = [trial for trial in result.trials if trial.pruned]
    assert pruned
    assert all(steps[trial.params["x"]] < 5 and trial.value > result.value for trial in pruned)


def test_a_fault_of_the_program_stops_the_search(tmp_path: Path) -> None:
    def wrong(params: Mapping[str, Any], report: Report) -> float:
        raise ConfigError("there is no setting 'y'")

    with pytest.raises(ConfigError, match="no setting 'y'"):
        search(wrong, space, tmp_path, n_trials=3)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    def fails(params: Mapping[str, Any], report: Report) -> float:
        raise MemoryError("no memory left")

    with pytest.raises(ConfigError, match=r"No trial of 'search' had a value.*no memory left"):
        search(fails, space, tmp_path, n_trials=2)
    with pytest.raises(ConfigError, match="to minimize, but maximize"):
        search(parabola, space, tmp_path, n_trials=2, direction="maximize")
    with pytest.raises(ConfigError, match="workers"):
        search(parabola, space, tmp_path, n_trials=3, workers=0)
    (tmp_path / "study.db").write_bytes(b"not a database" * 100)
    with pytest.raises(CheckpointError, match="no usable study"):
        search(parabola, space, tmp_path, n_trials=2)


def test_a_trial_gives_its_first_sign_of_life_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeartbeatThread, "_record_heartbeat", lambda *_: None)  # the thread may come too late

    def looks(params: Mapping[str, Any], report: Report) -> float:
        with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as database:
            return database.execute("SELECT COUNT(*) FROM trial_heartbeats").fetchone()[0]

    assert [trial.value for trial in search(looks, space, tmp_path, n_trials=2).trials] == [1, 2]


@pytest.mark.slow
def test_a_process_killed_between_taking_a_trial_and_starting_it_blocks_nothing(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Heartbeat"):
        StudyPlace(tmp_path, "search").open().ask()
    result = search(parabola, space, tmp_path, n_trials=2, heartbeat_s=1)
    assert [trial.number for trial in result.trials] == [1, 2]


@pytest.mark.slow
def test_a_trial_that_kills_its_process_every_time_is_given_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.shared.study_work", "deadly", str(tmp_path)]
    codes = [subprocess.run(command, check=False, capture_output=True).returncode for _ in range(4)]
    assert codes == [-9, -9, -9, 2]
    (trial,) = [t for t in StudyPlace(tmp_path, "search").open().trials if is_settled(t)]
    assert error_of(trial) == "its process was killed 3 times"


@pytest.mark.slow
def test_several_workers_share_one_file(tmp_path: Path) -> None:
    result = search(slow_parabola, space, tmp_path, n_trials=14, workers=2)
    assert len(result.trials) == 14, "neither fewer nor more than asked for"
    assert len({trial.params["x"] for trial in result.trials}) == 14, "no worker repeats another's draws"


@pytest.mark.slow
def test_a_killed_workers_trial_is_run_again_by_another(tmp_path: Path) -> None:
    result = search(KillOnce(tmp_path / "mark"), space, tmp_path, n_trials=8, workers=2, heartbeat_s=1)
    assert (tmp_path / "mark").exists()
    assert len(result.trials) == 8
    assert all(trial.value is not None for trial in result.trials)
    tried = Counter((tmp_path / "tried.txt").read_text().split())
    assert sorted(tried.values()) == [1] * 7 + [2], "only the killed trial ran twice, with the same parameters"


@pytest.mark.slow
def test_a_killed_search_continues(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.shared.study_work", "search", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert len(StudyPlace(tmp_path, "search").open().trials) == 3
    assert subprocess.run(command, check=False).returncode == 0
    result = search(parabola, space, tmp_path, n_trials=6)
    assert len(result.trials) == 6
    assert max(Counter((tmp_path / "tried.txt").read_text().split()).values()) == 2
