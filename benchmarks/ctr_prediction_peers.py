"""Click models beside their peers on the same made log: one run, one core, rows per second.

    python -m benchmarks.ctr_prediction_peers

39 fields with 264,000 values in all, embeddings of 10, 3 cross layers, hidden layers 128-128, batches of 1024: the
app's Deep & Cross Network (sparse FTRL for the tables, Adam above them) beside DeepCTR-Torch's DCN (Adam), and the
app's LR-FTRL beside Vowpal Wabbit's. Each takes the log in the form its own users have it: the app a prepared set on
disk, DeepCTR-Torch codes in memory, Vowpal Wabbit its text format on disk. The app is timed from codes in memory as
well, and its input alone. Every round times each of them once, in turn, so that a slower moment of the machine hits
all; the medians are printed. Peers that are not installed are left out: nothing is installed or downloaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch start their pools

import contextlib
import importlib
import io
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import binary_cross_entropy_with_logits

from apps.ctr_prediction.classical.logistic import LrFtrl
from apps.ctr_prediction.config import ReadingConfig
from apps.ctr_prediction.data import TABLE, ClickBatch, ImpressionLog, TrainingStream, preprocess
from apps.ctr_prediction.experts import layout_of
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.model import ClickNetwork, build_network
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.optimisers.mixed import optimizers_for
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig
from shared.prepared import Column, PreparedSet, PreparedWriter
from shared.splits import Split
from shared.threads import one_thread

FIELDS, IDS, BATCH = 39, 264_000, 1024
READ_ROWS = 65_536
ROWS = 80 * BATCH
ROUNDS = 5
PEERS = {
    "DCN training": "DeepCTR-Torch training",
    "DCN prediction": "DeepCTR-Torch prediction",
    "LR-FTRL": "Vowpal Wabbit --ftrl",
}
"""How the app's contestants begin -> the one they are compared with."""
Codes = npt.NDArray[np.int64]
Timed = Mapping[str, Callable[[], object]]


