"""Grids: every cell once, continued after errors and kills, shared by processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from shared.errors import ConfigError, InputError
from shared.grid import cell_folder, collect, run_grid
from shared.study import StudyPlace
from tests.shared.study_work import CELLS, kill_once, record


def attempts(folder: Path) -> Counter[str]:
    return Counter(line.split()[0] for line in (folder / "attempts.txt").read_text().splitlines())


def running(folder: Path) -> int:
    return len(StudyPlace(folder, "grid").open().get_trials(states=[TrialState.RUNNING]))


def test_every_cell_is_done_once_in_its_own_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished = run_grid(CELLS, record, tmp_path)
    assert [cell.values for cell in finished] == CELLS
    assert [(cell.folder / "result.txt").read_text() for cell in finished] == ["0", "1", "10", "11", "20", "21"]
    assert finished[3].folder == tmp_path / "fold=1,seed=1" == cell_folder(tmp_path, CELLS[3])
    assert all(cell.seconds >= 0.1 for cell in finished)
    assert "grid 6/6: fold=2,seed=1 done in" in capsys.readouterr().err
    assert run_grid(CELLS, record, tmp_path) == finished
    assert set(attempts(tmp_path).values()) == {1}
    assert sorted(collect(tmp_path), key=lambda cell: cell.folder) == finished


def test_a_grid_may_grow(tmp_path: Path) -> None:
    run_grid(CELLS[:2], record, tmp_path)
    assert len(run_grid(CELLS[:3], record, tmp_path)) == 3
    assert set(attempts(tmp_path).values()) == {1}


def test_a_failed_cell_lets_the_others_go_on_and_is_tried_again(tmp_path: Path) -> None:
    def diverges(cell: Mapping[str, Any], folder: Path) -> None:
        if cell["fold"] == 1 and not (tmp_path / "mended").exists():
            raise RuntimeError("the loss is not finite")
        record(cell, folder)

    with pytest.raises(ConfigError, match=r"2 of 6 cells failed: fold=1,seed=0 \(RuntimeError: the loss is not finite"):
        run_grid(CELLS, diverges, tmp_path)
    assert len(collect(tmp_path)) == 4
    (tmp_path / "mended").touch()
    assert len(run_grid(CELLS, diverges, tmp_path)) == 6
    assert set(attempts(tmp_path).values()) == {1}


@pytest.mark.parametrize("fault", [KeyboardInterrupt, InputError])
def test_a_stop_in_a_cell_stops_the_grid_which_continues(tmp_path: Path, fault: type[BaseException]) -> None:
    def stops(cell: Mapping[str, Any], folder: Path) -> None:
        if cell == {"fold": 1, "seed": 0} and not any(folder.iterdir()):
            (folder / "half").touch()
            raise fault
        record(cell, folder)

    with pytest.raises(fault):
        run_grid(CELLS, stops, tmp_path)
    assert len(collect(tmp_path)) == 2
    assert running(tmp_path) == 0
    assert len(run_grid(CELLS, stops, tmp_path)) == 6
    assert set(attempts(tmp_path).values()) == {1}


@pytest.mark.parametrize(
    "cell", [{"path": "a/../b c"}, {"name": "ä" * 80}, {".hidden": 1}, {"layers": [1, 2, {"k": None}]}]
)
def test_any_cell_gets_a_folder_of_its_own(cell: dict[str, Any], tmp_path: Path) -> None:
    other = json.loads(json.dumps(cell).replace("a", "b").replace("1", "2").replace("u00e4", "u00e5"))
    folders = {cell_folder(tmp_path, cell), cell_folder(tmp_path, other), cell_folder(tmp_path, {"a": 1})}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path and not folder.name.startswith(".") for folder in folders)
    assert all(len(os.fsencode(folder.name)) < 150 for folder in folders)


def test_cells_that_cannot_be_told_apart_or_stored_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Two cells of the grid are called 'fold=1'"):
        run_grid([{"fold": 1}, {"fold": "1"}], record, tmp_path)
    with pytest.raises(ConfigError, match="plain JSON"):
        run_grid([{"fold": tmp_path}], record, tmp_path)


@pytest.mark.slow
def test_a_killed_grid_continues(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.shared.study_work", "grid", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert len(collect(tmp_path)) == 2
    assert subprocess.run(command, check=False).returncode == 0
    assert len(collect(tmp_path)) == 6
    assert set(attempts(tmp_path).values()) == {1}


@pytest.mark.slow
def test_workers_share_a_grid_and_outlive_each_other(tmp_path: Path) -> None:
    finished = run_grid(CELLS, kill_once, tmp_path, workers=2, heartbeat_s=1)
    assert [cell.values for cell in finished] == CELLS
    assert set(attempts(tmp_path).values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("everybody", [True, False], ids=["from the terminal", "to the parent alone"])
def test_ctrl_c_leaves_no_cell_of_a_worker_running(tmp_path: Path, everybody: bool) -> None:
    command = [sys.executable, "-m", "tests.shared.study_work", "nap", str(tmp_path)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*/half"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    (os.killpg if everybody else os.kill)(process.pid, signal.SIGINT)
    process.wait(timeout=30)
    assert running(tmp_path) == 0
    start = time.monotonic()
    assert len(run_grid(CELLS, record, tmp_path)) == 6
    assert time.monotonic() - start < 30


def test_waiting_for_a_cell_of_another_process_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="Heartbeat"):
        StudyPlace(tmp_path, "grid").open().ask()  # a process that took a trial and died before its first sign of life
    run_grid(CELLS[:1], record, tmp_path, heartbeat_s=1)
    assert capsys.readouterr().err.count("grid: waiting for 1 that other processes run") == 1
