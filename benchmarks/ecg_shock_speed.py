"""One preprocessed window of 5 s: the network in ONNX Runtime against its peers, in one process on one thread.

    python -m benchmarks.ecg_shock_speed

Peers: the network in PyTorch, the 32 classical features, and neurokit2's `ecg_process` pipeline, which many use to look
at an ECG. Every round times each of them once, in turn, so that a slower moment of the machine hits all; the medians
and the ratio of the medians are printed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch start their pools

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from rich.console import Console
from rich.table import Table

from apps.ecg_shock import ShockAdvisor
from apps.ecg_shock.classical.features import features
from apps.ecg_shock.data import SAMPLING_RATE, preprocess
from apps.ecg_shock.window import read_window

ROUNDS = 30
CALLS = {"network, ONNX Runtime": 50, "network, PyTorch": 20, "32 features": 3, "neurokit2 ecg_process": 1}
"""Competitor -> calls that are timed together in a round: short ones are repeated to be measurable."""
SAMPLE = Path(__file__).resolve().parents[1] / "apps" / "ecg_shock" / "samples" / "sinus_rhythm"


def contestants(folder: Path) -> dict[str, Callable[[], object]]:
    """The competitors, each as a function of nothing, on the same window."""
    import neurokit2

    advisor = ShockAdvisor.from_pretrained()
    window = read_window(SAMPLE, duration_s=5.0)
    ecg = preprocess(window.ecg, window.sampling_rate)
    advisor.to_onnx(folder / "network.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "network.onnx", options, providers=["CPUExecutionProvider"])
    batch = ecg[None, None]
    tensor = torch.from_numpy(batch)
    return {
        "network, ONNX Runtime": lambda: session.run(["logit"], {"ecg": batch}),
        "network, PyTorch": lambda: advisor.forward(tensor),
        "32 features": lambda: features(ecg),
        "neurokit2 ecg_process": lambda: neurokit2.ecg_process(
            ecg.astype(np.float64), sampling_rate=int(SAMPLING_RATE)
        ),
    }


def measure(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median milliseconds of one call of each, over rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(ROUNDS):
        for name, function in functions.items():
            began = time.perf_counter()
            for _ in range(CALLS[name]):
                function()
            times[name].append(1000 * (time.perf_counter() - began) / CALLS[name])
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        medians = measure(contestants(Path(folder)))
    fastest = medians["network, ONNX Runtime"]
    table = Table(title="One preprocessed window of 5 s, one thread")
    for heading in ("", "ms", "times the network in ONNX Runtime"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, milliseconds in medians.items():
        table.add_row(name, f"{milliseconds:.3f}", f"{milliseconds / fastest:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
