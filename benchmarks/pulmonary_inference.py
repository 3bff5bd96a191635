"""A vessel network led over a phantom scan: arithmetic of 32 bit against bf16 against ONNX Runtime, and what it holds.

    python -m benchmarks.pulmonary_inference [--model best] [--slices 64]

The same windows go through each in turn, on one thread, in one process; the medians of the rounds and their ratios are
printed. Then scans of growing depth are segmented, each in a process of its own: beside the scan, the lung and the
answer, what is held must not grow with the number of slices.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch start their pools

import argparse
import dataclasses
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from apps.pulmonary_vessel import VesselSegmenter
from apps.pulmonary_vessel.inference import has_fast_bf16, probability
from data_prep.lung_phantom.phantom import render

ROUNDS = 3
SIDE, SPACING = 160, (1.0, 0.75, 0.75)
DEPTHS = (64, 128, 256)
BYTES = 2 + 1 + 4
"""Of a voxel: the scan in int16, the lung in uint8, the answer in float32."""

Float32 = npt.NDArray[np.float32]


def led(segmenter: VesselSegmenter, network: Callable[[Tensor], Tensor], precision: Literal["32-true", "bf16-mixed"],
        hu: npt.NDArray[np.int16], lung: npt.NDArray[np.bool_]) -> Float32:  # fmt: skip
    """Probability of vessel, by any runtime."""
    config = dataclasses.replace(segmenter.inference, precision=precision)
    return probability(network, hu, SPACING, lung, factor=segmenter.config.factor, config=config)[0]


def contestants(segmenter: VesselSegmenter, folder: Path, slices: int) -> dict[str, Callable[[], Float32]]:
    """The competitors, each as a function of nothing, on the same phantom."""
    phantom = render(0, (slices, SIDE, SIDE), SPACING)
    hu, lung = phantom.ct, phantom.labels > 0
    segmenter.to_onnx(folder / "network.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "network.onnx", options, providers=["CPUExecutionProvider"])

    def torch_network(window: Tensor) -> Tensor:
        return segmenter.network(window)[:, :1]

    def onnx_network(window: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"scan": window.numpy()})[0])[:, :1]

    return {
        "PyTorch, 32 bit": lambda: led(segmenter, torch_network, "32-true", hu, lung),
        "PyTorch, bf16": lambda: led(segmenter, torch_network, "bf16-mixed", hu, lung),
        "ONNX Runtime, 32 bit": lambda: led(segmenter, onnx_network, "32-true", hu, lung),
    }


def speeds(model: str, slices: int, console: Console) -> None:
    """Median time of each over rounds in which they take turns, and how far their answers are apart."""
    with tempfile.TemporaryDirectory() as folder:
        competitors = contestants(VesselSegmenter.from_pretrained(model), Path(folder), slices)
        times: dict[str, list[float]] = {name: [] for name in competitors}
        answers: dict[str, Float32] = {}
        for _ in range(ROUNDS):
            for name, call in competitors.items():
                began = time.perf_counter()
                answers[name] = call()
                times[name].append(time.perf_counter() - began)
    reference = next(iter(competitors))
    native = "yes" if has_fast_bf16(torch.device("cpu")) else "no"
    table = Table(title=f"{model}, {slices}x{SIDE}x{SIDE} voxels, one thread; bf16 in the processor: {native}")
    for heading in ("", "s", "times as fast", "largest difference of a probability"):
        table.add_column(heading, justify="right" if heading else "left")
    base = statistics.median(times[reference])
    for name, found in times.items():
        taken = statistics.median(found)
        apart = np.abs(answers[name] - answers[reference]).max()
        table.add_row(name, f"{taken:.1f}", f"{base / taken:.2f}", f"{apart:.1g}")
    console.print(table)


def _peak_mb(model: str, slices: int) -> float:
    """Peak resident memory of this process after a scan of so many slices, lung everywhere, in MB."""
    torch.set_num_threads(1)
    segmenter = VesselSegmenter.from_pretrained(model)
    hu = np.random.default_rng(0).normal(-850, 30, (slices, SIDE, SIDE)).astype(np.int16)
    segmenter.probability(hu, SPACING, np.ones(hu.shape, dtype=np.uint8))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(model: str, console: Console) -> None:
    """Peak memory by number of slices, each in a fresh process."""
    table = Table(title=f"{model}, {SIDE}x{SIDE} voxels a slice: peak memory")
    for heading in ("slices", "MB", "of these scan, lung, answer", "the rest"):
        table.add_column(heading, justify="right")
    context = multiprocessing.get_context("spawn")
    for slices in DEPTHS:
        with context.Pool(1) as pool:
            peak = pool.apply(_peak_mb, (model, slices))
        arrays = slices * SIDE * SIDE * BYTES / 1e6
        table.add_row(str(slices), f"{peak:.0f}", f"{arrays:.0f}", f"{peak - arrays:.0f}")
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="runtimes of a vessel network, and its memory")
    parser.add_argument("--model", default="best", help="name of a shipped model, or a run or model folder")
    parser.add_argument("--slices", type=int, default=64, help="of the phantom that is timed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    speeds(arguments.model, arguments.slices, console)
    memory(arguments.model, console)


if __name__ == "__main__":
    main()
