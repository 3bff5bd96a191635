"""Weights and training state on disk: written whole, read without pickle, and never loaded when damaged.

Weights (`.safetensors`) are what a model is; their SHA-256 stands in its card, because the format itself would load a
flipped bit without a word. Checkpoints (`.ckpt`) are what a training needs to go on; torch writes them as a zip archive
with a CRC-32 of every record, which `torch.load` does not check and `load_checkpoint` does.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from shared.atomic import atomic_path, write_bytes
from shared.errors import CheckpointError

__all__ = ["load_checkpoint", "load_strict", "load_weights", "save_checkpoint", "save_weights"]

NAMES_SHOWN = 4
"""Most keys that an error message lists."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError)
"""What the zip reader and torch raise on altered files."""
_START_AGAIN = "Start the training again in a new folder."


def save_weights(path: Path, state_dict: Mapping[str, Tensor], half: bool = False) -> str:
    """Write tensors as safetensors, atomically.

    Args:
        path: file to write.
        state_dict: name -> tensor on any device; tensors that share memory are written each for itself.
        half: store float32 tensors as float16, half the size; other dtypes stay as they are.

    Returns:
        The SHA-256 of the file as 64 hexadecimal digits.

    Raises:
        CheckpointError: with `half`, a finite weight is too large for float16 (beyond 65504).
    """
    content = safetensors.torch.save({name: _stored(name, tensor, half) for name, tensor in state_dict.items()})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    dtype = torch.float16 if half and tensor.dtype == torch.float32 else tensor.dtype
    stored = tensor.detach().to("cpu", dtype, copy=True, memory_format=torch.contiguous_format)
    if dtype != tensor.dtype and (stored.isinf() & ~tensor.detach().cpu().isinf()).any():
        raise CheckpointError(f"{name!r} holds weights beyond 65504, the largest float16: save it without half.")
    return stored


def load_weights(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU.

    Args:
        path: file to read.
        sha256: what `save_weights` returned, where it is known; without it a changed bit cannot be noticed.

    Raises:
        CheckpointError: the file is missing, truncated, not safetensors, or its content is not that of `sha256`.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"The weights {path} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise CheckpointError(
            f"The weights {path} are damaged or not those of the card: SHA-256 {sha256[:12]}... was expected, "
            f"{found[:12]}... found. Fetch the file again."
        )
    try:
        return safetensors.torch.load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file ({error}). Fetch it again.") from error


def load_strict(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Copy `state` into `model`; every key and every shape must agree, or nothing is copied.

    Args:
        model: takes the tensors over in its own dtype and on its own device.
        state: name -> tensor.
        origin: where the tensors come from, for the message.

    Raises:
        CheckpointError: keys are missing or unexpected, or shapes differ.
    """
    wanted = model.state_dict()
    faults = [
        _list("missing", wanted.keys() - state.keys()),
        _list("unexpected", state.keys() - wanted.keys()),
        _list(
            "of another shape",
            (
                f"{name} (network {tuple(wanted[name].shape)}, file {tuple(state[name].shape)})"
                for name in wanted.keys() & state.keys()
                if wanted[name].shape != state[name].shape
            ),
        ),
    ]
    if any(faults):
        raise CheckpointError(
            f"The weights of {origin} do not fit the network {type(model).__name__}; "
            f"{'; '.join(filter(None, faults))}. Load them into the network they were trained with."
        )
    model.load_state_dict(state, strict=True)


def _list(what: str, names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
    return f"{what}: {', '.join(found[:NAMES_SHOWN])}{more}" if found else ""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state atomically: a process killed in the middle leaves the previous file as it was.

    Args:
        path: file to write.
        state: tensors, numbers, text, None, and lists, tuples and dicts of them: what `weights_only` loading accepts.
    """
    with atomic_path(path) as temporary:
        torch.save(dict(state), temporary)


def load_checkpoint(path: Path, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Read a training state onto the CPU, without pickle, after a check of every record.

    Args:
        path: file to read.
        keys: entries that must be there.

    Raises:
        CheckpointError: the file is missing, truncated, altered or no checkpoint, or lacks one of `keys`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        state = torch.load(path, map_location="cpu", weights_only=True) if damaged is None else None
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint {path}.") from error
    except _DAMAGED as error:
        raise CheckpointError(f"{path} is truncated, altered or not a checkpoint ({error}). {_START_AGAIN}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is altered: its contents do not match their checksums. {_START_AGAIN}")
    if missing := sorted(set(keys) - state.keys()):
        raise CheckpointError(f"{path} is not a checkpoint of this training loop: it lacks {', '.join(missing)}.")
    return state
