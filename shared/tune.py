"""Search of settings by Optuna's tree-structured Parzen estimator (Bergstra et al., 2011) or at random, on a database.

The same call continues a search that was stopped or killed and returns at once when it is finished; started in several
processes or on several machines, it is one search.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from shared.errors import ConfigError
from shared.study import Direction, StudyPlace, SuperfluousTrialError, error_of, is_settled, share, work_through

__all__ = ["Objective", "Outcome", "Report", "Sampler", "SearchResult", "Space", "search"]

Report = Callable[[int, float], None]
"""report(step, value) of a trial under way; it ends the trial there when the median of the others was better."""
Objective = Callable[[Mapping[str, Any], Report], float]
"""objective(parameters, report) -> value."""
Sampler = Literal["tpe", "random"]
Space = Callable[[Trial], Mapping[str, Any]]
"""space(trial) -> parameters as plain JSON, drawn with trial.suggest_float, suggest_int and suggest_categorical."""


@dataclass(frozen=True)
class Outcome:
    """One trial of a search."""

    number: int
    params: Mapping[str, Any]
    """What `space` gave; empty where the trial ended before."""
    value: float | None
    """None where the trial failed; the last reported value where it was pruned."""
    pruned: bool
    error: str | None


@dataclass(frozen=True)
class SearchResult:
    """The best trial of a search, and all of them."""

    params: Mapping[str, Any]
    value: float
    trials: tuple[Outcome, ...]
    """Settled trials in the order of their start."""


def search(
    objective: Objective,
    space: Space,
    storage: Path | str,
    *,
    n_trials: int,
    name: str = "search",
    direction: Direction = "minimize",
    sampler: Sampler = "tpe",
    seed: int = 0,
    workers: int = 1,
    heartbeat_s: int = 20,
) -> SearchResult:
    """Look for the parameters with the best value.

    One worker with one seed always tries the same parameters, also when it was stopped and continued in between.

    Args:
        objective: a RuntimeError, ArithmeticError, MemoryError or a value that is not finite fails its trial only. With
            several workers it must be picklable, as must `space`.
        space: draws one set of parameters.
        storage: folder for study.db, or an SQLAlchemy address that several machines reach.
        n_trials: settled trials of all sessions and processes together.
        name: of the study; one database holds several.
        direction: "minimize" or "maximize".
        sampler: "tpe" learns from the trials so far, "random" draws each alone.
        seed: of the sampler; processes that you start yourself on one study need different ones.
        workers: processes on this machine. Each runs as many threads as torch takes: set OMP_NUM_THREADS.
        heartbeat_s: seconds between two signs of life; a trial that misses three is run again by another worker.

    Raises:
        ConfigError: when no trial had a value, or when the study exists with the other direction.
        CheckpointError: when study.db is damaged.
    """
    place = StudyPlace(storage, name, direction, heartbeat_s)
    place.open()  # makes the tables before several workers would
    share(functools.partial(_work, place, objective, space, n_trials, sampler, seed), workers)
    study = place.open()
    trials = [trial for trial in study.get_trials(deepcopy=False) if is_settled(trial)]
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        errors = [error for trial in trials if (error := error_of(trial))]
        raise ConfigError(f"No trial of {name!r} had a value. The last error: {errors[-1] if errors else 'none'}.")
    best = study.best_trial
    return SearchResult(best.user_attrs["params"], best.value, tuple(map(_outcome, trials)))


def _outcome(trial: FrozenTrial) -> Outcome:
    return Outcome(
        trial.number,
        trial.user_attrs.get("params", {}),
        trial.value,
        trial.state == TrialState.PRUNED,
        error_of(trial),
    )


def _work(
    place: StudyPlace, objective: Objective, space: Space, n_trials: int, sampler: Sampler, seed: int, rank: int
) -> None:
    def left(trials: Sequence[FrozenTrial]) -> int:
        """Trials still to settle."""
        return n_trials - sum(map(is_settled, trials))

    def new_sampler(n_so_far: int) -> optuna.samplers.BaseSampler:
        """One for each trial: a sampler that lives on would repeat its first draws after every restart."""
        draw = np.random.SeedSequence([seed, rank, n_so_far]).generate_state(1)[0]
        kind = optuna.samplers.TPESampler if sampler == "tpe" else optuna.samplers.RandomSampler
        return kind(seed=int(draw))

    def tell(study: optuna.Study, trial: FrozenTrial) -> None:
        """Say on stderr how a trial ended."""
        outcome = _outcome(trial)
        settled = n_trials - left(study.get_trials(deepcopy=False))
        value = "no value" if outcome.value is None else f"{outcome.value:.5g}{' (pruned)' if outcome.pruned else ''}"
        print(
            f"{place.name} {settled}/{n_trials}: {outcome.error or value} with {dict(outcome.params)}", file=sys.stderr
        )

    work_through(place, functools.partial(_value, objective, space, n_trials), left, sampler=new_sampler, tell=tell)


def _value(objective: Objective, space: Space, n_trials: int, trial: Trial) -> float:
    # Between counting the trials and starting one, another process may have started the last.
    earlier = [other for other in trial.study.get_trials(deepcopy=False) if other.number < trial.number]
    if sum(is_settled(other) or other.state == TrialState.RUNNING for other in earlier) >= n_trials:
        raise SuperfluousTrialError

    def report(step: int, value: float) -> None:
        """Note a value on the way; raises TrialPruned where the others were better by then."""
        trial.report(value, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    params = dict(space(trial))
    trial.set_user_attr("params", params)
    value = float(objective(params, report))
    if not math.isfinite(value):
        raise ArithmeticError(f"The objective is {value}")
    return value
