"""One candidate of a search: an architecture at a learning rate, trained, ranked and scored at several durations.

A candidate is a cell of a grid (`shared.grid`): "architecture", a name, and "learning_rate", where it is not that of
the settings. What is found lies in its folder as result.json.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from apps.ecg_shock.config import NetworkConfig, TrainConfig
from apps.ecg_shock.data import readable, training_rows
from apps.ecg_shock.paper_search.architectures import Architecture
from apps.ecg_shock.robustness.durations import excerpts
from apps.ecg_shock.train import ShockExperiment
from shared.atomic import write_json
from shared.checkpoint import load_strict, load_weights
from shared.fit import fit
from shared.grid import cell_folder
from shared.metrics.binary import BALANCED_ACCURACY, decide
from shared.run import BEST

__all__ = ["DURATIONS_S", "RESULT", "described", "score_durations", "train", "validation"]

RESULT = "result.json"
DURATIONS_S = (2, 3, 4, 5, 8, 10)
"""What a defibrillator may take for one decision, in seconds."""
BATCH = 512


def train(training: TrainConfig, candidate: Mapping[str, Any], folder: Path) -> None:
    """Train from the last whole epoch on; result.json keeps the highest validation balanced accuracy and the cost.

    Args:
        training: settings of all candidates, with that metric as the one that chooses the epoch.
        candidate: the cell.
        folder: of this training.
    """
    experiment, net = _set_up(training, candidate)
    task = experiment.task(net)
    result = fit(task, net, experiment.config.fit, folder, resume=True)
    entry = {
        "value": result.metrics[BALANCED_ACCURACY.name],
        "epoch": result.best_epoch,
        **described(Architecture.named(candidate["architecture"])),
        "learning_rate": experiment.config.learning_rate,
        "epochs": len(result.history),
        "batches": len(result.history) * task.steps_per_epoch,
        "seconds": round(sum(line["seconds"] for line in result.history), 3),
        "threads": torch.get_num_threads(),
    }
    write_json(folder / RESULT, entry)
    print(
        f"{candidate['architecture']} at {entry['learning_rate']:g}: {entry['value']:.4f} in epoch {entry['epoch']}",
        file=sys.stderr,
        flush=True,
    )


def described(architecture: Architecture) -> dict[str, Any]:
    """Sizes and cost of an architecture, as the results hold them."""
    return {
        "blocks": architecture.blocks,
        "filters": list(architecture.filters),
        "kernels": list(architecture.kernels),
        "parameters": architecture.parameters,
        "macs": architecture.macs,
    }


def _set_up(training: TrainConfig, candidate: Mapping[str, Any]) -> tuple[ShockExperiment, nn.Module]:
    """The experiment of a candidate, and its network before the first step."""
    architecture = Architecture.named(candidate["architecture"])
    network = NetworkConfig(
        filters=architecture.filters, kernels=architecture.kernels, dropout=training.network.dropout
    )
    rate = candidate.get("learning_rate", training.learning_rate)
    experiment = ShockExperiment(dataclasses.replace(training, network=network, learning_rate=rate))
    torch.manual_seed(training.fit.seed)
    return experiment, experiment.network()


def validation(experiment: ShockExperiment) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.int64]]:
    """The rows that rank, with their labels."""
    return training_rows(experiment.windows, experiment.rows("validation"), irregular_vt=False)


def score_durations(training: TrainConfig, trained: Path, candidate: Mapping[str, Any], folder: Path) -> None:
    """Balanced accuracy of a trained candidate for each duration, into result.json.

    Args:
        training: settings of all candidates.
        trained: folder of the grid in which the candidate was trained.
        candidate: the cell, the same as there.
        folder: of this cell.
    """
    started = time.perf_counter()
    experiment, net = _set_up(training, candidate)
    weights = cell_folder(trained, candidate) / BEST
    load_strict(net, load_weights(weights), origin=str(weights))
    rows = validation(experiment)[0]
    scores = []
    for duration in DURATIONS_S:
        chosen = excerpts(experiment.windows, duration).inside(rows)
        windows = [readable(window.ecg, window.sampling_rate) for window in chosen.read()]
        value = _balanced_accuracy(net.eval(), windows, experiment.windows.index["target"][chosen.rows])
        scores.append({"duration_s": duration, "windows": len(windows), "value": value})
    cost = {"seconds": round(time.perf_counter() - started, 3), "threads": torch.get_num_threads()}
    write_json(folder / RESULT, {"durations": scores, **cost})


@torch.inference_mode()
def _balanced_accuracy(
    net: nn.Module, windows: Sequence[npt.NDArray[np.float32]], target: npt.NDArray[np.generic]
) -> float | None:
    """Of windows cut to the shortest of them; None where one side is missing."""
    if not windows:
        return None
    samples = min(map(len, windows))
    ecg = np.stack([window[:samples] for window in windows])[:, None]
    parts = [torch.from_numpy(ecg[start : start + BATCH]) for start in range(0, len(ecg), BATCH)]
    probability = torch.cat([torch.sigmoid(net(part)[0]) for part in parts]).numpy()
    value = BALANCED_ACCURACY(decide({"target": target, "probability": probability}, 0.5))
    return value if np.isfinite(value) else None
