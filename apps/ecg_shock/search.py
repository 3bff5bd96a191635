"""`search`: random architectures on the grid of Krasteva et al. 2020, ranked by validation balanced accuracy.

The paper drew N = 1..7 blocks with 5-50 filters and kernels of 5-100 samples, and kept of every training the epoch of
highest validation balanced accuracy. That epoch is chosen on the rows that rank the architectures, so the values
flatter all of them alike: they rank, they do not measure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from optuna.trial import Trial

from apps.ecg_shock.config import NetworkConfig, SearchConfig, TrainConfig
from apps.ecg_shock.train import ShockExperiment
from shared.atomic import write_json
from shared.contract import App
from shared.errors import ConfigError
from shared.fit import fit
from shared.metrics.binary import BALANCED_ACCURACY
from shared.prepared import PreparedSet
from shared.run import WIDER_STUDY, Run
from shared.tune import Report
from shared.tune import search as search_study
from shared.verb_config import training_settings

__all__ = ["FILTERS", "KERNELS", "architecture", "search"]

BLOCKS = (1, 7)
FILTERS = (5, 50)
KERNELS = (5, 100)


def architecture(trial: Trial) -> dict[str, Any]:
    """Draw one architecture: blocks, then filters and kernel length of each (the paper's Table 2)."""
    blocks = trial.suggest_int("blocks", *BLOCKS)
    return {
        "filters": [trial.suggest_int(f"filters {block}", *FILTERS) for block in range(blocks)],
        "kernels": [trial.suggest_int(f"kernel {block}", *KERNELS) for block in range(blocks)],
    }


def search(app: App, config: SearchConfig) -> None:
    """Try architectures until `config.trials` are settled; the same command continues a search that was stopped.

    Raises:
        ConfigError: no validation rows are held out, or the folder holds a search with other settings.
    """
    if config.split.validation is None:
        raise ConfigError("A search ranks on validation rows: give --split.validation the fold to hold out for it.")
    manifest_hash = PreparedSet(config.data).manifest_hash
    run = Run.create(config.out, config, app.package, manifest_hash, resume=True, may_change=WIDER_STUDY)
    training = training_settings(config, TrainConfig)
    result = search_study(
        partial(_validated, training),
        architecture,
        config.out,
        n_trials=config.trials,
        direction="maximize",
        seed=config.fit.seed,
        workers=config.workers,
        sampler="random",
    )
    ranking = sorted(
        ({"value": trial.value, **trial.params} for trial in result.trials if trial.value is not None),
        key=lambda trial: -trial["value"],
    )
    run.record(config)
    write_json(config.out / "search.json", {"metric": f"validation {BALANCED_ACCURACY.name}", "ranking": ranking})
    print(
        f"best of {len(ranking)}: validation {BALANCED_ACCURACY.name} {result.value:.4f} with {dict(result.params)}; "
        f"all in {config.out / 'search.json'}"
    )


def _validated(training: TrainConfig, params: Mapping[str, Any], report: Report) -> float:
    """The highest validation balanced accuracy of any epoch of one architecture."""
    del report  # the paper trains every architecture to the end
    network = NetworkConfig(filters=tuple(params["filters"]), kernels=tuple(params["kernels"]))
    settings = dataclasses.replace(training.fit, monitor=BALANCED_ACCURACY.name, mode="max", progress=False)
    experiment = ShockExperiment(dataclasses.replace(training, network=network, fit=settings))
    folder = training.out / "trials" / _name(network)
    torch.manual_seed(settings.seed)
    net = experiment.network()
    result = fit(experiment.task(net), net, settings, folder, resume=True)
    return result.metrics[BALANCED_ACCURACY.name]


def _name(network: NetworkConfig) -> str:
    blocks = zip(network.filters, network.kernels, strict=True)
    return "_".join(f"{filters}x{kernel}" for filters, kernel in blocks)
