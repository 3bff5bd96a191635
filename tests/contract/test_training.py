"""Training learns, repeats itself to the bit, and goes on where it was interrupted."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.checkpoint import load_checkpoint
from shared.fit import fit
from shared.fit_config import FitConfig
from shared.task import Task
from shared.verbs import train_run
from tests.contract.subject import Subject, command

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS, EPOCHS, LEFT = 40, 3, 0.2
"""One batch is shown STEPS * EPOCHS times; the loss must fall to this share of what it was before."""


class Wrapped:
    """A task with other batches."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)


class OneBatch(Wrapped):
    """The first batch again and again."""

    steps_per_epoch = STEPS

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterable[Any]:
        return itertools.repeat(next(iter(self.task.batches(0, rank, world_size))))


class Interrupted(Wrapped):
    """Ctrl-C in the second epoch."""

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterable[Any]:
        for batch in self.task.batches(epoch, rank, world_size):
            if epoch == 1:
                raise KeyboardInterrupt
            yield batch


def state(run: Path) -> dict[str, Any]:
    """What a training came to: the last state, without the seconds it took."""
    last = load_checkpoint(run / "last.ckpt")
    history = [{key: value for key, value in line.items() if key != "seconds"} for line in last["history"]]
    return {**last, "history": history}


def assert_same_bits(one: Path, other: Path) -> None:
    first, second = state(one), state(other)
    torch.testing.assert_close(first.pop("optimizers"), second.pop("optimizers"), rtol=0, atol=0)
    torch.testing.assert_close(first.pop("model"), second.pop("model"), rtol=0, atol=0)
    for part in ("epoch", "best_epoch", "history"):
        assert first[part] == second[part]
    assert (one / "best.safetensors").read_bytes() == (other / "best.safetensors").read_bytes()
    weights = Path("model") / "weights.safetensors"
    assert (one / weights).read_bytes() == (other / weights).read_bytes()


def test_one_batch_is_learnt_by_heart(subject: Subject, tmp_path: Path) -> None:
    experiment = subject.experiment(tmp_path / "unused", *subject.case.by_heart)
    torch.manual_seed(0)
    network = experiment.network()
    task = OneBatch(experiment.task(network))
    with torch.no_grad():
        before = sum(task.loss(network, next(iter(task.batches(0, 0, 1)))).values())
    config = FitConfig(epochs=EPOCHS, accelerator="cpu", progress=False)
    history = fit(task, network, config, tmp_path / "fit").history
    after = sum(history[-1]["terms"].values())
    assert after < LEFT * float(before)


def test_the_same_settings_give_the_same_bits(subject: Subject, tmp_path: Path) -> None:
    again = tmp_path / "again"
    command(subject.app, "train", "--config", subject.run / "config.yaml", "--out", again).done()
    assert_same_bits(again, subject.run)


def test_another_seed_gives_other_weights(subject: Subject, tmp_path: Path) -> None:
    train_run(subject.experiment(tmp_path / "other", "--fit.seed", "1"))
    weights = Path("best.safetensors")
    assert (tmp_path / "other" / weights).read_bytes() != (subject.run / weights).read_bytes()


def test_an_interrupted_training_goes_on_to_the_same_bits(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stopped"
    experiment = subject.experiment(folder)
    task = experiment.task
    monkeypatch.setattr(experiment, "task", lambda network: Interrupted(task(network)))
    with pytest.raises(KeyboardInterrupt):
        train_run(experiment)
    assert load_checkpoint(folder / "last.ckpt")["epoch"] == 1
    torch.manual_seed(12345)  # a new process would not stand where this one does
    subject.train(folder, "--resume", "true").done()
    assert_same_bits(folder, subject.run)


def test_settings_of_a_resumed_training_stay(subject: Subject) -> None:
    message = subject.train(subject.run, "--resume", "true", "--fit.seed", "9").refused()
    assert "fit.seed" in message


def test_a_damaged_checkpoint_is_not_continued(subject: Subject, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(subject.run, folder)
    content = (folder / "last.ckpt").read_bytes()
    (folder / "last.ckpt").write_bytes(content[: len(content) // 2])
    assert "last.ckpt" in subject.train(folder, "--resume", "true").refused()


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bits(subject: Subject, tmp_path: Path) -> None:
    more, folder = ("--fit.epochs", "12"), tmp_path / "killed"
    words = [sys.executable, "-m", subject.app.package, "train", *subject.flags(folder), *more]
    process = subprocess.Popen(words, cwd=REPOSITORY)
    deadline = time.monotonic() + 120
    while not (folder / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    epochs_kept = load_checkpoint(folder / "last.ckpt")["epoch"]
    assert 0 < epochs_kept < 12, "the kill came in the middle of the training"
    subject.train(folder, *more, "--resume", "true").done()
    subject.train(tmp_path / "whole", *more).done()
    assert_same_bits(folder, tmp_path / "whole")
