"""ONNX files: same answers at sizes that were never traced, clear refusals, nothing half done."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from shared.errors import ConfigError
from shared.export import export_onnx
from tests.shared.test_predictor import detector

LENGTH = {"x": {0: "batch", 2: "samples"}}


class Pyramid(nn.Module):
    """Needs lengths that are multiples of four; two outputs of different shapes, one of them dense."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv1d(1, 3, 4, stride=4)
        self.up = nn.ConvTranspose1d(3, 1, 4, stride=4)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        low = torch.relu(self.norm(self.down(x)))
        return {"dense": self.up(low) + x, "score": low.amax(dim=(1, 2))}


class Lookup(nn.Module):
    """Integer ids of an embedding beside floats, as a table row has them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        return torch.cat([self.embedding(ids).flatten(1), values], dim=1).sum(1)


class Branching(nn.Module):
    """Takes one of two ways by the length of its input; an export knows only the way of the traced example."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 2)) if x.shape[2] > 40 else x.amax(dim=(1, 2))


class OneLength(nn.Module):
    """Cannot take another length, whatever is declared."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


def shape_of(session: Any, name: str) -> list[Any]:
    return next(item.shape for item in [*session.get_inputs(), *session.get_outputs()] if item.name == name)


def test_parity_and_named_dynamic_axes_of_several_outputs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Pyramid().train()
    path = tmp_path / "pyramid.onnx"
    difference = export_onnx(
        network, (torch.randn(1, 1, 16),), path, input_names=["x"], output_names=["score", "dense"], dynamic=LENGTH
    )
    assert 0 <= difference < 1e-5
    assert network.training, "the caller's network stays as it was"
    session = onnxruntime.InferenceSession(path.read_bytes())
    assert shape_of(session, "x") == ["batch", 1, "samples"]
    x = np.random.default_rng(0).standard_normal((5, 1, 44)).astype(np.float32)
    score, dense = session.run(None, {"x": x})
    assert score.shape == (5,)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(x))
    np.testing.assert_allclose(dense, expected["dense"], atol=1e-5)
    np.testing.assert_allclose(score, expected["score"], atol=1e-5)
    assert [entry.name for entry in tmp_path.iterdir()] == ["pyramid.onnx"], "one file, weights inside"
    onnx.checker.check_model(onnx.load(path))


def test_integer_and_float_inputs_share_an_axis(tmp_path: Path) -> None:
    example = (torch.tensor([[0, 6, 2], [1, 5, 3]]), torch.randn(2, 2))
    axes = {"ids": {0: "rows"}, "values": {0: "rows"}}
    difference = export_onnx(
        Lookup(), example, tmp_path / "a.onnx", input_names=["ids", "values"], output_names=["logit"], dynamic=axes
    )
    assert difference < 1e-5


def test_a_fixed_size_may_be_exported_too(tmp_path: Path) -> None:
    path = tmp_path / "fixed.onnx"
    example = (torch.randn(1, 1, 16),)
    assert export_onnx(Pyramid(), example, path, input_names=["x"], output_names=["dense"], dynamic={}) < 1e-5
    assert shape_of(onnxruntime.InferenceSession(path.read_bytes()), "x") == [1, 1, 16]


@pytest.mark.parametrize(("network", "complaint"), [(Branching(), "differ by"), (OneLength(), "cannot be exported")])
def test_a_network_for_one_size_only_is_refused(network: nn.Module, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"an older file")
    with pytest.raises(ConfigError, match=complaint):
        export_onnx(network, (torch.randn(2, 1, 16),), path, input_names=["x"], output_names=["y"], dynamic=LENGTH)
    assert path.read_bytes() == b"an older file"


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"onnxruntime.*neural-suite\[export\]"):
        detector().to_onnx(tmp_path / "net.onnx")


def test_a_predictor_exports_its_network(tmp_path: Path) -> None:
    assert detector().to_onnx(tmp_path / "tone.onnx") < 1e-5
    session = onnxruntime.InferenceSession((tmp_path / "tone.onnx").read_bytes())
    assert shape_of(session, "input") == ["batch", 1, "samples"]
