"""The folder a model travels in: card.json, weights.safetensors, golden.npz and what else an app lists in its card.

The weights file holds the network's tensors as "network.<name>" and further arrays (statistics of the training
features, for one) as "<group>.<name>". Every file but the card is proven by a SHA-256 in the card, the card by its own
checksum, so that no damaged file answers silently.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shared.atomic import sha256_of
from shared.card import Card
from shared.checkpoint import load_weights, save_weights
from shared.errors import CheckpointError, ConfigError, did_you_mean

__all__ = [
    "CARD",
    "GOLDEN",
    "WEIGHTS",
    "Arrays",
    "find_folder",
    "hash_files",
    "names",
    "new_folder",
    "read_card",
    "read_weights",
    "write_weights",
]

CARD = "card.json"
WEIGHTS = "weights.safetensors"
GOLDEN = "golden.npz"
NETWORK = "network"

Arrays = Mapping[str, Mapping[str, npt.NDArray[np.generic]]]
"""Group -> name -> array: what an app keeps beside the network's weights."""


def names(root: Path) -> tuple[str, ...]:
    """The models that lie in `root`, one folder each: "best" first, the others by name.

    Hidden folders are none: a killed `new_folder` leaves one, whole or not.
    """
    found = sorted(card.parent.name for card in root.glob(f"[!.]*/{CARD}"))
    return tuple(sorted(found, key=lambda name: name != "best"))


def find_folder(root: Path, name_or_path: str | Path | None) -> Path:
    """The folder of a model.

    Args:
        root: where the app's own models lie.
        name_or_path: one of `names(root)`, a model folder, or a run folder with `model/`; None means the first name.

    Raises:
        ConfigError: when there is no such model, with the nearest name and all that there are.
    """
    known = names(root)
    shipped = f"Models that come with the app: {', '.join(known) or 'none'}"
    if name_or_path is None:
        if not known:
            raise ConfigError(f"{shipped}. Name the folder of a run or of a model.")
        return root / known[0]
    if isinstance(name_or_path, str) and name_or_path in known:
        return root / name_or_path
    path = Path(name_or_path)
    for folder in (path, path / "model"):
        if (folder / CARD).is_file():
            return folder
    if path.is_dir():
        raise ConfigError(f"The folder {path} holds no model: neither {CARD} nor model/{CARD}. {shipped}.")
    raise ConfigError(f"There is no model {str(name_or_path)!r}.{did_you_mean(str(name_or_path), known)} {shipped}.")


def read_card(folder: Path, app: str) -> Card:
    """Read the card of a model of `app` and check the other files against it.

    Raises:
        CheckpointError: when the model is another app's, or when a file is missing or is not the one the card lists.
    """
    card = Card.read(folder / CARD)
    if card.app != app:
        raise CheckpointError(f"{folder} holds a model of {card.app}, a model of {app} was expected.")
    for name, expected in card.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise CheckpointError(f"The card lists {name!r}, which is not in {folder}. Copy the model folder again.")
        if sha256_of(path) != expected:
            raise CheckpointError(f"{path} is not the file that the card lists: it was damaged or replaced.")
    return card


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder but its card and its weights."""
    return {
        path.name: sha256_of(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in (CARD, WEIGHTS)
    }


def write_weights(path: Path, network: Mapping[str, Tensor], arrays: Arrays, *, half: bool) -> str:
    """Write the weights file and return its SHA-256.

    Args:
        path: file to write.
        network: state of the network.
        arrays: further arrays.
        half: store the network's float32 tensors as float16.

    Raises:
        CheckpointError: when a weight is too large for half precision.
    """
    state = {f"{NETWORK}.{name}": tensor for name, tensor in network.items()}
    for group, members in arrays.items():
        state |= {f"{group}.{name}": _tensor(array, half) for name, array in members.items()}
    return save_weights(path, state, half)


def _tensor(array: npt.NDArray[np.generic], half: bool) -> Tensor:
    """An array as the file holds it: float64 where float32 would be halved, which an inverse covariance cannot bear."""
    return torch.from_numpy(array.astype(np.float64) if half and array.dtype == np.float32 else array.copy())


def read_weights(path: Path, sha256: str) -> tuple[dict[str, Tensor], dict[str, dict[str, npt.NDArray[np.generic]]]]:
    """The network's state and the further arrays of a weights file; CheckpointError when it is not the proven one."""
    network: dict[str, Tensor] = {}
    arrays: dict[str, dict[str, npt.NDArray[np.generic]]] = {}
    for key, tensor in load_weights(path, sha256).items():
        group, _, name = key.partition(".")
        if group == NETWORK:
            network[name] = tensor
        else:
            arrays.setdefault(group, {})[name] = tensor.numpy()
    return network, arrays


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block ends without an error.

    Raises:
        ConfigError: when `folder` holds something that is not a model.
    """
    folder = Path(folder).absolute()
    if folder.exists() and not (folder / CARD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and holds no model. Name a new folder, or the folder of an older model.")
    mark = uuid.uuid4().hex[:8]
    temporary = folder.with_name(f".{folder.name}.{mark}")
    replaced = folder.with_name(f".{folder.name}.{mark}.replaced")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
    finally:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
