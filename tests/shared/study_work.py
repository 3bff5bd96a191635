"""Objectives and cells that worker processes import: light, so that a worker starts in a second."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.trial import Trial

from shared.errors import ConfigError
from shared.grid import run_grid
from shared.tune import Report, search


def space(trial: Trial) -> dict[str, Any]:
    return {"x": trial.suggest_float("x", -4, 4), "kind": trial.suggest_categorical("kind", ["a", "b"])}


def parabola(params: Mapping[str, Any], report: Report) -> float:
    return (params["x"] - 1) ** 2 + (params["kind"] == "b")


def slow_parabola(params: Mapping[str, Any], report: Report) -> float:
    time.sleep(0.2)
    return parabola(params, report)


def record(cell: Mapping[str, Any], folder: Path) -> None:
    """A cell that leaves one line per attempt and its result."""
    with (folder.parent / "attempts.txt").open("a") as stream:
        stream.write(f"{folder.name} {os.getpid()}\n")
    time.sleep(0.1)
    (folder / "result.txt").write_text(str(cell["fold"] * 10 + cell["seed"]))


def kill_once(cell: Mapping[str, Any], folder: Path) -> None:
    """As `record`, but the first process that does one cell is killed in the middle, as by a machine out of memory."""
    if cell == {"fold": 1, "seed": 0} and not (folder / "half").exists():
        (folder / "half").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    record(cell, folder)


def nap(cell: Mapping[str, Any], folder: Path) -> None:
    """A cell that takes longer than any test waits, once."""
    first = not (folder / "half").exists()
    (folder / "half").touch()
    for _ in range(600 if first else 0):
        time.sleep(0.1)  # in short ones, as work has: a signal need not wake the thread that sleeps
    record(cell, folder)


class KillOnce:
    """As `slow_parabola`, but one process is killed in the middle of the third trial or one soon after."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, params: Mapping[str, Any], report: Report) -> float:
        with (self.mark.parent / "tried.txt").open("a") as stream:
            stream.write(f"{params['x']!r}\n")
        if len((self.mark.parent / "tried.txt").read_text().split()) >= 3:
            with contextlib.suppress(FileExistsError):
                self.mark.touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        return slow_parabola(params, report)


def kill(params: Mapping[str, Any], report: Report) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


CELLS = [{"fold": fold, "seed": seed} for fold in range(3) for seed in range(2)]

if __name__ == "__main__":
    verb, folder = sys.argv[1], Path(sys.argv[2])
    if verb == "grid":
        run_grid(CELLS, kill_once, folder, heartbeat_s=1)
    elif verb == "nap":
        run_grid(CELLS, nap, folder, workers=2)
    elif verb == "deadly":
        try:
            search(kill, space, folder, n_trials=1, heartbeat_s=1)
        except ConfigError:
            sys.exit(2)
    else:
        search(KillOnce(folder / "mark"), space, folder, n_trials=6, heartbeat_s=1)
