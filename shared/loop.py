"""One training as `shared.fit` runs it: the parts, what is done with them in an epoch, and what is kept on disk."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric, seed_everything
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from shared.atomic import write_text
from shared.checkpoint import load_checkpoint, load_strict, load_weights, save_checkpoint, save_weights
from shared.errors import CheckpointError, ConfigError, InputError, did_you_mean
from shared.fit_config import FitConfig
from shared.gradients import clip_gradients
from shared.progress import TrainingProgress
from shared.run import BEST, LAST, LOG
from shared.schedules import schedule_factor
from shared.task import Task

__all__ = ["Loop"]


@dataclass
class State:
    """What changes from epoch to epoch beside tensors."""

    epoch: int = 0
    """Finished epochs."""
    best_epoch: int = 0
    best_value: float = math.nan
    history: list[dict[str, Any]] = field(default_factory=list)


class Loop:
    """The parts of one training and what is done with them in an epoch."""

    def __init__(self, fabric: Fabric, task: Task, module: nn.Module, config: FitConfig, folder: Path) -> None:
        self.fabric, self.task, self.module, self.config, self.folder = fabric, task, module, config, folder
        self.model, *self.optimizers = fabric.setup(module, *task.optimizers(module))
        for group in self._groups():
            group.setdefault("initial_lr", group["lr"])
        # Made after the set-up, which moves the network to its device and gives all processes the same weights.
        self.average = _moving_average(module, config.ema) if config.ema else None
        self.factor = schedule_factor(config.schedule)
        self.updates_per_epoch = math.ceil(task.steps_per_epoch / config.accumulate)
        self.state = State()

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the monitored metric has not improved for too long."""
        waited = self.state.epoch - self.state.best_epoch
        patience = self.config.patience
        return self.state.epoch >= self.config.epochs or (patience is not None and waited >= patience)

    def run_epoch(self, progress: TrainingProgress) -> None:
        """Train, validate and save once."""
        started = time.perf_counter()
        seeds = np.random.SeedSequence([self.config.seed, self.state.epoch, self.fabric.global_rank])
        seed_everything(int(seeds.generate_state(1)[0]), verbose=False)
        terms = self._train(progress)
        metrics = self._validate()
        self.state.epoch += 1
        line = {
            "epoch": self.state.epoch,
            "lr": [float(group["lr"]) for group in self._groups()],
            "terms": terms,
            "metrics": metrics,
            "seconds": time.perf_counter() - started,
        }
        self.state.history.append(line)
        self._judge(metrics)
        if self.fabric.is_global_zero:
            self._save()
        progress.epoch(line)

    def _train(self, progress: TrainingProgress) -> dict[str, float]:
        """One epoch of steps; the mean of each term over batches and processes."""
        epoch, steps, accumulate = self.state.epoch, self.task.steps_per_epoch, self.config.accumulate
        batches = self.task.batches(epoch, self.fabric.global_rank, self.fabric.world_size)
        totals: dict[str, float] = defaultdict(float)
        done = 0
        self.model.train()
        for done, batch in enumerate(itertools.islice(batches, steps), start=1):
            first = (done - 1) // accumulate * accumulate  # batches before this group, whose last may be a short one
            last = min(first + accumulate, steps)
            with self.fabric.no_backward_sync(self.model, enabled=done < last):
                terms = self.task.loss(self.model, self.fabric.to_device(batch))
                values = _finite_values(terms, epoch + 1, done)
                self.fabric.backward(sum(terms.values()) / (last - first))
            if done == last:
                self._update(epoch * self.updates_per_epoch + first // accumulate)
            for name, value in values.items():
                totals[name] += value / steps
            progress.batch(epoch + 1, done, sum(values.values()))
        if done < steps:
            raise InputError(f"The task announced {steps} batches an epoch, but epoch {epoch + 1} ended after {done}.")
        return self._mean_over_processes(totals)

    def _update(self, update: int) -> None:
        """Step all optimisers with the learning rate of the middle of this step's share of the training."""
        factor = self.factor((update + 0.5) / (self.config.epochs * self.updates_per_epoch))
        for group in self._groups():
            if group.get("schedule", True):
                group["lr"] = group["initial_lr"] * factor
        if self.config.clip_norm is not None:
            clip_gradients((p for group in self._groups() for p in group["params"]), self.config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.module)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def _mean_over_processes(self, values: Mapping[str, float]) -> dict[str, float]:
        if self.fabric.world_size == 1:
            return dict(values)
        means = self.fabric.all_reduce(torch.tensor(list(values.values()), dtype=torch.float64), reduce_op="mean")
        return dict(zip(values, means.tolist(), strict=True))

    @property
    def _chosen(self) -> nn.Module:
        """The network that is validated and kept."""
        return self.module if self.average is None else self.average.module

    def _validate(self) -> dict[str, float]:
        metrics: dict[str, float] = {}
        if self.fabric.is_global_zero:
            self._chosen.eval()
            with torch.no_grad():
                metrics = {name: float(value) for name, value in self.task.validate(self._chosen).items()}
        return self.fabric.broadcast(metrics)

    def _judge(self, metrics: Mapping[str, float]) -> None:
        """Note whether this epoch is the best so far."""
        monitor = self.config.monitor
        if monitor is None:
            self.state.best_epoch = self.state.epoch
            return
        if monitor not in metrics:
            hint = did_you_mean(monitor, metrics) or " The task validates on nothing: hold out validation rows."
            raise ConfigError(f"fit.monitor = {monitor!r} is not a figure that the task's validation gives.{hint}")
        value, best = metrics[monitor], self.state.best_value
        better = value < best if self.config.mode == "min" else value > best
        if better or math.isnan(best):
            self.state.best_epoch, self.state.best_value = self.state.epoch, value

    def _save(self) -> None:
        """Write the state, then what follows from it: a kill in between leaves nothing that cannot be made again."""
        state = {
            "epoch": self.state.epoch,
            "best_epoch": self.state.best_epoch,
            "best_value": self.state.best_value,
            "history": self.state.history,
            "model": self.module.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        save_checkpoint(self.folder / LAST, state)
        self._save_derived()

    def _save_derived(self) -> None:
        if self.state.best_epoch == self.state.epoch:
            save_weights(self.folder / BEST, self._chosen.state_dict())
        write_text(self.folder / LOG, "".join(_log_line(line) for line in self.state.history))

    def restore(self, path: Path) -> None:
        """Take up the state of a checkpoint; ConfigError where it is further than this training is to go."""
        keys = ("epoch", "best_epoch", "best_value", "history", "model", "average", "optimizers")
        state = load_checkpoint(path, keys)
        if state["epoch"] > self.config.epochs:  # the result would not be what the settings say
            raise ConfigError(
                f"{path} has {state['epoch']} epochs behind it, fit.epochs = {self.config.epochs} was asked for: set "
                f"fit.epochs to {state['epoch']} or more, or train in a new folder."
            )
        load_strict(self.module, state["model"], origin=str(path))
        if (self.average is None) != (state["average"] is None):
            raise CheckpointError(
                f"{path} was trained {'with' if state['average'] else 'without'} fit.ema: keep it so."
            )
        if self.average is not None:
            load_strict(self.average, state["average"], origin=str(path))
        try:
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
        except ValueError as error:
            raise CheckpointError(f"The optimisers of {path} are not those of the task: {error}.") from error
        self.state = State(state["epoch"], state["best_epoch"], state["best_value"], state["history"])
        if self.fabric.is_global_zero:
            self._save_derived()

    def load_best(self) -> None:
        """Load the weights of the best epoch into the network, once the first process has written them."""
        self.fabric.barrier()
        load_strict(self.module, load_weights(self.folder / BEST), origin=str(self.folder / BEST))


def _moving_average(module: nn.Module, decay: float) -> AveragedModel:
    return AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]


def _finite_values(terms: Mapping[str, Tensor], epoch: int, step: int) -> dict[str, float]:
    """The terms as numbers, fetched from the device in one go."""
    values = dict(zip(terms, torch.stack([term.detach().float() for term in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if not math.isfinite(value):
            raise ConfigError(
                f"The loss is not finite any more: term {name!r} is {value} in epoch {epoch}, step {step}. Lower the "
                f"learning rate, set fit.clip_norm, or look for extreme values in the data."
            )
    return values


def _log_line(line: Mapping[str, Any]) -> str:
    """One line of JSON; an undefined figure (NaN) is null there."""
    metrics = {name: value if math.isfinite(value) else None for name, value in line["metrics"].items()}
    return json.dumps({**line, "metrics": metrics}, allow_nan=False) + "\n"
