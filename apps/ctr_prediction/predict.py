"""The importable predictor and the `predict` verb."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from apps.ctr_prediction.campaign_networks import CampaignNetworks
from apps.ctr_prediction.experts import (
    Parts,
    network_of,
    networks_in,
    parts_of_rows,
    stored_layout,
)
from apps.ctr_prediction.features.read_rows import ReadRows
from apps.ctr_prediction.features.reading import TableReader
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.networks.input_layout import InputLayout
from apps.ctr_prediction.online import OnlineTraining
from apps.ctr_prediction.report.rates import undo_sampling
from apps.ctr_prediction.results import ClickResult, ClickResults
from apps.ctr_prediction.rows import Rows, as_table, read_log, with_made_columns
from apps.ctr_prediction.verb_config import PredictConfig
from shared.atomic import atomic_path
from shared.calibrate import Identity, calibrator_from_dict
from shared.card import Card
from shared.contract import App
from shared.errors import InputError, did_you_mean
from shared.export import DynamicAxes
from shared.predictor import Predictor
from shared.prepared import Column
from shared.pretrained import Arrays

__all__ = ["ClickPredictor", "predict"]

FloatArray = npt.NDArray[np.float64]

NETWORKS = ("known", "new")
"""In a card: the network for campaigns of the training, and that for new ones."""
PREFIXES = ("", "new_")
"""Of their files and inputs."""


class ClickPredictor(Predictor):
    """Click probability of ad impressions: networks with the encoders of their rows, calibrated, sampling undone."""

    app: ClassVar[str] = "apps.ctr_prediction"

    def __init__(
        self, card: Card, network: nn.Module, *, arrays: Arrays | None = None, encoders: Sequence[RowEncoder] = ()
    ) -> None:
        super().__init__(card, network, arrays=arrays)
        self.encoders = tuple(encoders)
        """Of the network for campaigns of the training, and of that for new ones, where there is one."""
        self._layouts = [stored_layout(card.network[name]) for name in NETWORKS if name in card.network]
        self.output_names = ("logit", "logit_new")[: len(self._layouts)]
        self.input_names, self.dynamic_axes = _named_inputs(self._layouts)
        self.calibrator = calibrator_from_dict(card.calibration) if card.calibration else Identity()
        self.columns = tuple(Column.from_dict(dict(stored)) for stored in card.input["columns"])
        """Those of the prepared table that say what a row is made of."""
        self._online: OnlineTraining | None = None

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        """The networks that the card describes."""
        known, *others = [network_of(card.network[name]) for name in NETWORKS if name in card.network]
        inputs = 2 + stored_layout(card.network["known"]).n_bags
        return CampaignNetworks(known, others[0], inputs) if others else known

    def save_files(self, folder: Path) -> None:
        """The encoders."""
        for encoder, prefix in zip(self.encoders, PREFIXES, strict=False):
            encoder.save(folder, prefix)

    def load_files(self, folder: Path) -> None:
        """The encoders."""
        self.encoders = tuple(RowEncoder.load(folder, prefix) for prefix in PREFIXES[: len(self._layouts)])

    def example(self) -> tuple[Tensor, ...]:
        """Two rows of values that the training did not know, with three of any in each bag."""
        inputs: list[Tensor] = []
        for layout in self._layouts:
            ids = torch.tensor([layout.unseen_rows] * 2, dtype=torch.int64)
            bags = [torch.randint(0, layout.n_rows, (2, 3)) for _ in range(layout.n_bags)]
            inputs += [ids, torch.randn(2, layout.n_dense), *bags]
        return tuple(inputs)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what is learnt from."""
        return tuple(field.name for field in self.encoders[0].fields)

    def to(self, device: str | torch.device) -> Self:
        """Move the networks, as `Predictor.to`; online training goes on there."""
        self._online = None  # what it remembers is in the arrays
        return super().to(device)

    def predict(self, row: Mapping[str, Any]) -> ClickResult:
        """Click probability of one impression.

        Args:
            row: column name -> value, as in the log that was prepared; other columns are ignored, values never seen and
                missing ones have an answer too.

        Raises:
            InputError: no mapping, or none of the features is in it.
        """
        if not isinstance(row, Mapping):
            raise InputError(
                f"One impression is a mapping from column to value; found {type(row).__name__}. For several, a data "
                "frame or a file use predict_batch."
            )
        return self.predict_batch([row])[0]

    def predict_batch(self, items: Rows, *, keys: Sequence[str] = ()) -> ClickResults:  # type: ignore[override]
        """Click probabilities of many impressions, in their order; the same answers as one by one.

        Args:
            items: mappings, a pandas or polars data frame, a pyarrow table, or the path of a file, as `predict_file`
                takes it.
            keys: columns to hand through.

        Raises:
            InputError: none of these, a row is no mapping, no feature is there, or no such key.
        """
        keys = (keys,) if isinstance(keys, str) else keys
        if _is_empty(items):
            items = pa.table({column.name: pa.array([], pa.string()) for column in self.columns})
        return self._answer(as_table(items, self.columns, keys), keys)

    def predict_file(self, src: Path | str, dst: Path | str, keys: Sequence[str] = ()) -> int:
        """Click probabilities of a log of any length; memory does not grow with it.

        Args:
            src: parquet, CSV or TSV file with a header, packed or not; or a small JSON file of a list of mappings.
            dst: parquet file to write: the keys, probability, sampled_probability, status and unseen.
            keys: columns to hand through.

        Returns:
            The number of rows.

        Raises:
            InputError: as `predict_batch`; `dst` does not end with .parquet.
        """
        if Path(dst).suffix != ".parquet":
            raise InputError(f"Answers are written as parquet: end {str(dst)!r} with .parquet.")
        keys = (keys,) if isinstance(keys, str) else keys
        tables = (answers.to_arrow() for answers in self.answers(Path(src), keys))
        first = next(tables)
        rows = 0
        with (
            atomic_path(Path(dst)) as temporary,
            pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer,
        ):
            for table in itertools.chain([first], tables):
                writer.write_table(table)
                rows += table.num_rows
        return rows

    def answers(self, src: Path, keys: Sequence[str] = ()) -> Iterator[ClickResults]:
        """Click probabilities of a log of any length, a bounded number of rows at once; as `predict_file`."""
        for table in read_log(src, self.columns, keys):
            try:
                yield self._answer(table, keys)
            except InputError as error:
                raise InputError(f"{src}: {error}") from error

    def update(self, rows: Rows, clicks: npt.ArrayLike) -> None:
        """Learn from impressions whose outcome is known, one pass in their order, as the training would have.

        Vocabularies, scales and target rates stay as they are, with `features.encoding: hash` new values learn too;
        so do the layers that Adam trained, and the network for new campaigns.

        Args:
            rows: as for `predict_batch`.
            clicks: (rows,) 0 or 1.

        Raises:
            InputError: as `predict_batch`; clicks that are neither 0 nor 1, or not one for each row.
            ConfigError: the model was not trained by FTRL.
        """
        if _is_empty(rows) and not np.size(clicks):
            return
        table = with_made_columns(as_table(rows, self.columns), self.columns)
        outcome = np.asarray(clicks)
        if outcome.shape != (table.num_rows,) or not np.isin(outcome, (0, 1)).all():
            raise InputError(
                f"update needs a click of 0 or 1 for each of {table.num_rows} rows; found {outcome!r:.80}."
            )
        if self._online is None:
            self._online = OnlineTraining(networks_in(self.network)[0], self.card, self.arrays.get("ftrl", {}))
        self._online.learn(self.encoders[0].encode(table), outcome.astype(np.float32))
        self.arrays = {**self.arrays, "ftrl": self._online.state()}

    def parts(self, table: pa.Table) -> Parts:
        """What each part of the network for its campaign adds to the logit of each row of a prepared table."""
        return self._parts(self._read(table))

    def unseen(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """(rows, features) whether the training rows never had the value."""
        return self.encoders[0].unseen(table)

    def _read(self, table: pa.Table) -> list[ReadRows]:
        """The rows as each encoder reads them; they share the reader, so that each column is read once."""
        reader = TableReader(table)
        return [encoder.read(reader) for encoder in self.encoders]

    def _parts(self, read: Sequence[ReadRows]) -> Parts:
        return parts_of_rows(networks_in(self.network), read)

    def _answer(self, table: pa.Table, keys: Sequence[str]) -> ClickResults:
        for key in keys:
            if key not in table.column_names:
                raise InputError(f"The rows have no column {key!r}.{did_you_mean(key, table.column_names)}")
        read = self._read(with_made_columns(table, self.columns))
        sampled = self.calibrator(np.sum(list(self._parts(read).values()), axis=0))
        return ClickResults(
            model=self.card.label,
            probability=undo_sampling(sampled, float(self.card.output["non-clicks for each one kept"])),
            sampled_probability=sampled,
            unseen=read[0].unseen(),
            features=self.features,
            nothing_known=read[0].nothing_known(),
            keys={key: table[key] for key in keys},
        )


def _is_empty(rows: Rows) -> bool:
    return isinstance(rows, Sequence) and not isinstance(rows, str) and not len(rows)


def _named_inputs(layouts: Sequence[InputLayout]) -> tuple[tuple[str, ...], DynamicAxes]:
    """Names and changing axes of the inputs of an ONNX file."""
    axes: dict[str, dict[int, str]] = {}
    for layout, prefix in zip(layouts, PREFIXES, strict=False):
        axes |= {f"{prefix}ids": {0: "batch"}, f"{prefix}dense": {0: "batch"}}
        bags = [f"{prefix}bag_{place}" for place in range(layout.n_bags)]
        axes |= {bag: {0: "batch", 1: f"longest_{bag}"} for bag in bags}
    return tuple(axes), axes


def predict(app: App, config: PredictConfig) -> None:
    """The `predict` verb: one line for each impression of the files, or one parquet file of all answers."""
    del app
    predictor = ClickPredictor.from_pretrained(config.model)
    if config.out is not None:
        rows = predictor.predict_file(config.files[0], config.out, config.keys)
        print(f"{config.out} holds the click probabilities of {rows} impressions.")
        return
    for path in config.files:
        for line in _lines(predictor, path, config):
            print(line)


def _lines(predictor: ClickPredictor, path: Path, config: PredictConfig) -> Iterator[str]:
    for answers in predictor.answers(path, config.keys):
        named = [dict(zip(answers.keys, values, strict=True)) for values in _rows(answers)]
        for key, answer in zip(named, answers, strict=True):
            if config.json:
                yield json.dumps({"file": str(path), **key, **answer.to_dict()}, default=str)
            else:
                told = [f"{name} {value}" for name, value in key.items()]
                doubt = answer.reason or (f"never seen: {', '.join(answer.unseen)}" if answer.unseen else "")
                told += [f"p(click) {answer.probability:.6f}", *([f"({doubt})"] if doubt else [])]
                yield "  ".join([str(path), *told])


def _rows(answers: ClickResults) -> Sequence[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in answers.keys.values()]
    return list(zip(*columns, strict=True)) if columns else [()] * len(answers)