def made_codes(rng: np.random.Generator) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Codes (ROWS, FIELDS) of which few are frequent and each comes at least once, and clicks (ROWS,)."""
    values = IDS // FIELDS
    codes = (rng.zipf(1.2, (ROWS, FIELDS)) - 1) % values
    codes[:values] = rng.permuted(np.tile(np.arange(values), (FIELDS, 1)), axis=1).T
    effect = rng.normal(0.0, 0.3, (FIELDS, values))
    logit = effect[np.arange(FIELDS), codes].sum(axis=1) - 1.5
    return codes, (rng.random(ROWS) < 1.0 / (1.0 + np.exp(-logit))).astype(np.int64)


def prepare(folder: Path, codes: Codes, clicks: npt.NDArray[np.int64]) -> ImpressionLog:
    """The log as a prepared set: one column of text for each field."""
    fields = {f"f{number:02d}": pa.array(column).cast(pa.string()) for number, column in enumerate(codes.T)}
    made = {"click": clicks, "row": np.arange(len(clicks)), "block": pa.array(["all"] * len(clicks))}
    rows = pa.table({**made, **fields})
    schema = [
        Column("click", "integer", "label"),
        Column("row", "integer", "key"),
        Column("block", "category", "group"),
    ]
    schema += [Column(name, "category", "context") for name in fields]
    with PreparedWriter(
        folder, name="made", title="Made-up clicks", source="drawn from a seed", licence="CC0-1.0", groups=("block",),
        synthetic=True,
    ) as writer:  # fmt: skip
        writer.table(TABLE, schema).write(rows)
        writer.add_split(Split("folds", "block", {"all": 0}, "one fold"))
    return ImpressionLog(PreparedSet(folder))


class Ours:
    """The app's network and its LR-FTRL on the prepared log."""

    def __init__(self, log: ImpressionLog) -> None:
        self.log = log
        self.encoder = RowEncoder.fit(log.schema, log.batches(READ_ROWS, None), FeatureConfig(min_count=1))
        self.network: ClickNetwork = build_network(layout_of(self.encoder), NetworkConfig())
        self.optimizers = optimizers_for(self.network, OptimiserConfig())
        reading = ReadingConfig(batch_rows=BATCH)
        self.stream = TrainingStream(log, [self.encoder], reading, None, seed=0)
        self.held = list(self.read())
        self.linear = LrFtrl(self.encoder, log.label)

    def read(self) -> Iterable[ClickBatch]:
        """One pass over the log on disk, shuffled and encoded, as training reads it."""
        return self.stream.batches(0, 0, 1)

    def train(self, batches: Iterable[ClickBatch]) -> None:
        """A step for each batch."""
        for batch in batches:
            loss = binary_cross_entropy_with_logits(self.network(*batch.inputs), batch.clicks, reduction="sum")
            torch.autograd.backward(loss)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()

    def predict(self, inputs: Iterable[tuple[torch.Tensor, ...]]) -> None:
        """A probability for each row."""
        with torch.inference_mode():
            for rows in inputs:
                torch.sigmoid(self.network(*rows))

    def read_in_order(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """One pass over the log on disk, as prediction reads it."""
        for table in self.log.batches(READ_ROWS, None):
            rows = self.encoder.encode(table)
            for first in range(0, len(rows), BATCH):
                yield preprocess(rows.take(slice(first, first + BATCH)))

    def learn_linear(self) -> None:
        """One pass of LR-FTRL over the log on disk."""
        self.linear.learn(lambda: self.log.batches(READ_ROWS, None), seed=0)

    def learn_linear_held(self) -> None:
        """One pass of LR-FTRL over rows that are encoded already."""
        nothing = np.empty((BATCH, 0))
        for batch in self.held:
            clicks = batch.clicks.numpy().astype(np.float64)
            self.linear.model.learn(batch.inputs[0].numpy(), nothing[: len(clicks)], clicks)


class _NeverStarted(threading.Thread):
    """Stands in for threads while a package is imported."""

    def start(self) -> None:
        """Do nothing."""


def deepctr_modules() -> tuple[Any, Any] | None:
    """DeepCTR-Torch's `inputs` and `models`; None where it is not installed.

    At import it starts a thread that asks the network for a newer version; here that thread never starts.
    """
    try:
        with mock.patch.object(threading, "Thread", _NeverStarted):
            return importlib.import_module("deepctr_torch.inputs"), importlib.import_module("deepctr_torch.models")
    except ImportError:
        return None


def deepctr_torch(codes: Codes, clicks: npt.NDArray[np.int64]) -> Timed:
    """DeepCTR-Torch's DCN of the same capacity, trained and asked by its own verbs; empty where it is not installed."""
    if (modules := deepctr_modules()) is None:
        return {}
    inputs, models = modules
    names = [f"f{number:02d}" for number in range(FIELDS)]
    columns = [inputs.SparseFeat(name, IDS // FIELDS, embedding_dim=10) for name in names]
    model: Any = models.DCN(columns, columns, cross_num=3, dnn_hidden_units=(128, 128), device="cpu")
    model.compile("adam", "binary_crossentropy", metrics=[])
    given = dict(zip(names, codes.T.copy(), strict=True))

    def quietly(verb: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            with contextlib.redirect_stdout(io.StringIO()):
                return verb()

        return run

    target = clicks.astype(np.float32)
    return {
        PEERS["DCN training"]: quietly(lambda: model.fit(given, target, batch_size=BATCH, epochs=1, verbose=0)),
        PEERS["DCN prediction"]: quietly(lambda: model.predict(given, BATCH)),
    }


def vowpal_wabbit(folder: Path, codes: Codes, clicks: npt.NDArray[np.int64]) -> Timed:
    """One pass of Vowpal Wabbit's FTRL over its text format; empty where it is not installed."""
    try:
        package = importlib.import_module("vowpalwabbit")
    except ImportError:
        return {}
    path = folder / "log.vw"
    with path.open("w") as file:
        for row, click in zip(codes.tolist(), clicks.tolist(), strict=True):
            features = " ".join(f"f{field:02d}={code}" for field, code in enumerate(row))
            file.write(f"{1 if click else -1} | {features}\n")
    flags = ["--ftrl", "--loss_function", "logistic", "-b", "20", "--quiet", "-d", str(path)]
    return {PEERS["LR-FTRL"]: lambda: package.Workspace(arg_list=flags).finish()}


def measure(contestants: Timed) -> dict[str, float]:
    """Median seconds of each, over rounds in which they take turns, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(ROUNDS + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in times.items()}


def report(seconds: Mapping[str, float]) -> None:
    """Print rows per second and how many times the peer's that is."""
    table = Table(title=f"{FIELDS} fields, {IDS:,} values, one core")
    for heading in ("", "rows/s", "s per million rows", "times the peer"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, found in seconds.items():
        peer = next((peer for began, peer in PEERS.items() if name.startswith(began)), "")
        ratio = f"{seconds[peer] / found:.2f}" if peer in seconds else ""
        table.add_row(name, f"{ROWS / found:,.0f}", f"{1e6 * found / ROWS:.1f}", ratio)
    Console().print(table)
    share = seconds["input alone"] / seconds["DCN training, from disk"]
    print(f"Input takes {100 * share:.1f} % of the training time.")


def main() -> None:
    """Measure and print."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    codes, clicks = made_codes(np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder, one_thread():
        ours = Ours(prepare(Path(folder) / "set", codes, clicks))
        deepctr, wabbit = deepctr_torch(codes, clicks), vowpal_wabbit(Path(folder), codes, clicks)
        seconds = measure(
            {
                "input alone": lambda: sum(1 for _ in ours.read()),
                "DCN training, from disk": lambda: ours.train(ours.read()),
                "DCN training, from codes": lambda: ours.train(ours.held),
                "DCN prediction, from disk": lambda: ours.predict(ours.read_in_order()),
                "DCN prediction, from codes": lambda: ours.predict(batch.inputs for batch in ours.held),
                "LR-FTRL, from disk": ours.learn_linear,
                "LR-FTRL, from codes": ours.learn_linear_held,
                **deepctr,
                **wabbit,
            }
        )
    report(seconds)
    for packages, there in (("deepctr-torch tqdm", deepctr), ("vowpalwabbit", wabbit)):
        if not there:
            print(f"Not compared: first `pip install {packages}`.")


if __name__ == "__main__":
    main()
