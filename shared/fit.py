r"""The training loop: one function, `fit`, over a task object, on lightning-fabric.

An epoch is exactly `steps_per_epoch` batches in each process, whether they come from rows or from an endless stream.
After each epoch the whole state is in `last.ckpt`, so that a kill, a power cut or Ctrl-C costs at most the epoch that
was running. All random numbers restart from (seed, epoch, rank) when an epoch begins; on a CPU with the same number of
threads a resumed training therefore gives the same bits as one that was never interrupted.

The gradient of a step is the mean over the `accumulate` batches of each process and over the processes; it is the
gradient of the mean over the whole global batch where all of them hold equally many items, as the loss of a batch is
usually a mean. Two processes then train like one with twice the batch.

Several devices of one machine: `--fit.devices 4`; the first process starts the others, which run the same command.
Several machines, with a folder that all of them see as `--out`, in one of three ways:

    # on each machine, counting NODE_RANK from 0 where MASTER_ADDR is
    MASTER_ADDR=host0 MASTER_PORT=29500 NODE_RANK=0 python -m apps.NAME train ... --fit.devices 4 --fit.num_nodes 2
    # the same through torchrun
    torchrun --nnodes 2 --node_rank 0 --nproc_per_node 4 --master_addr host0 --master_port 29500 \
        -m apps.NAME train ... --fit.devices 4 --fit.num_nodes 2
    # a script of one's own through Fabric's launcher
    fabric run --devices 4 --num-nodes 2 --node-rank 0 --main-address host0 script.py

SLURM is recognised without any of these. `fit` returns in every process; use `is_first_process` where something must
happen once, such as writing a report.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from shared.errors import ConfigError, InputError
from shared.fit_config import FitConfig
from shared.loop import Loop
from shared.progress import TrainingProgress
from shared.run import LAST
from shared.task import Task

__all__ = ["FitResult", "Task", "fit", "is_first_process"]


@dataclass(frozen=True)
class FitResult:
    """What `fit` gives back."""

    model: nn.Module
    """The network that was passed in, with the weights of the best epoch, in evaluation mode."""
    best_epoch: int
    """Number of the epoch the weights are from, counted from 1."""
    metrics: dict[str, float]
    """What `validate` gave in that epoch."""
    history: list[dict[str, Any]]
    """The lines of log.jsonl: epoch (from 1), lr (one for each parameter group), terms, metrics, seconds."""


def is_first_process(config: FitConfig) -> bool:
    """Whether this process is the one that writes; true for all where the training is not distributed.

    It can be asked before `fit`, that is, before the processes know each other.
    """
    if config.devices * config.num_nodes == 1:
        return True
    ranks = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")  # of torchrun, SLURM and Fabric's own launcher
    return all(os.environ.get(rank, "0") == "0" for rank in ranks)


def fit(task: Task, model: nn.Module, config: FitConfig, folder: Path, *, resume: bool = False) -> FitResult:
    """Train `model` on `task`.

    Writes log.jsonl, last.ckpt and best.safetensors into `folder`, each of them whole or not at all.

    Args:
        task: see `Task`.
        model: a fresh network; it is trained in place.
        config: see `FitConfig`.
        folder: of the run.
        resume: continue from last.ckpt with the same settings (the number of epochs may grow, and the schedule then
            follows the new total); where there is none, start.

    Raises:
        ConfigError: `folder` holds a training already, or one of more epochs than it is to be resumed to; the device is
            not there; the monitored metric is not among those of `validate`; the loss is not finite any more (with
            epoch, step and term).
        InputError: `steps_per_epoch` is 0, or `batches` ended before it was reached.
        CheckpointError: last.ckpt or best.safetensors is damaged, or is not of this network and these optimisers.
        KeyboardInterrupt: Ctrl-C, after a line on stderr that says what is kept and how to go on.
    """
    last = Path(folder) / LAST
    if last.exists() and not resume:
        raise ConfigError(f"{folder} already holds a training. Choose another folder, or continue it with resume.")
    if task.steps_per_epoch < 1:
        raise InputError("The task has no batch to train on: fewer training rows were selected than one batch takes.")
    fabric = _launch(config)
    loop = Loop(fabric, task, model, config, Path(folder))
    if last.exists():
        loop.restore(last)
    shown = config.progress and fabric.is_global_zero
    try:
        with TrainingProgress(config.epochs, task.steps_per_epoch, shown=shown) as progress:
            while not loop.finished:
                loop.run_epoch(progress)
    except KeyboardInterrupt:
        if fabric.is_global_zero:
            kept = f"{last} keeps the epochs that had ended" if last.exists() else "no epoch had ended"
            told = "The same command goes on from there; train needs --resume true for it."
            print(f"Stopped; {kept}. {told}", file=sys.stderr)
        raise
    loop.load_best()
    best = loop.state.history[loop.state.best_epoch - 1]
    return FitResult(model.eval(), loop.state.best_epoch, best["metrics"], loop.state.history)


def _launch(config: FitConfig) -> Fabric:
    processes, started = config.devices * config.num_nodes, os.environ.get("WORLD_SIZE")
    if "TORCHELASTIC_RUN_ID" in os.environ and started != str(processes):  # all would train alone, into one folder
        raise ConfigError(f"torchrun started {started} processes, but fit.devices x fit.num_nodes is {processes}.")
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            precision=config.precision,
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        wanted = f"{config.num_nodes} x {config.devices} {config.accelerator!r}"
        raise ConfigError(f"fit.num_nodes x fit.devices fit.accelerator = {wanted} cannot be had: {error}") from error
    fabric.launch()
    return fabric
