"""AUC of DeepCTR-Torch's DCN on a prepared click log, on the very rows and ids that the app's models learn from.

    python -m benchmarks.ctr_prediction_peer_auc SET --split later --test test
    python -m benchmarks.ctr_prediction_peer_auc SET --split leave-advertiser-out --exclude usertag

The same capacity as the app's presets: embeddings of 10, 3 cross layers, hidden layers 128-128, batches of 256; Adam,
as its examples have it. The vocabulary is the app's (values seen twice in the training rows), and columns of several
values are summed. One to three epochs are all shown: the best of them, chosen on the scored rows, flatters the peer.
The app's own figures on the same split come from `compare`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from apps.ctr_prediction.data import ImpressionLog
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from benchmarks.ctr_prediction_peers import deepctr_modules
from shared.atomic import write_json
from shared.prepared import PreparedSet
from shared.report import ReportTable
from shared.split_config import SplitConfig
from shared.splits import role_values
from shared.threads import one_thread

EPOCHS, BATCH, READ_ROWS = 3, 256, 65_536
Floats = npt.NDArray[np.float64]


class Rows:
    """The training and the scored rows of one fold, as the app's encoder makes them."""

    def __init__(self, prepared: PreparedSet, split: str, test: int | str, exclude: tuple[str, ...]) -> None:
        self._log = ImpressionLog(prepared)
        column = prepared.split(split).column
        roles = role_values(prepared.split(split), SplitConfig(split, test=test))
        self._where = {role: (column, roles[role]) for role in ("train", "test")}
        config = FeatureConfig(exclude=exclude)
        self.encoder = RowEncoder.fit(self._log.schema, self._tables("train"), config)

    def _tables(self, role: str) -> Iterator[pa.Table]:
        return self._log.batches(READ_ROWS, self._where[role])

    def of(self, role: str) -> tuple[Encoded, Floats]:
        """The encoded rows of a role, and their clicks."""
        tables = list(self._tables(role))
        return Encoded.concatenate(list(map(self.encoder.encode, tables))), np.concatenate(
            list(map(self._log.clicks, tables))
        )


def peer_aucs(modules: tuple[Any, Any], rows: Rows, seed: int) -> list[float]:
    """AUC of the scored rows after each epoch."""
    inputs, models = modules
    (train, clicks), (test, truth) = rows.of("train"), rows.of("test")
    widths = [max(a.shape[1], b.shape[1]) for a, b in zip(train.bags, test.bags, strict=True)]
    ids = [field for field in rows.encoder.fields if field.kind == "id"]
    bags = [field for field in rows.encoder.fields if field.kind == "bag"]
    columns = [inputs.SparseFeat(f"id{place}", field.size, embedding_dim=10) for place, field in enumerate(ids)]
    columns += [inputs.DenseFeat(f"dense{place}", 1) for place in range(train.dense.shape[1])]
    columns += [
        inputs.VarLenSparseFeat(inputs.SparseFeat(f"bag{place}", field.size + 1, embedding_dim=10), width, "sum")
        for place, (field, width) in enumerate(zip(bags, widths, strict=True))
    ]

    def given(some: Encoded) -> dict[str, npt.NDArray[Any]]:
        named: dict[str, npt.NDArray[Any]] = {
            f"id{place}": some.ids[:, place] - field.first for place, field in enumerate(ids)
        }
        named |= {f"dense{place}": some.dense[:, place] for place in range(some.dense.shape[1])}
        for place, (field, width) in enumerate(zip(bags, widths, strict=True)):
            padded = np.pad(some.bags[place], ((0, 0), (0, width - some.bags[place].shape[1])))
            named[f"bag{place}"] = np.where(padded > 0, padded - field.first + 1, 0)
        return named

    torch.manual_seed(seed)
    model: Any = models.DCN(columns, columns, cross_num=3, dnn_hidden_units=(128, 128), dnn_dropout=0.2, seed=seed)
    model.compile("adam", "binary_crossentropy", metrics=[])
    found = []
    for _ in range(EPOCHS):
        with contextlib.redirect_stdout(io.StringIO()):
            model.fit(given(train), clicks.astype(np.float32), batch_size=BATCH, epochs=1, verbose=0)
            found.append(float(roc_auc_score(truth, model.predict(given(test), BATCH)[:, 0])))
    return found


def measure(modules: tuple[Any, Any], options: argparse.Namespace) -> ReportTable:
    """The AUC of every held-out fold after each epoch, and their mean."""
    prepared = PreparedSet(options.set)
    folds = prepared.split(options.split).folds if options.test is None else (options.test,)
    means = []
    for fold in folds:
        rows = Rows(prepared, options.split, fold, tuple(options.exclude))
        means.append(np.mean([peer_aucs(modules, rows, seed) for seed in options.seeds], axis=0))
    lines = zip([*map(str, folds), "mean"], [*means, np.mean(means, axis=0)], strict=True)
    return ReportTable(
        f"DeepCTR-Torch's DCN, AUC after each epoch, split {options.split}",
        ("scored", *(f"{epoch + 1} epochs" for epoch in range(EPOCHS))),
        [(name, *(f"{auc:.4f}" for auc in aucs)) for name, aucs in lines],
        f"Means over the seeds {options.seeds}; columns left out: {', '.join(options.exclude) or 'none'}.",
    )


def main() -> None:
    """Measure, print, and write what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("set", type=Path, help="folder of a prepared click log")
    asked.add_argument("--split", default="folds")
    asked.add_argument("--test", default=None, help="the fold or role that is scored; every fold in turn by default")
    asked.add_argument("--exclude", nargs="*", default=[], help="columns that nobody may see")
    asked.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    asked.add_argument("--out", type=Path, help="JSON file for the table, as a README takes it")
    options = asked.parse_args()
    if (modules := deepctr_modules()) is None:
        raise SystemExit("DeepCTR-Torch is not installed: first `pip install deepctr-torch tqdm`.")
    with one_thread():
        made = measure(modules, options)
    table = Table(*made.header, title=made.caption, caption=made.note)
    for row in made.rows:
        table.add_row(*row)
    Console().print(table)
    if options.out:
        write_json(options.out, {"tables": [made.to_dict()]})


if __name__ == "__main__":
    main()
