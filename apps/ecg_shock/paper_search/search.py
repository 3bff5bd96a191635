"""`search`: how Krasteva et al. 2020 came to an architecture, a learning rate and a duration.

Architectures of 1-7 blocks are drawn at random, trained, and ranked by validation balanced accuracy; of every training
the epoch of its highest value counts. The median filters and kernels of the few highest ranked then stand for their
depth: they are trained at several learning rates, and the best of these is scored on windows of 2 to 10 s. All
trainings lie in grids (`shared.grid`), so that the same command continues a search, on any number of machines.

The epoch is chosen on the rows that rank, so the values flatter all architectures alike: they rank, they do not
measure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from apps.ecg_shock.config import SearchConfig, TrainConfig
from apps.ecg_shock.paper_search.architectures import Architecture, draw, median
from apps.ecg_shock.paper_search.candidates import RESULT, described, score_durations, train, validation
from apps.ecg_shock.paper_search.search_report import budget, depth_comparison, depth_sentence, write_findings
from apps.ecg_shock.train import ShockExperiment
from shared.atomic import read_json
from shared.contract import App
from shared.errors import ConfigError
from shared.grid import run_grid
from shared.metrics.binary import BALANCED_ACCURACY
from shared.run import WIDER_STUDY, Run
from shared.verb_config import training_settings

__all__ = ["search"]

Entry = dict[str, Any]

ARCHITECTURES, RATES, DURATIONS = "architectures", "rates", "durations"
"""The stages of a search, and the folders of their grids."""


def search(app: App, config: SearchConfig) -> None:
    """Go through all stages; the same command continues a search that was stopped, and may ask for more trials.

    Raises:
        ConfigError: no validation rows are held out, they lack one of the two sides, `most_macs` leaves nothing to
            draw, or the folder holds a search with other settings.
    """
    training = _training(config)
    experiment = ShockExperiment(training)
    _check_validation(experiment)
    drawn = draw(config.trials, config.fit.seed, config.most_macs)
    may_change = WIDER_STUDY | {"rates", "top"}
    manifest_hash = experiment.prepared.manifest_hash
    run = Run.create(config.out, config, app.package, manifest_hash, resume=True, may_change=may_change)
    trials = [{"architecture": architecture.name} for architecture in drawn.architectures]
    ranking = sorted(_trained(training, trials, ARCHITECTURES, config.workers), key=lambda entry: -entry["value"])
    medians = _durations(training, _sweep(training, _medians(ranking, config.top), config), config.workers)
    run.record(config)
    findings: dict[str, Any] = {
        "metric": f"validation {BALANCED_ACCURACY.name}",
        "top": config.top,
        "ranking": ranking,
        "medians": medians,
        "depth": depth_comparison(ranking, medians, config.top),
        "budget": budget(ranking, medians),
    }
    write_findings(config.out, findings, _facts(config, experiment, drawn.passed_over), experiment.prepared.manifest)
    best = ranking[0]
    print(
        f"best of {len(ranking)}: {findings['metric']} {best['value']:.4f} with filters {best['filters']} and kernels "
        f"{best['kernels']}. {depth_sentence(findings['depth'])} All in {config.out / 'search.html'} and search.json"
    )


def _training(config: SearchConfig) -> TrainConfig:
    """The settings that all trainings of a search share."""
    if config.split.validation is None:
        raise ConfigError("A search ranks on validation rows: give --split.validation the fold to hold out for it.")
    training = training_settings(config, TrainConfig)
    settings = dataclasses.replace(training.fit, monitor=BALANCED_ACCURACY.name, mode="max", progress=False)
    return dataclasses.replace(training, fit=settings)


def _check_validation(experiment: ShockExperiment) -> None:
    found = set(validation(experiment)[1].tolist())
    for label, name in ((1, "shock"), (0, "no shock")):
        if label not in found:
            raise ConfigError(
                f"Nothing can be ranked: the validation rows (split.validation = "
                f"{experiment.config.split.validation!r}) hold no window labelled {name!r}. Hold out another fold."
            )


def _trained(training: TrainConfig, cells: Sequence[Mapping[str, Any]], stage: str, workers: int) -> list[Entry]:
    """Train what is not trained yet; one entry for each cell."""
    done = run_grid(cells, partial(train, training), training.out / stage, workers=workers)
    return [read_json(cell.folder / RESULT) for cell in done]


def _medians(ranking: Sequence[Entry], top: int) -> list[Entry]:
    """For each depth that was tried the median of its highest ranked architectures."""
    medians = []
    for blocks in sorted({entry["blocks"] for entry in ranking}):
        best = [entry for entry in ranking if entry["blocks"] == blocks][:top]
        middle = median([Architecture(tuple(entry["filters"]), tuple(entry["kernels"])) for entry in best])
        medians.append({"architecture": middle.name, **described(middle), "median_of": len(best)})
    return medians


def _sweep(training: TrainConfig, medians: Sequence[Entry], config: SearchConfig) -> list[Entry]:
    """Each depth's median architecture with its trainings, one at each rate, and the rate and value of the best."""
    rates = sorted(config.rates)
    cells = [{"architecture": entry["architecture"], "learning_rate": rate} for entry in medians for rate in rates]
    trainings = _trained(training, cells, RATES, config.workers)
    swept = []
    for number, entry in enumerate(medians):
        own = trainings[number * len(rates) : (number + 1) * len(rates)]
        best = max(own, key=lambda trained: trained["value"])
        swept.append({**entry, "rates": own, "learning_rate": best["learning_rate"], "value": best["value"]})
    return swept


def _durations(training: TrainConfig, medians: Sequence[Entry], workers: int) -> list[Entry]:
    """Each depth, trained at its best rate, with its values on shorter and longer windows."""
    cells = [{key: entry[key] for key in ("architecture", "learning_rate")} for entry in medians]
    work = partial(score_durations, training, training.out / RATES)
    done = run_grid(cells, work, training.out / DURATIONS, workers=workers)
    return [{**entry, **read_json(cell.folder / RESULT)} for entry, cell in zip(medians, done, strict=True)]


def _facts(config: SearchConfig, experiment: ShockExperiment, passed_over: int) -> dict[str, str]:
    """What a reader must know before the numbers."""
    rows, split, fit, draws = validation(experiment)[0], config.split, config.fit, config.draws
    patients = len(set(experiment.windows.index["patient"][rows].tolist()))
    limit = "no limit" if config.most_macs is None else f"at most {config.most_macs / 1e6:g} million MAC per 5 s"
    return {
        "ranked on": f"{split.validation} of split {split.name!r}: {len(rows)} windows, {patients} patients",
        "held out from all": "nothing" if split.test is None else str(split.test),
        "architectures": f"{config.trials} tried, {limit}; {passed_over} more were drawn and passed over",
        "each training": (
            f"{fit.epochs} epochs of {draws.batches} batches ({draws.shock} shock and {draws.other} other windows), "
            f"{fit.schedule.name} learning rate, {config.learning_rate:g} at its peak while architectures are ranked; "
            f"{fit.precision}, seed {fit.seed}"
        ),
    }
