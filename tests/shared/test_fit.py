"""The loop: what is minimised, what is stepped, what is kept, and what is said when it cannot go on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from shared.checkpoint import load_checkpoint, load_weights
from shared.errors import ConfigError, InputError
from shared.fit import FitResult, fit, is_first_process
from shared.fit_config import FitConfig, ScheduleConfig
from shared.gradients import clip_gradients
from tests.shared.fit_toy import GLOBAL_BATCH, ROWS, ToyNet, ToyTask, toy_config

PLAIN = FitConfig(epochs=2, accelerator="cpu", progress=False)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


class Scripted(ToyTask):
    """Validation figures that are known beforehand, one for each epoch."""

    def __init__(self, figures: list[float]) -> None:
        super().__init__()
        self.figures = iter(figures)
        self.seen: list[dict[str, Tensor]] = []

    def validate(self, model: nn.Module) -> dict[str, float]:
        self.seen.append(weights(model))
        return {"auc": next(self.figures)}


def by_hand(task: ToyTask, epochs: int, accumulate: int = 1) -> ToyNet:
    """The same training written out with torch alone."""
    model = ToyNet()
    optimizers = task.optimizers(model)
    for epoch in range(epochs):
        batches = list(task.batches(epoch, 0, 1))
        for first in range(0, len(batches), accumulate):
            group = batches[first : first + accumulate]
            for batch in group:
                (sum(task.loss(model, batch).values()) / len(group)).backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
    return model


@pytest.mark.parametrize("accumulate", [1, 4])
def test_equals_a_loop_written_out_with_torch(tmp_path: Path, accumulate: int) -> None:
    result = fit(ToyTask(), ToyNet(), replace(PLAIN, accumulate=accumulate), tmp_path)
    assert_close(weights(result.model), weights(by_hand(ToyTask(), epochs=2, accumulate=accumulate)))


def test_accumulated_batches_equal_one_large_batch(tmp_path: Path) -> None:
    class Large(ToyTask):
        def __init__(self) -> None:
            super().__init__()
            self.steps_per_epoch = 1

        def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[dict[str, Tensor]]:
            small = list(super().batches(epoch, rank, world_size))
            yield {name: torch.cat([batch[name] for batch in small]) for name in small[0]}

    many = fit(ToyTask(), ToyNet(), replace(PLAIN, accumulate=ROWS // GLOBAL_BATCH), tmp_path / "many")
    one = fit(Large(), ToyNet(), PLAIN, tmp_path / "one")
    assert_close(weights(many.model), weights(one.model))


def test_log_has_one_line_an_epoch_and_equals_the_history(tmp_path: Path) -> None:
    result = fit(ToyTask(), ToyNet(), toy_config(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == result.history
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert set(lines[0]["terms"]) == {"square", "absolute"}
    assert result.metrics == lines[result.best_epoch - 1]["metrics"]
    assert lines[-1]["terms"]["square"] < lines[0]["terms"]["square"]


def test_undefined_figures_are_null_in_the_log(tmp_path: Path) -> None:
    result = fit(Scripted([math.nan, 0.5]), ToyNet(), replace(PLAIN, monitor="auc"), tmp_path)
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["metrics"] == {"auc": None}
    assert result.best_epoch == 2


@pytest.mark.parametrize(
    ("mode", "figures", "best"),
    [
        ("max", [0.2, 0.9, 0.5], 2),
        ("min", [0.2, 0.9, 0.5], 1),
        ("max", [0.2, math.nan, 0.1], 1),
        ("min", [0.3, 0.3, 0.3], 1),
        ("max", [math.nan, math.nan, math.nan], 3),
    ],
)
def test_the_best_epoch_is_kept(tmp_path: Path, mode: Any, figures: list[float], best: int) -> None:
    task = Scripted(figures)
    result = fit(task, ToyNet(), replace(PLAIN, epochs=3, monitor="auc", mode=mode), tmp_path)
    assert result.best_epoch == best
    assert_close(weights(result.model), task.seen[best - 1])
    assert_close(load_weights(tmp_path / "best.safetensors"), task.seen[best - 1])
    assert not result.model.training


def test_without_a_monitor_the_last_epoch_is_kept(tmp_path: Path) -> None:
    task = Scripted([0.9, 0.1, 0.5])
    result = fit(task, ToyNet(), replace(PLAIN, epochs=3), tmp_path)
    assert result.best_epoch == 3
    assert_close(weights(result.model), task.seen[2])


def test_stops_when_patience_is_spent(tmp_path: Path) -> None:
    config = replace(PLAIN, epochs=9, monitor="auc", mode="max", patience=2)
    result = fit(Scripted([0.1, 0.6, 0.5, 0.4, 0.9]), ToyNet(), config, tmp_path)
    assert (len(result.history), result.best_epoch) == (4, 2)


def test_the_moving_average_is_validated_and_kept(tmp_path: Path) -> None:
    decay, model = 0.7, ToyNet()
    expected: dict[str, Tensor] = {}

    class Watched(Scripted):
        def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[dict[str, Tensor]]:
            for step, batch in enumerate(super().batches(epoch, rank, world_size)):
                if step:
                    self.average()
                yield batch

        def average(self) -> None:
            for name, value in weights(model).items():
                expected[name] = decay * expected[name] + (1 - decay) * value if name in expected else value

        def validate(self, averaged: nn.Module) -> dict[str, float]:
            self.average()  # the last update of the epoch, which no batch follows
            assert averaged is not model
            return super().validate(averaged)

    task = Watched([1.0, 2.0])
    result = fit(task, model, replace(PLAIN, ema=decay), tmp_path)
    assert_close(task.seen[1], expected)
    assert_close(weights(result.model), expected)


def test_schedule_moves_every_group_but_those_that_refuse(tmp_path: Path) -> None:
    config = replace(PLAIN, epochs=3, schedule=ScheduleConfig(name="cosine"))
    result = fit(ToyTask(scheduled_words=False), ToyNet(), config, tmp_path)
    words, layers = zip(*(line["lr"] for line in result.history), strict=True)
    assert words == (0.02, 0.02, 0.02)
    assert 0.01 > layers[0] > layers[1] > layers[2] > 0


def test_a_stream_is_cut_into_epochs(tmp_path: Path) -> None:
    class Stream(ToyTask):
        asked: list[int] = []  # noqa: RUF012

        def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[dict[str, Tensor]]:
            self.asked.append(epoch)
            while True:
                yield from super().batches(epoch, rank, world_size)

    task = Stream()
    task.steps_per_epoch = 10
    result = fit(task, ToyNet(), PLAIN, tmp_path)
    assert task.asked == [0, 1]
    assert len(result.history) == 2


def test_too_few_batches_are_refused(tmp_path: Path) -> None:
    task = ToyTask()
    task.steps_per_epoch = 7
    with pytest.raises(InputError, match="announced 7 batches an epoch, but epoch 1 ended after 6"):
        fit(task, ToyNet(), PLAIN, tmp_path / "seven")
    task.steps_per_epoch = 0
    with pytest.raises(InputError, match="no batch to train on"):
        fit(task, ToyNet(), PLAIN, tmp_path / "none")


def test_loss_that_is_not_finite_names_epoch_step_and_term(tmp_path: Path) -> None:
    class Diverging(ToyTask):
        calls = 0

        def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
            self.calls += 1
            terms = super().loss(model, batch)
            return {**terms, "absolute": terms["absolute"] * (math.nan if self.calls == 9 else 1.0)}

    with pytest.raises(ConfigError, match=r"term 'absolute' is nan in epoch 2, step 3"):
        fit(Diverging(), ToyNet(), PLAIN, tmp_path)
    assert load_checkpoint(tmp_path / "last.ckpt")["epoch"] == 1  # the state before the fault is still there


def test_unknown_monitor_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'error'"):
        fit(ToyTask(), ToyNet(), replace(PLAIN, monitor="eror"), tmp_path)


def test_a_folder_that_holds_a_training_is_refused(tmp_path: Path) -> None:
    fit(ToyTask(), ToyNet(), PLAIN, tmp_path)
    with pytest.raises(ConfigError, match="already holds a training"):
        fit(ToyTask(), ToyNet(), PLAIN, tmp_path)


def test_missing_device_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be had"):
        fit(ToyTask(), ToyNet(), replace(PLAIN, accelerator="abacus"), tmp_path)


def test_torchrun_and_the_settings_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "toy")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ConfigError, match=r"started 4 processes, but fit\.devices x fit\.num_nodes is 1"):
        fit(ToyTask(), ToyNet(), PLAIN, tmp_path)


def test_mixed_precision_computes_in_16_bit_and_keeps_32_bit_weights(tmp_path: Path) -> None:
    class Watched(ToyTask):
        trained: torch.dtype
        validated: torch.dtype

        def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
            handle = model.layers[0].register_forward_hook(
                lambda _m, _i, output: setattr(self, "trained", output.dtype)
            )
            terms = super().loss(model, batch)
            handle.remove()
            return terms

        def validate(self, model: nn.Module) -> dict[str, float]:
            self.validated = model.layers[0](torch.zeros(1, 7)).dtype
            return super().validate(model)

    task = Watched()
    result = fit(task, ToyNet(), replace(PLAIN, precision="bf16-mixed"), tmp_path)
    assert (task.trained, task.validated) == (torch.bfloat16, torch.float32)
    assert {value.dtype for value in result.model.state_dict().values()} == {torch.float32}


def test_random_numbers_depend_on_seed_and_epoch_only(tmp_path: Path) -> None:
    class Drawing(ToyTask):
        def __init__(self) -> None:
            super().__init__()
            self.drawn: list[float] = []

        def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[dict[str, Tensor]]:
            self.drawn.append(torch.rand(1).item())
            return super().batches(epoch, rank, world_size)

    def draw(name: str, seed: int) -> list[float]:
        task = Drawing()
        fit(task, ToyNet(), replace(PLAIN, seed=seed), tmp_path / name)
        return task.drawn

    first, again, other = draw("a", 1), draw("b", 1), draw("c", 2)
    assert first == again
    assert len({*first, *other}) == 4


def test_progress_says_one_line_an_epoch_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(ToyTask(), ToyNet(), replace(PLAIN, progress=True), tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split("  ")[0] for line in captured.err.splitlines() if line] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"accumulate": 0},
        {"clip_norm": 0.0},
        {"ema": 1.0},
        {"seed": -1},
        {"patience": 3},
        {"monitor": "auc", "patience": 0},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"fit\."):
        FitConfig(**settings)


def test_only_distributed_trainings_have_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_first_process(replace(PLAIN, devices=2))
    for variable in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "1")
            assert is_first_process(PLAIN)
            assert not is_first_process(replace(PLAIN, devices=2))
            assert not is_first_process(replace(PLAIN, num_nodes=2))


def gradients_of(sparse: bool) -> ToyNet:
    """A network after one backward pass in which word 3 occurs twice."""
    model = ToyNet()
    model.words.sparse = sparse
    word, numbers = torch.tensor([3, 3, 5]), torch.from_numpy(np.ones((3, 3), np.float32))
    (10 * model(word, numbers)).square().sum().backward()
    return model


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_sparse_gradients_equals_torchs_clipping_of_dense_ones(max_norm: float) -> None:
    sparse, dense = gradients_of(sparse=True), gradients_of(sparse=False)
    norm = clip_gradients(sparse.parameters(), max_norm)
    expected = nn.utils.clip_grad_norm_(dense.parameters(), max_norm)
    torch.testing.assert_close(norm, expected)
    assert sparse.words.weight.grad is not None
    assert sparse.words.weight.grad.is_sparse
    for one, other in zip(sparse.parameters(), dense.parameters(), strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad.to_dense(), other.grad)


def test_result_is_the_network_that_was_passed_in(tmp_path: Path) -> None:
    model = ToyNet()
    result = fit(ToyTask(), model, PLAIN, tmp_path)
    assert isinstance(result, FitResult)
    assert result.model is model
