"""A predictor as small as they come: is there a tone in a trace?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from shared.card import Card
from shared.errors import InputError
from shared.predictor import Predictor
from shared.result import Result


class Net(nn.Module):
    """One convolution, its mean over time, one logit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, channels, 9, padding=4)
        self.head = nn.Linear(channels, 1)

    def forward(self, trace: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(trace)).mean(-1))


@dataclass(frozen=True, eq=False)
class Tone(Result):
    """The answer, with a field of every kind."""

    probability: float
    spectrum: npt.NDArray[np.float32]
    span: tuple[float, float] = (0.0, 1.0)


class ToneDetector(Predictor):
    """Uses the card (threshold), arrays (ood) and a file of its own (words.txt)."""

    app = "tests.tone"
    root = Path("none")
    dynamic_axes: ClassVar = {"input": {0: "batch", 2: "samples"}}
    words: tuple[str, ...] = ("quiet", "tone")

    @classmethod
    def pretrained_root(cls) -> Path:
        return cls.root

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        return Net(**card.network)

    def example(self) -> tuple[Tensor, ...]:
        return (torch.randn(2, 1, 64),)

    def save_files(self, folder: Path) -> None:
        (folder / "words.txt").write_text("\n".join(self.words))

    def load_files(self, folder: Path) -> None:
        self.words = tuple((folder / "words.txt").read_text().split("\n"))

    def golden_results(self) -> Sequence[Tone]:
        return [self.predict(np.sin(np.arange(100.0)), gain=2.0)]

    def _prepare(self, trace: npt.NDArray[Any], gain: float) -> tuple[Tensor]:
        if trace.ndim != 1 or not np.isfinite(trace).all():
            raise InputError(f"A trace has shape (samples,) and finite values, found shape {trace.shape}.")
        return (torch.from_numpy((gain * (trace - self.arrays["ood"]["mean"])).astype(np.float32))[None],)

    def _tone(self, outputs: tuple[Tensor, ...]) -> Tone:
        probability = float(torch.sigmoid(outputs[0][0]))
        spectrum = outputs[0].numpy()
        if abs(probability - 0.5) < 1e-3:
            return Tone(probability, spectrum, status="undecided", reason="in between", model=self.card.label)
        return Tone(probability, spectrum, model=self.card.label)

    def predict(self, trace: npt.NDArray[Any], *, gain: float = 1.0) -> Tone:
        return self._tone(self.forward_items([self._prepare(trace, gain)])[0])


class BatchingToneDetector(ToneDetector):
    """The same with one pass for several traces."""

    def predict_batch(self, items: Sequence[Any], *, gain: float = 1.0) -> list[Tone]:
        return [self._tone(outputs) for outputs in self.forward_items([self._prepare(t, gain) for t in items], 3)]
