"""What one decision costs: parameters, operations, bytes, and milliseconds on one thread of this machine."""

from __future__ import annotations

import importlib.util
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from apps.ecg_shock.c_code.quantise import quantised
from apps.ecg_shock.classical.features import features
from apps.ecg_shock.data import preprocess
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.window import EcgWindow
from shared.threads import one_thread

__all__ = ["BATCH", "FEATURES_MS", "ONNX_BATCH_MS", "Cost", "cost_of"]

BATCH = 32
"""Windows in a batch: their activations still fit in a core's cache, so that larger ones are no faster."""
ROUNDS = 11
"""Rounds in which all take turns; the fastest counts, because other programs can only slow one down."""
CALLS = 5
"""Calls that are timed together in a round, because one alone is hardly measurable."""

DECISION_MS = "whole decision from the raw samples, PyTorch, one window"
ONNX_BATCH_MS = f"network, ONNX Runtime, batch of {BATCH}, each"
FEATURES_MS = "the 32 features, one window"

Call = Callable[[], object]
Name = TypeVar("Name")


@dataclass(frozen=True)
class Cost:
    """What a network needs."""

    parameters: int
    macs: int
    """Multiplications with addition for 5 s."""
    int8_bytes: int
    """Of the weights as the C header holds them, with their scales and biases."""
    milliseconds: Mapping[str, float]
    """What is done -> time of one."""
    decision_ms: Mapping[float, float]
    """Length of a window in seconds -> time from its raw samples to the advice."""


def cost_of(advisor: ShockAdvisor, windows: Mapping[float, EcgWindow]) -> Cost:
    """Measure on one thread, in this process.

    Args:
        advisor: of which network.
        windows: length in seconds -> one window of that length; the one nearest to 5 s serves for the comparison.
    """
    usual = windows[min(windows, key=lambda seconds: abs(seconds - 5))]
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        calls, sizes = _calls(advisor, usual, Path(folder))
        milliseconds = {name: ms / sizes.get(name, 1) for name, ms in _fastest(calls).items()}
        decisions = _fastest({seconds: _decision(advisor, window) for seconds, window in windows.items()})
    card = advisor.card
    parameters = sum(parameter.numel() for parameter in advisor.network.parameters())
    int8_bytes = sum(layer.n_bytes for layer in quantised(advisor.network))
    return Cost(parameters, card.macs or 0, int8_bytes, milliseconds, decisions)


def _decision(advisor: ShockAdvisor, window: EcgWindow) -> Call:
    return lambda: advisor.advise([window])


def _calls(advisor: ShockAdvisor, window: EcgWindow, folder: Path) -> tuple[dict[str, Call], dict[str, int]]:
    """What is timed, and of how many windows it is where that is not one."""
    ecg = preprocess(window.ecg, window.sampling_rate)
    one, many = ecg[None, None], np.repeat(ecg[None, None], BATCH, axis=0)
    batch = f"network, PyTorch, batch of {BATCH}, each"
    calls: dict[str, Call] = {
        "preprocessing, one window": lambda: preprocess(window.ecg, window.sampling_rate),
        "network, PyTorch, one window": lambda: advisor.forward(torch.from_numpy(one)),
        batch: lambda: advisor.forward(torch.from_numpy(many)),
        DECISION_MS: _decision(advisor, window),
        FEATURES_MS: lambda: features(ecg),
    }
    if all(importlib.util.find_spec(package) for package in ("onnx", "onnxscript", "onnxruntime")):
        run = _onnx(advisor, folder / "network.onnx")
        calls |= {"network, ONNX Runtime, one window": lambda: run(one), ONNX_BATCH_MS: lambda: run(many)}
    return calls, {batch: BATCH, ONNX_BATCH_MS: BATCH}


def _onnx(advisor: ShockAdvisor, path: Path) -> Callable[[npt.NDArray[np.float32]], object]:
    """The network in ONNX Runtime, on one thread."""
    import onnxruntime  # an optional extra

    advisor.to_onnx(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda ecg: session.run(None, {advisor.input_names[0]: ecg})


def _fastest(calls: Mapping[Name, Call]) -> dict[Name, float]:
    """Milliseconds of one call of each, in its fastest round."""
    times = dict.fromkeys(calls, math.inf)
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            times[name] = min(times[name], 1000 * (time.perf_counter() - began) / CALLS)
    return times
