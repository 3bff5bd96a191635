"""Grids of work (folds, seeds, variants), a folder for each cell, continued where they were stopped or killed.

A grid is an Optuna study of enqueued trials, so that several processes and machines share it; what counts as done is
decided by the marker in a cell's folder alone.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from shared.atomic import read_json, write_json
from shared.errors import ConfigError
from shared.study import StudyPlace, SuperfluousTrialError, error_of, share, work_through

__all__ = ["Cell", "Work", "cell_folder", "collect", "run_grid"]

DONE = "done.json"
LONGEST_NAME = 100

Work = Callable[[Mapping[str, Any], Path], None]
"""work(cell, folder) does one cell. A folder that is not empty comes from a killed attempt: continue or overwrite."""


@dataclass(frozen=True)
class Cell:
    """A finished cell."""

    values: Mapping[str, Any]
    folder: Path
    seconds: float


def run_grid(
    cells: Sequence[Mapping[str, Any]], work: Work, folder: Path, *, workers: int = 1, heartbeat_s: int = 20
) -> list[Cell]:
    """Do every cell that is not done yet.

    Args:
        cells: plain JSON; more may be added in a later call. Done ones that are no longer named stay where they are.
        work: with several workers it must be picklable. A RuntimeError, ArithmeticError or MemoryError fails its cell,
            the others go on; any other error stops the grid.
        folder: holds study.db and the folder of each cell, `cell_folder(folder, cell)`.
        workers: processes on this machine. Each runs as many threads as torch takes: set OMP_NUM_THREADS.
        heartbeat_s: seconds between two signs of life; a cell that misses three is done again by another worker.

    Returns:
        The finished cells in the order of `cells`.

    Raises:
        ConfigError: when cells failed (all others are done by then), when two have one name, or are no plain JSON.
    """
    named = _named(cells)
    place = StudyPlace(folder, "grid", heartbeat_s=heartbeat_s)
    _enqueue(place.open(), named, folder)
    share(functools.partial(_work_cells, place, work, folder, len(named)), workers)
    finished = {cell.folder.name: cell for cell in collect(folder)}
    failed = [name for name in named if name not in finished]
    if failed:
        raise ConfigError(
            f"{len(failed)} of {len(named)} cells failed: {_errors(place.open(), failed)}. The same command tries "
            f"them again; the others are kept."
        )
    return [finished[name] for name in named]


def collect(folder: Path) -> list[Cell]:
    """The finished cells of a grid, by name."""
    markers = [(path.parent, read_json(path)) for path in sorted(folder.glob(f"*/{DONE}"))]
    return [Cell(marker["cell"], place, marker["seconds"]) for place, marker in markers]


def cell_folder(folder: Path, cell: Mapping[str, Any]) -> Path:
    """Where a grid in `folder` keeps a cell: "fold=0,seed=1", with a hash where values are long or no file names.

    Raises:
        ConfigError: when the cell is no plain JSON.
    """
    try:
        content = json.dumps(cell, sort_keys=True)
    except TypeError as error:
        raise ConfigError(f"A cell must be plain JSON, found {dict(cell)}: {error}.") from error
    name = ",".join(f"{key}={value}" for key, value in cell.items())
    plain = re.sub(r"[^A-Za-z0-9=,._+-]+", "_", name)[:LONGEST_NAME]
    if plain == name and not name.startswith("."):
        return folder / name
    return folder / f"{plain.lstrip('.')}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _named(cells: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    named: dict[str, Mapping[str, Any]] = {}
    for cell in cells:
        name = cell_folder(Path(), cell).name
        if name in named:
            raise ConfigError(f"Two cells of the grid are called {name!r}: {named[name]} and {cell}.")
        named[name] = cell
    return named


def _enqueue(study: optuna.Study, named: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    under_way = {
        trial.user_attrs.get("name")
        for trial in study.get_trials(deepcopy=False, states=[TrialState.WAITING, TrialState.RUNNING])
    }
    for name, cell in named.items():
        if name not in under_way and not (folder / name / DONE).is_file():
            study.enqueue_trial({}, user_attrs={"name": name, "cell": dict(cell)})


def _work_cells(place: StudyPlace, work: Work, folder: Path, n_cells: int, rank: int) -> None:
    def left(trials: Sequence[FrozenTrial]) -> int:
        return sum(trial.state in (TrialState.WAITING, TrialState.RUNNING) for trial in trials)

    def tell(study: optuna.Study, trial: FrozenTrial) -> None:
        name, error = trial.user_attrs.get("name"), error_of(trial)
        outcome = f"failed: {error}" if error else f"done in {trial.duration.total_seconds():.1f} s"
        print(f"grid {len(collect(folder))}/{n_cells}: {name} {outcome}", file=sys.stderr, flush=True)

    work_through(place, functools.partial(_work_cell, work, folder), left, tell=tell)


def _work_cell(work: Work, folder: Path, trial: Trial) -> float:
    """Do the cell of a trial; its value is the seconds it took."""
    name = trial.user_attrs.get("name")
    if name is None or (folder / name / DONE).is_file() or _runs_elsewhere(trial, name):
        raise SuperfluousTrialError  # another process took the last cell, or was faster with this one
    start = time.monotonic()
    (folder / name).mkdir(parents=True, exist_ok=True)
    work(trial.user_attrs["cell"], folder / name)
    seconds = time.monotonic() - start
    write_json(folder / name / DONE, {"cell": trial.user_attrs["cell"], "seconds": round(seconds, 3)})
    return seconds


def _runs_elsewhere(trial: Trial, name: str) -> bool:
    """Whether an earlier trial does the same cell: two processes that start one grid at once may both enqueue it."""
    running = trial.study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    return any(other.number < trial.number and other.user_attrs.get("name") == name for other in running)


def _errors(study: optuna.Study, names: Sequence[str]) -> str:
    last = {trial.user_attrs.get("name"): error_of(trial) for trial in study.get_trials(deepcopy=False)}
    return "; ".join(f"{name} ({last.get(name) or 'interrupted'})" for name in names)
