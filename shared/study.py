"""Optuna studies on a database: trials outlive `kill -9`, and any number of processes work through one study.

A running trial gives a sign of life every few seconds. When the signs stop, whoever looks next marks the trial failed
and queues it again with the same parameters. The loop, unlike `Study.optimize(n_trials=N)`, counts the trials of all
processes and of earlier sessions, and waits for trials that others still run, in case they die.
"""

from __future__ import annotations

import datetime
import functools
import multiprocessing
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, Trial, TrialState

from shared.errors import CheckpointError, ConfigError

__all__ = ["Direction", "StudyPlace", "SuperfluousTrialError", "error_of", "is_settled", "share", "work_through"]

Direction = Literal["minimize", "maximize"]

ATTEMPTS = 3
"""How often a trial may lose its process (out of memory, for one) before it counts as failed."""
SIGNS_MISSED = 3
"""Signs of life that a trial may miss before it counts as dead."""
POLL_S = 0.5
CONNECTS = 5
"""How often to try to open a database before it counts as damaged."""
STOP_S = 30
"""How long an interrupted worker may take to say so in the database before it is killed."""
LOCK_TIMEOUT_S = 120
"""How long a process waits for another one's write to the database file."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
FAILURES = (RuntimeError, ArithmeticError, MemoryError)
"""What a trial may fail with (divergence, memory) while the study goes on; any other error stops the program."""


class SuperfluousTrialError(Exception):
    """Raised by a trial that finds its work taken: it ends without an outcome and is not tried again."""


@dataclass(frozen=True)
class StudyPlace:
    """Where a study lies; every process opens its own connection."""

    storage: Path | str
    """Folder for the file study.db, or an SQLAlchemy address of a database that several machines reach."""
    name: str
    direction: Direction = "minimize"
    heartbeat_s: int = 20
    """Seconds between two signs of life of a running trial."""

    @property
    def patience_s(self) -> int:
        """Seconds without a sign of life after which a trial is taken up again."""
        return SIGNS_MISSED * self.heartbeat_s

    def open(self) -> optuna.Study:
        """Create the study, or open it where it exists.

        Raises:
            ConfigError: when it exists with the other direction.
            CheckpointError: when the file is not a study database.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # outcomes are told by the caller, one line each
        study = optuna.create_study(
            storage=self._connect(), study_name=self.name, direction=self.direction, load_if_exists=True
        )
        if study.direction.name.lower() != self.direction:
            raise ConfigError(
                f"The study {self.name!r} in {self.storage} is to {study.direction.name.lower()}, but {self.direction} "
                f"was asked for: name another study or another folder."
            )
        return study

    def _connect(self) -> optuna.storages.RDBStorage:
        for attempt in range(CONNECTS):
            try:
                return self._storage()
            except (sqlalchemy.exc.DatabaseError, optuna.exceptions.StorageInternalError) as error:
                # Processes that start on a new file at once disturb each other while its tables are made.
                if attempt == CONNECTS - 1:
                    reason = str(error).splitlines()[0]
                    raise CheckpointError(
                        f"{self.storage} has no usable study ({reason}). Name a new folder."
                    ) from error
                time.sleep(POLL_S)
        raise AssertionError("the loop returns or raises")

    def _storage(self) -> optuna.storages.RDBStorage:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            storage = optuna.storages.RDBStorage(
                self._address(),
                engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_S}} if self._is_file() else None,
                heartbeat_interval=self.heartbeat_s,
                grace_period=self.patience_s,
                heartbeat_stale_trial_callback=_queue_again,
            )
        if self._is_file():
            sqlalchemy.event.listen(storage.engine, "begin", _lock_whole_transaction)
        return storage

    def _is_file(self) -> bool:
        return "://" not in str(self.storage)

    def _address(self) -> str:
        if not self._is_file():
            return str(self.storage)
        folder = Path(self.storage).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder / 'study.db'}"


def work_through(
    place: StudyPlace,
    body: Callable[[Trial], float],
    left: Callable[[Sequence[FrozenTrial]], int],
    *,
    sampler: Callable[[int], optuna.samplers.BaseSampler] | None = None,
    tell: Callable[[optuna.Study, FrozenTrial], None],
) -> None:
    """Run trials in this process until none is left, whoever else works on the study.

    Args:
        place: the study.
        body: the objective; it may raise TrialPruned, SuperfluousTrialError, or one of `FAILURES`, which fails its
            trial only.
        left: how many trials are still to be finished (running ones included), from all trials so far.
        sampler: number of trials so far -> sampler of the next one.
        tell: called after each trial of this process that has an outcome.
    """
    study = place.open()
    waits = False
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():  # a worker whose parent was killed finishes its trial, then goes
        _take_up_dead_trials(study, place.patience_s)
        trials = study.get_trials(deepcopy=False)
        remaining = left(trials)
        if remaining <= 0:
            return
        running = sum(trial.state == TrialState.RUNNING for trial in trials)
        if remaining <= running:
            if not waits:
                _say(f"{place.name}: waiting for {running} that other processes run; where one was killed, its work "
                     f"is taken up within {place.patience_s} s")  # fmt: skip
            waits = True
            time.sleep(POLL_S)
            continue
        if sampler is not None:
            study.sampler = sampler(len(trials))
        study.optimize(
            functools.partial(_recorded, body),
            n_trials=1,
            catch=(*FAILURES, SuperfluousTrialError),
            callbacks=[_if_settled(tell)],
        )


