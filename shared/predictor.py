"""The base of every app's predictor: loading, proving, saving and exporting a model, once for all apps.

A subclass says how its network is built, what one input of the network looks like, and how to predict:

    class Thermometer(Predictor):
        app = "apps.thermometer"

        @classmethod
        def build(cls, card: Card) -> nn.Module:
            return Net(**card.network)

        def example(self) -> tuple[Tensor, ...]:
            return (torch.randn(2, 1, 500),)

        def predict(self, trace: NDArray, sampling_rate: float) -> Reading:
            (logit,) = self.forward(preprocess(trace, sampling_rate))
            ...

State besides weights has four places: numbers and rules in the card, arrays in `arrays` (saved with the weights), files
of the app's own through `save_files` and `load_files`, and what the subclass's `__init__` makes of these.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import shutil
import warnings
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from shared.card import Card
from shared.checkpoint import load_strict
from shared.errors import CheckpointError, ConfigError, InputError
from shared.export import DynamicAxes, as_tuple, export_onnx
from shared.golden import Golden
from shared.pretrained import (
    CARD,
    GOLDEN,
    WEIGHTS,
    Arrays,
    find_folder,
    hash_files,
    names,
    new_folder,
    read_card,
    read_weights,
    write_weights,
)
from shared.result import Result

__all__ = ["Predictor"]


class Predictor(ABC):
    """A trained network with everything that stands between it and a user.

    `predict` keeps no state between calls, so several threads may share one predictor; `to` must not run beside it.
    """

    app: ClassVar[str]
    """Dotted package of the app; its folder `pretrained/` holds the models that come with it."""
    input_names: tuple[str, ...] = ("input",)
    """Names of the network's inputs in the ONNX file; instances differ where networks do."""
    output_names: tuple[str, ...] = ("output",)
    """Names of the network's outputs; the keys, where it returns a mapping. Instances differ where networks do."""
    dynamic_axes: DynamicAxes = MappingProxyType({"input": {0: "batch"}})
    """Axes of the inputs whose size may change in the ONNX file."""
    golden_tolerance: ClassVar[float] = 1e-4
    """Largest difference to the golden outputs that another machine may show, in the units of the outputs."""

    def __init__(self, card: Card, network: nn.Module, *, arrays: Arrays | None = None) -> None:
        """Join a network with its card.

        Args:
            card: what the model is; calibration, threshold and rules are read from it.
            network: as `build(card)` makes it, with trained weights; it is put into eval mode.
            arrays: group -> name -> array to save with the weights, such as {"ood": statistics of the features}.
        """
        self.card = card
        self.network = network.eval()
        self.arrays: Arrays = arrays or {}
        self.folder: Path | None = None

    @classmethod
    @abstractmethod
    def build(cls, card: Card) -> nn.Module:
        """A network with the shapes of the card's model; its weights are replaced."""

    @abstractmethod
    def example(self) -> tuple[Tensor, ...]:
        """Inputs of the network, of a usual size, batch of two: recorded as golden inputs and traced by `to_onnx`."""

    @abstractmethod
    def predict(self, *args: Any, **keywords: Any) -> Result:
        """Answer for one item: InputError for what is none, status "undecided" for one that cannot be judged."""

    def predict_batch(self, items: Sequence[Any], **keywords: Any) -> list[Any]:
        """Answer for several items with the same keywords, in their order; the same answers as one by one.

        An app whose network gains from it overrides this with `forward_items`.

        Raises:
            InputError: as `predict`, naming the item.
        """
        results = []
        for position, item in enumerate(items):
            try:
                results.append(self.predict(item, **keywords))
            except InputError as error:
                raise InputError(f"Item {position} of the batch: {error}") from error
        return results

    def golden_results(self) -> Sequence[Result]:
        """Answers on examples of the app's own that never change; recorded and proven beside the network's outputs."""
        return ()

    def save_files(self, folder: Path) -> None:  # noqa: B027 - most apps have no files of their own
        """Write files of the app's own (vocabularies, estimators) into `folder`; the card will list their SHA-256."""

    def load_files(self, folder: Path) -> None:  # noqa: B027 - as above
        """Read back what `save_files` wrote; the files are proven by then."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the probabilities; empty where there are none."""
        return self.card.classes

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next((tensor.device for tensor in self.network.parameters()), torch.device("cpu"))

    def to(self, device: str | torch.device) -> Self:
        """Move the network, and return the predictor. Raises ConfigError where there is no such device."""
        try:
            self.network.to(device)
        except (RuntimeError, AssertionError) as error:  # torch built without CUDA fails an assertion
            raise ConfigError(f"The device {str(device)!r} cannot be used: {str(error).splitlines()[0]}") from error
        return self

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network without gradients on its device.

        Args:
            inputs: the network's inputs, with the batch axis, on any device.

        Returns:
            The outputs in the order of `output_names`, on the CPU.
        """
        device = self.device
        with torch.inference_mode():
            outputs = self.network(*(tensor.to(device) for tensor in inputs))
        return tuple(tensor.cpu() for tensor in as_tuple(outputs, self.output_names))

    def forward_items(self, items: Sequence[tuple[Tensor, ...]], batch_size: int = 64) -> list[tuple[Tensor, ...]]:
        """Run the network on items of any sizes; those of equal size share a batch.

        Args:
            items: per item the network's inputs, without the batch axis.
            batch_size: how many share one pass at most.

        Returns:
            Per item the outputs, without the batch axis, on the CPU.
        """
        alike: defaultdict[tuple[torch.Size, ...], list[int]] = defaultdict(list)
        for position, item in enumerate(items):
            alike[tuple(tensor.shape for tensor in item)].append(position)
        answers: dict[int, tuple[Tensor, ...]] = {}
        for positions in alike.values():
            for start in range(0, len(positions), batch_size):
                chunk = positions[start : start + batch_size]
                columns = zip(*(items[position] for position in chunk), strict=True)
                outputs = self.forward(*(torch.stack(column) for column in columns))
                answers |= {position: tuple(out[row] for out in outputs) for row, position in enumerate(chunk)}
        return [answers[position] for position in range(len(items))]

    @classmethod
    def pretrained_root(cls) -> Path:
        """The folder that holds the models which come with the app."""
        return Path(next(iter(importlib.import_module(cls.app).__path__))) / "pretrained"

    @classmethod
    def available(cls) -> tuple[str, ...]:
        """Names of the models that come with the app; the first is the default."""
        return names(cls.pretrained_root())

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path | None = None, *, device: str | torch.device | None = None
    ) -> Self:
        """Load a model; nothing is downloaded and torch's random state stays as it was.

        Args:
            name_or_path: one of `available()`, a model folder, or a run folder; by default the first available.
            device: where to compute, by default the CPU.

        Raises:
            ConfigError: when there is no such model or device.
            CheckpointError: when the model is damaged, another app's, or of a newer format.
        """
        predictor = cls._load(find_folder(cls.pretrained_root(), name_or_path))
        if predictor.card.research_only:
            _warn_research_only(predictor.card.app, predictor.card.label)
        return predictor if device is None else predictor.to(device)

    @classmethod
    def _load(cls, folder: Path) -> Self:
        card = read_card(folder, cls.app)
        state, arrays = read_weights(folder / WEIGHTS, card.weights_sha256)
        try:
            with torch.random.fork_rng(devices=[]):
                network = cls.build(card)
            load_strict(network, state, origin=str(folder / WEIGHTS))
            predictor = cls(card, network, arrays=arrays)
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{folder / CARD} does not describe a model that this version of {cls.__name__} can build: {error}."
            ) from error
        predictor.load_files(folder)
        predictor.folder = folder
        return predictor

    def save_pretrained(self, folder: Path | str, *, beside: Mapping[str, Path] | None = None) -> Card:
        """Write the model folder; it appears whole, after it has been loaded back and has answered.

        Args:
            folder: to create, or the folder of an older model to replace.
            beside: name -> file to copy into the folder, such as predictions that prove the card's figures.

        Returns:
            The card as written, with the hashes of the files.

        Raises:
            ConfigError: when the card is incomplete, or when `folder` holds something else.
        """
        self.card.validate()
        with new_folder(Path(folder)) as temporary:
            weights = {name: tensor.cpu() for name, tensor in self.network.state_dict().items()}
            digest = write_weights(temporary / WEIGHTS, weights, self.arrays, half=self.card.half)
            self.save_files(temporary)
            for name, source in (beside or {}).items():
                shutil.copyfile(source, temporary / name)
            card = dataclasses.replace(
                self.card,
                weights_sha256=digest,
                parameters=sum(parameter.numel() for parameter in self.network.parameters()),
                files=hash_files(temporary),
            )
            card.write(temporary / CARD)
            type(self)._load(temporary)._golden().write(temporary / GOLDEN)
            card = dataclasses.replace(card, files=hash_files(temporary))
            card.write(temporary / CARD)
        return card

    def _golden(self) -> Golden:
        inputs = self._seeded_example()
        answers = [result.to_dict() for result in self.golden_results()]
        return Golden(inputs, self.forward(*inputs), answers, self.golden_tolerance)

    def _seeded_example(self) -> tuple[Tensor, ...]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.example()

    def check_golden(self, folder: Path | str | None = None, tolerance: float | None = None) -> float:
        """Compare today's answers with those recorded when the model was saved.

        Args:
            folder: of the model; by default the one it was loaded from.
            tolerance: largest difference to accept; by default the recorded one.

        Returns:
            The largest absolute difference over network outputs and results.

        Raises:
            CheckpointError: when it exceeds the tolerance, or when there is no record.
        """
        folder = Path(folder) if folder is not None else self.folder
        if folder is None:
            raise ConfigError("This predictor was not loaded from a folder: name the folder that holds golden.npz.")
        golden = Golden.read(folder / GOLDEN)
        answers = [result.to_dict() for result in self.golden_results()]
        difference = golden.difference(self.forward(*golden.inputs), answers)
        limit = golden.tolerance if tolerance is None else tolerance
        if not difference <= limit:
            raise CheckpointError(
                f"{type(self).__name__} {self.card.label} differs from the golden outputs in {folder} by "
                f"{difference:.2g}, at most {limit:.2g} was expected: the code or a library changed its answers."
            )
        return difference

    def to_onnx(self, path: Path | str, *, tolerance: float = 1e-4) -> float:
        """Write the network (without preprocessing) as ONNX; see `shared.export.export_onnx`.

        Returns:
            The largest absolute difference between ONNX Runtime and the network, at four sizes of input.

        Raises:
            ConfigError: when it cannot be exported, or answers differently.
        """
        return export_onnx(
            self.network,
            self._seeded_example(),
            Path(path),
            input_names=self.input_names,
            output_names=self.output_names,
            dynamic=self.dynamic_axes,
            tolerance=tolerance,
        )


@functools.cache
def _warn_research_only(app: str, label: str) -> None:
    """Say it once per model and process: the cache swallows the repetitions."""
    warnings.warn(f"{app}, model {label}: the licence of its training data allows research only.", stacklevel=3)
