"""A model on disk answers as it did when it was saved, or is refused."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shared.card import FORMAT_VERSION, Card
from shared.errors import CheckpointError
from tests.contract.answers import assert_alike
from tests.contract.subject import Subject


@pytest.fixture
def model(subject: Subject, tmp_path: Path) -> Path:
    """A copy of the run's model that may be spoilt."""
    return Path(shutil.copytree(subject.run / "model", tmp_path / "model"))


def spoilt(model: Path) -> Iterator[str]:
    """What is wrong with the model now: one file has a flipped bit, is cut in half, or is missing."""
    for path in sorted(model.iterdir()):
        content = path.read_bytes()
        for place in sorted({0, len(content) // 3, len(content) // 2, len(content) - 1}):
            path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
            yield f"bit {place} of {path.name}"
        path.write_bytes(content[: len(content) // 2])
        yield f"half of {path.name}"
        if path.name != "card.json":  # a folder without a card is no model: a wrong name rather than damage
            path.unlink()
            yield f"{path.name} missing"
        path.write_bytes(content)


def test_a_model_saved_again_is_the_same_model(subject: Subject, model: Path, tmp_path: Path) -> None:
    loaded = subject.predictor_class.from_pretrained(model)
    loaded.save_pretrained(tmp_path / "again")
    for path in model.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name
    again = subject.predictor_class.from_pretrained(tmp_path / "again")
    for item in subject.case.inputs():
        assert_alike(loaded.predict(item, **subject.case.keywords), again.predict(item, **subject.case.keywords), 0.0)


def test_golden_outputs_are_met(subject: Subject) -> None:
    assert subject.predictor.check_golden() <= subject.predictor.golden_tolerance


def test_a_spoilt_file_is_refused(subject: Subject, model: Path) -> None:
    for fault in spoilt(model):
        with pytest.raises(CheckpointError):
            pytest.fail(f"accepted with {fault}: {subject.predictor_class.from_pretrained(model).card.label}")


@pytest.mark.parametrize("change", [{"app": "apps.another"}, {"format_version": FORMAT_VERSION + 1}], ids=str)
def test_another_apps_and_a_newer_model_are_refused(subject: Subject, model: Path, change: dict[str, object]) -> None:
    dataclasses.replace(Card.read(model / "card.json"), **change).write(model / "card.json")
    with pytest.raises(CheckpointError, match=r"apps\.another|update"):
        subject.predictor_class.from_pretrained(model)


def test_weights_of_another_network_are_refused(subject: Subject, model: Path) -> None:
    card = Card.read(model / "card.json")
    dataclasses.replace(card, network={**card.network, "unknown": 1}, weights_sha256="0" * 64).write(
        model / "card.json"
    )
    with pytest.raises(CheckpointError):
        subject.predictor_class.from_pretrained(model)


def test_onnx_answers_like_the_network(subject: Subject, tmp_path: Path) -> None:
    if subject.app.onnx_core is None:
        pytest.skip("the app declares no ONNX core")
    onnxruntime = pytest.importorskip("onnxruntime")
    predictor = subject.predictor
    assert predictor.to_onnx(tmp_path / "network.onnx") <= 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_inputs()] == list(predictor.input_names)
    assert [node.name for node in session.get_outputs()] == list(predictor.output_names)
    example = predictor.example()
    found = session.run(None, dict(zip(predictor.input_names, (tensor.numpy() for tensor in example), strict=True)))
    for output, expected in zip(found, predictor.forward(*example), strict=True):
        np.testing.assert_allclose(output, expected.numpy(), atol=1e-4)