def is_settled(trial: FrozenTrial) -> bool:
    """Whether a trial has its outcome: a value, pruned, its own failure, or too many lost processes.

    A trial that was interrupted is not settled: another one takes its place.
    """
    if trial.state == TrialState.FAIL:
        return error_of(trial) is not None
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def error_of(trial: FrozenTrial) -> str | None:
    """The last line of what a failed trial failed with; None where it did not fail by itself."""
    if "error" in trial.user_attrs:
        return str(trial.user_attrs["error"]).strip().splitlines()[-1]
    if trial.state == TrialState.FAIL and _attempt(trial) >= ATTEMPTS:
        return f"its process was killed {ATTEMPTS} times"
    return None


def share(target: Callable[[int], None], workers: int) -> None:
    """Run `target(rank)` in several processes, and then here.

    Ctrl-C stops the workers too, each after it has marked its trial as interrupted. The last call, with rank
    `workers`, returns at once where the work is done; where workers were killed it does the rest, and where they met an
    error it meets the same one and raises it here.

    Args:
        target: picklable (a function of a module, or a `functools.partial` of one), because workers are new processes.
        workers: how many; 1 means this process alone.

    Raises:
        ConfigError: when `workers` is less than 1.
    """
    if workers < 1:
        raise ConfigError(f"The number of workers must be 1 or more, found {workers}.")
    context = multiprocessing.get_context("spawn")  # a fork would copy locks of torch and of the database
    processes = [context.Process(target=_worker, args=(target, rank)) for rank in range(workers if workers > 1 else 0)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:
        _stop([process for process in processes if process.is_alive()])
    target(len(processes))


def _lock_whole_transaction(connection: sqlalchemy.Connection) -> None:
    """Begin a transaction with the write lock.

    Optuna reads a trial `FOR UPDATE` before it takes it, which SQLite ignores: two processes would take the same trial.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.isolation_level = None  # or the driver would begin one of its own
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _stop(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(STOP_S)
        process.kill()


def _worker(target: Callable[[int], None], rank: int) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt_once)
    try:
        target(rank)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        _say(f"Worker {rank} stopped: {type(error).__name__}: {error}")
        sys.exit(1)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    # Ctrl-C reaches a worker from the terminal, then from its parent: the second must not disturb the last words.
    for stop in STOP_SIGNALS:
        signal.signal(stop, _pass_over)  # with SIG_IGN Python complains where both come at once
    raise KeyboardInterrupt


def _pass_over(number: int, frame: FrameType | None) -> None:
    pass


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _if_settled(
    tell: Callable[[optuna.Study, FrozenTrial], None],
) -> Callable[[optuna.Study, FrozenTrial], None]:
    return lambda study, trial: tell(study, trial) if is_settled(trial) else None


def _recorded(body: Callable[[Trial], float], trial: Trial) -> float:
    # Optuna's thread writes the first sign of life a little later; a process killed before would never count as dead.
    trial.storage.record_heartbeat(trial._trial_id)
    trial.set_user_attr("started", True)
    try:
        return body(trial)
    except FAILURES:
        trial.set_user_attr("error", traceback.format_exc())
        raise


def _attempt(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get("attempt", 1))


def _queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a trial that lost its process, with the same parameters, unless that happened too often."""
    if _attempt(trial) >= ATTEMPTS:
        return
    kept = {name: value for name, value in trial.user_attrs.items() if name != "started"}
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={**kept, "attempt": _attempt(trial) + 1},
            system_attrs=trial.system_attrs,
        )
    )


def _take_up_dead_trials(study: optuna.Study, patience_s: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    # A process killed between taking a trial and its first sign of life leaves one that Optuna would never call stale.
    latest = datetime.datetime.now() - datetime.timedelta(seconds=patience_s)
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        if "started" not in trial.user_attrs and trial.datetime_start < latest:
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
                continue  # another process was faster
            _queue_again(study, trial)
