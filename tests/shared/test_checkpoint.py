"""Nothing damaged, foreign or misshapen is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from shared.checkpoint import load_checkpoint, load_strict, load_weights, save_checkpoint, save_weights
from shared.errors import CheckpointError

STATE = {
    "epoch": 3,
    "history": [{"loss": 0.5, "note": None}],
    "model": {"weight": torch.arange(64.0)},
    "optimizers": [{"state": {0: {"step": torch.tensor(4.0)}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.99)}]}],
}


@pytest.fixture
def weights(tmp_path: Path) -> tuple[Path, str]:
    """A safetensors file and its hash."""
    path = tmp_path / "weights.safetensors"
    return path, save_weights(path, network().state_dict())


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_weights_come_back_bit_for_bit(weights: tuple[Path, str]) -> None:
    torch.testing.assert_close(load_weights(*weights), dict(network().state_dict()), rtol=0, atol=0)


def test_the_hash_is_that_of_the_file_and_of_the_content_only(weights: tuple[Path, str], tmp_path: Path) -> None:
    again = save_weights(tmp_path / "again.safetensors", network().state_dict())
    assert again == weights[1]
    assert len(again) == 64


def test_one_flipped_bit_is_found_by_the_hash(weights: tuple[Path, str]) -> None:
    path, sha256 = weights
    flip(path, -3)
    with pytest.raises(CheckpointError, match="damaged or not those of the card"):
        load_weights(path, sha256)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated_weights_are_refused_without_a_hash_too(weights: tuple[Path, str], kept: int) -> None:
    path = weights[0]
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="truncated"):
        load_weights(path)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_weights(tmp_path / "none.safetensors")


def test_half_stores_float32_in_half_the_size_and_leaves_the_rest(tmp_path: Path) -> None:
    state = {
        "w": torch.tensor([1.5, -torch.inf]),
        "counts": torch.arange(3),
        "fine": torch.ones(2, dtype=torch.float64),
    }
    save_weights(tmp_path / "half.safetensors", state, half=True)
    loaded = load_weights(tmp_path / "half.safetensors")
    assert {name: value.dtype for name, value in loaded.items()} == {
        "w": torch.float16,
        "counts": torch.int64,
        "fine": torch.float64,
    }
    torch.testing.assert_close(loaded["w"].float(), state["w"])


def test_half_refuses_weights_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="65504"):
        save_weights(tmp_path / "half.safetensors", {"w": torch.tensor([1e6])}, half=True)
    assert not list(tmp_path.iterdir())


def test_tensors_that_share_memory_and_views_can_be_saved(tmp_path: Path) -> None:
    tied = torch.arange(6.0).reshape(2, 3)
    save_weights(tmp_path / "tied.safetensors", {"a": tied, "b": tied, "c": tied.T})
    loaded = load_weights(tmp_path / "tied.safetensors")
    torch.testing.assert_close(loaded, {"a": tied, "b": tied, "c": tied.T})


def test_strict_loading_copies_every_tensor() -> None:
    state = {name: torch.full_like(value, 2) for name, value in network().state_dict().items()}
    model = network()
    load_strict(model, {name: value.half() for name, value in state.items()}, "a file")
    torch.testing.assert_close(dict(model.state_dict()), state)


def without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: without(state, "0.bias"), "missing: 0.bias"),
        (lambda state: {**state, "2.bias": torch.zeros(4)}, "unexpected: 2.bias"),
        (lambda state: {**state, "0.bias": torch.zeros(1)}, r"0.bias \(network \(4,\), file \(1,\)\)"),
        (lambda state: {f"module.{name}": value for name, value in state.items()}, "and 3 more"),
    ],
)
def test_strict_loading_refuses_and_leaves_the_network_alone(change: object, said: str) -> None:
    model = network()
    state = change({name: value + 1 for name, value in model.state_dict().items()})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=said):
        load_strict(model, state, "a file")
    torch.testing.assert_close(dict(model.state_dict()), before)


def test_checkpoint_comes_back_and_needs_no_pickle(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.ckpt", STATE)
    torch.testing.assert_close(load_checkpoint(tmp_path / "last.ckpt", STATE), STATE)
    torch.load(tmp_path / "last.ckpt", weights_only=True)


def test_checkpoint_with_objects_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.ckpt", {"path": Path("somewhere")})
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "last.ckpt")


def test_checkpoint_without_the_keys_asked_for_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.ckpt", STATE)
    with pytest.raises(CheckpointError, match="lacks average, seed"):
        load_checkpoint(tmp_path / "last.ckpt", ("epoch", "seed", "average"))


def test_missing_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("epoch 3")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "text.ckpt")


@given(place=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=40)
def test_truncated_checkpoint_is_refused(tmp_path_factory: pytest.TempPathFactory, place: float) -> None:
    path = tmp_path_factory.mktemp("truncated") / "last.ckpt"
    save_checkpoint(path, STATE)
    content = path.read_bytes()
    path.write_bytes(content[: int(place * len(content))])
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


@given(place=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=100)
def test_flipped_bit_is_found_or_without_effect(tmp_path_factory: pytest.TempPathFactory, place: float) -> None:
    """Padding between the records may change; a number may not."""
    path = tmp_path_factory.mktemp("flipped") / "last.ckpt"
    save_checkpoint(path, STATE)
    flip(path, int(place * path.stat().st_size))
    try:
        state = load_checkpoint(path, STATE)
    except CheckpointError:
        return
    torch.testing.assert_close(state, STATE, rtol=0, atol=0)


def test_flipped_bit_in_a_weight_is_found(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, STATE)
    stored = STATE["model"]["weight"].numpy().tobytes()
    flip(path, path.read_bytes().index(stored) + 17)
    with pytest.raises(CheckpointError, match="checksums"):
        load_checkpoint(path)
