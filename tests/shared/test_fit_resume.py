"""A training that is interrupted and resumed gives the same bits as one that was not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from shared.checkpoint import load_checkpoint, load_weights, save_checkpoint
from shared.errors import CheckpointError, ConfigError
from shared.fit import fit
from tests.shared.fit_toy import ToyNet, ToyTask, toy_config

REPOSITORY = Path(__file__).resolve().parents[2]
DROPOUT = 0.2


class Interrupted(ToyTask):
    """A task during whose third epoch the user presses Ctrl-C."""

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[dict[str, Tensor]]:
        for step, batch in enumerate(super().batches(epoch, rank, world_size)):
            if (epoch, step) == (2, 3):
                raise KeyboardInterrupt
            yield batch


def assert_same_training(one: Path, other: Path) -> None:
    """Weights, optimisers, average and figures agree to the last bit."""
    a, b = (load_checkpoint(folder / "last.ckpt") for folder in (one, other))
    for part in ("model", "average", "optimizers"):
        torch.testing.assert_close(a[part], b[part], rtol=0, atol=0)
    strip = [{key: line[key] for key in ("epoch", "lr", "terms", "metrics")} for line in a["history"]]
    assert strip == [{key: line[key] for key in ("epoch", "lr", "terms", "metrics")} for line in b["history"]]
    first, second = (load_weights(folder / "best.safetensors") for folder in (one, other))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A training that nothing interrupted."""
    fit(ToyTask(), ToyNet(DROPOUT), toy_config(), tmp_path / "whole")
    return tmp_path / "whole"


def test_ctrl_c_costs_one_epoch_and_the_rest_is_bitwise_the_same(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), ToyNet(DROPOUT), toy_config(), folder)
    assert "--resume true" in capsys.readouterr().err
    assert load_checkpoint(folder / "last.ckpt")["epoch"] == 2
    torch.manual_seed(99)  # what the new process drew before it resumes must not matter
    result = fit(ToyTask(), ToyNet(DROPOUT, seed=7), toy_config(), folder, resume=True)
    assert_same_training(whole, folder)
    assert len(result.history) == 4


def test_resuming_a_finished_training_trains_no_more(whole: Path) -> None:
    before = (whole / "last.ckpt").read_bytes()
    result = fit(ToyTask(), ToyNet(DROPOUT, seed=7), toy_config(), whole, resume=True)
    assert (whole / "last.ckpt").read_bytes() == before
    torch.testing.assert_close(dict(result.model.state_dict()), load_weights(whole / "best.safetensors"))


def test_a_finished_training_can_be_prolonged(whole: Path) -> None:
    result = fit(ToyTask(), ToyNet(DROPOUT), toy_config(epochs=6), whole, resume=True)
    assert [line["epoch"] for line in result.history] == [1, 2, 3, 4, 5, 6]


def test_a_training_cannot_be_resumed_to_less_than_it_has_behind_it(whole: Path) -> None:
    kept = (whole / "last.ckpt").read_bytes()
    with pytest.raises(ConfigError, match=r"4 epochs behind it, fit\.epochs = 3 was asked for: set .* 4 or more"):
        fit(ToyTask(), ToyNet(DROPOUT), toy_config(epochs=3), whole, resume=True)
    assert (whole / "last.ckpt").read_bytes() == kept


def test_resume_without_a_checkpoint_starts(whole: Path, tmp_path: Path) -> None:
    fit(ToyTask(), ToyNet(DROPOUT), toy_config(), tmp_path / "fresh", resume=True)
    assert_same_training(whole, tmp_path / "fresh")


def test_what_was_not_written_after_the_checkpoint_is_made_again(whole: Path) -> None:
    log, best = (whole / "log.jsonl").read_bytes(), (whole / "best.safetensors").read_bytes()
    assert json.loads(log.splitlines()[-1])["metrics"] == load_checkpoint(whole / "last.ckpt")["history"][-1]["metrics"]
    (whole / "log.jsonl").unlink()
    (whole / "best.safetensors").unlink()
    fit(ToyTask(), ToyNet(DROPOUT), toy_config(), whole, resume=True)
    assert (whole / "log.jsonl").read_bytes() == log
    assert (whole / "best.safetensors").read_bytes() == best


def test_a_checkpoint_of_another_training_is_refused(whole: Path) -> None:
    with pytest.raises(CheckpointError, match=r"without|with fit\.ema"):
        fit(ToyTask(), ToyNet(DROPOUT), toy_config(ema=None), whole, resume=True)

    class OneOptimizer(ToyTask):
        def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
            return super().optimizers(model)[1:]

    with pytest.raises(CheckpointError, match="optimisers"):
        fit(OneOptimizer(), ToyNet(DROPOUT), toy_config(), whole, resume=True)
    wider = ToyNet(DROPOUT)
    wider.layers.append(torch.nn.Linear(1, 1))
    with pytest.raises(CheckpointError, match="do not fit the network"):
        fit(ToyTask(), wider, toy_config(), whole, resume=True)


def test_a_checkpoint_without_the_loops_entries_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.ckpt", {"epoch": 1})
    with pytest.raises(CheckpointError, match="lacks average"):
        fit(ToyTask(), ToyNet(), toy_config(), tmp_path, resume=True)


@pytest.mark.slow
def test_kill_9_in_the_middle_of_an_epoch(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "tests.shared.fit_toy", str(folder), "--dropout", str(DROPOUT)]
    process = subprocess.Popen([*command, "--pause", "0.2"], cwd=REPOSITORY)
    deadline = time.monotonic() + 120
    while not (folder / "log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # well inside the second epoch, which takes 6 x 0.2 s
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert load_checkpoint(folder / "last.ckpt")["epoch"] < 4
    subprocess.run([*command, "--resume"], cwd=REPOSITORY, check=True, timeout=120)
    assert_same_training(whole, folder)
