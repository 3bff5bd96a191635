"""One training of a click network, and how it is scored: what the shared verbs ask of this app."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from apps.ctr_prediction import baselines
from apps.ctr_prediction.app import APP
from apps.ctr_prediction.config import TrainConfig
from apps.ctr_prediction.data import ClickBatch, ImpressionLog, TrainingStream
from apps.ctr_prediction.evaluate import BLOCK, LIMITS, METRICS, PUBLISHED, impressions
from apps.ctr_prediction.experts import Parts, described_network, networks_in, part_names
from apps.ctr_prediction.features.row_encoder import RowEncoder
from apps.ctr_prediction.features.selection import campaign_columns
from apps.ctr_prediction.online import ftrl_state
from apps.ctr_prediction.optimisers.mixed import optimizers_for
from apps.ctr_prediction.optimisers.rowwise import share_nonzero
from apps.ctr_prediction.predict import NETWORKS, ClickPredictor
from apps.ctr_prediction.report import sections
from shared.calibrate import Calibrator, Identity, Platt
from shared.contract import App
from shared.errors import InputError
from shared.experiment import Experiment
from shared.export import as_tuple
from shared.metrics.binary import AUC, LOG_LOSS
from shared.predictor import Predictor
from shared.report import ReportTable, Section
from shared.table import Table, concatenate, require

__all__ = ["ClickExperiment", "ClickTask"]

READ_ROWS = 65_536
"""Impressions that are read, encoded and scored together."""


class ClickTask:
    """The training stream, the log loss summed over the batch, the optimisers, and the log loss of later rows.

    FTRL's alpha and l1 mean what they mean in the literature for a sum; the others do not see the scale of a loss.
    """

    def __init__(self, experiment: ClickExperiment, stream: TrainingStream, world_size: int) -> None:
        self._experiment, self._stream, self._world_size = experiment, stream, world_size
        self.steps_per_epoch = stream.steps(world_size)
        self.made: list[Optimizer] = []
        """The optimisers, once they are made: FTRL's memory is kept with the model."""

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[ClickBatch]:
        """The batches of one epoch for one process."""
        return self._stream.batches(epoch, rank, world_size)

    def loss(self, model: nn.Module, batch: ClickBatch) -> dict[str, Tensor]:
        """The sum over the batches of all processes, whose gradients are averaged."""
        logits = as_tuple(model(*batch.inputs), ())
        losses = [
            functional.binary_cross_entropy_with_logits(logit, batch.clicks, reduction="sum") * self._world_size
            for logit in logits
        ]
        return dict(zip(("log loss of a batch", "as of new campaigns"), losses, strict=False))

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """As configured, for the parts of the network."""
        config = self._experiment.config.optimiser
        self.made = [one for network in networks_in(model) for one in optimizers_for(network, config)]
        for group in (group for one in self.made for group in one.param_groups):
            del group["name"]  # a checkpoint holds numbers, which can be compared
        return self.made

    def validate(self, model: nn.Module) -> dict[str, float]:
        """AUC and log loss of the validation rows, where there are any."""
        experiment = self._experiment
        if experiment.config.split.validation is None:
            return {}
        table = experiment.predictions(experiment.bare_predictor(model), "validation", Path())
        ones = np.ones(len(table["target"]))
        return {metric.name: metric(table, ones) for metric in (AUC, LOG_LOSS)}


class ClickExperiment(Experiment[TrainConfig]):
    """One training of a click network, and how it is scored."""

    app: ClassVar[App] = APP
    config_class: ClassVar[type] = TrainConfig
    metrics = METRICS
    published_columns: ClassVar[tuple[str, ...]] = PUBLISHED

    @cached_property
    def log(self) -> ImpressionLog:
        """The prepared rows."""
        return ImpressionLog(self.prepared)

    def tables_of(self, role: str) -> Iterator[pa.Table]:
        """The rows of a role, in their stored order."""
        return self.log.batches(READ_ROWS, self.where(role))

    @cached_property
    def encoders(self) -> tuple[RowEncoder, ...]:
        """Fitted on the training rows: of the network, and of that for new campaigns where there is one."""
        features = [self.config.features, *([self.config.new_campaign.features] if self._for_new_campaigns else [])]
        return tuple(RowEncoder.fit(self.log.schema, self.tables_of("train"), wanted) for wanted in features)

    @property
    def _for_new_campaigns(self) -> bool:
        """Whether a second network is trained: a log whose columns name no campaign has no new ones."""
        return self.config.new_campaign.apply and bool(campaign_columns(self.log.schema))

    @cached_property
    def _seen(self) -> tuple[tuple[str, ...], float]:
        """The blocks of the training rows, and the non-clicks of the world that each of their non-clicks stands for."""
        blocks: set[str] = set()
        count, weight = np.zeros(2), np.zeros(2)
        for rows in self.tables_of("train"):
            blocks.update(rows[BLOCK].unique().to_pylist())
            clicked = self.log.clicks(rows).astype(np.int64)
            count += np.bincount(clicked, minlength=2)
            weight += np.bincount(clicked, self.log.weights(rows), minlength=2)
        mean = weight / np.maximum(count, 1)
        return tuple(sorted(blocks)), float(mean[0] / mean[1]) if mean.all() else 1.0

    def described(self) -> Mapping[str, Any]:
        """What is known before training: the rows are read for it."""
        blocks, rate = self._seen
        wanted = (self.config.network, self.config.new_campaign.network)
        return {
            "description": f"{self.config.network.kind} trained by {self.config.optimiser.name}.",
            "network": {
                name: described_network(encoder, network)
                for name, encoder, network in zip(NETWORKS, self.encoders, wanted, strict=False)
            },
            "input": {
                "units": "as in the log",
                "range": "any value; one that the training rows never had counts as unseen",
                "columns": [column.to_dict() for column in self._input_columns()],
            },
            "output": {
                "probability": "of a click in the world",
                "sampled_probability": "of a click among rows sampled as the training rows",
                "non-clicks for each one kept": rate,
                "click rate of the training rows": self.encoders[0].click_rate,
            },
            "training_groups": blocks,
            "limits": LIMITS,
        }

    def _input_columns(self) -> Iterable[Any]:
        features = {column.name for encoder in self.encoders for column in encoder.columns}
        return (column for column in self.log.schema if column.name in features or column.role == "time")

    def network(self) -> nn.Module:
        """A fresh network that begins at the click rate of the training rows.

        Raises:
            InputError: none of them is a click, or all are.
        """
        rate = self.encoders[0].click_rate
        if not 0 < rate < 1:
            raise InputError(f"{'All' if rate else 'None'} of the training rows are clicks: nothing can be learnt.")
        network = super().network()
        for one in networks_in(network):
            one.start_at(rate)
        return network

    def task(self, network: nn.Module) -> ClickTask:
        """Batches of the training rows."""
        config = self.config
        stream = TrainingStream(self.log, self.encoders, config.reading, self.where("train"), config.fit.seed)
        self._task = ClickTask(self, stream, config.fit.devices * config.fit.num_nodes)
        return self._task

    def bare_predictor(self, network: nn.Module) -> ClickPredictor:
        """The network as it is, not calibrated."""
        return ClickPredictor(self.card(), network, encoders=self.encoders)

    def predictor(self, network: nn.Module, calibration: Table | None) -> ClickPredictor:
        """The trained network, calibrated, with what its optimiser remembers."""
        card = self.card(calibration=self._calibrator(network, calibration).to_dict())
        remembered = ftrl_state(networks_in(network)[0], self._task.made)
        return ClickPredictor(card, network, arrays={"ftrl": remembered} if remembered else {}, encoders=self.encoders)

    def _calibrator(self, network: nn.Module, table: Table | None) -> Calibrator:
        """Platt's line on rows that the network was not trained on; without any the logits stay as they are."""
        if table is None and self.config.split.validation is not None:
            table = self.predictions(self.bare_predictor(network), "validation", Path())
        if table is None:
            return Identity()
        require(table, "logit", "target")
        return Platt.fit(table["logit"], table["target"])

    def predictions(self, predictor: Predictor, role: str, outputs: Path) -> Table:
        """One row per impression of the role, with what each part of the network adds to its logit."""
        assert isinstance(predictor, ClickPredictor)
        nonzero = share_nonzero(predictor.network.parameters())
        tables = []
        for rows in self.tables_of(role):
            parts = predictor.parts(rows)
            table = impressions(self.log, rows, np.sum(list(parts.values()), axis=0), predictor.calibrator)
            tables.append({**table, **self._told(predictor.encoders[0], rows, parts, 0.0, nonzero)})
        table = concatenate(tables)
        if not table["target"].any():
            warnings.warn(f"none of the {role} rows is a click: they say nothing of the ranking", stacklevel=2)
        return table

    def fit_baseline(self, name: str) -> Any:
        """Fit a classical model on the training rows."""
        rows = partial(self.tables_of, "train")
        model = baselines.fit_baseline(name, self.log.schema, rows, self.config.fit.seed, self.config.features)
        return _Classical(model, self)

    def baseline_predictions(self, fitted: Any, role: str) -> Table:
        """One row per impression of the role, as `predictions` gives them; what a network alone has is NaN."""
        encoder, tables = fitted.trained_by.encoders[0], []
        for rows in self.tables_of(role):
            probability = np.clip(fitted.model.probability(rows), 1e-9, 1 - 1e-9)
            table = impressions(self.log, rows, np.log(probability / (1 - probability)), Identity())
            tables.append({**table, **self._told(encoder, rows, {}, np.nan, np.nan)})
        return concatenate(tables)

    def _told(self, encoder: RowEncoder, rows: pa.Table, parts: Parts, absent: float, nonzero: float) -> Table:
        """What the report tells beside the predictions: parts, unseen features, density, rate of the training rows."""
        numbers = {"nonzero": nonzero, "base_rate": encoder.click_rate}
        columns = {name: np.full(rows.num_rows, value) for name, value in numbers.items()}
        configs = (self.config.network, *([self.config.new_campaign.network] if self._for_new_campaigns else []))
        for name in dict.fromkeys(name for config in configs for name in part_names(config)):
            columns[f"part_{name}"] = parts.get(name, np.full(rows.num_rows, absent))
        return {**columns, "unseen": _joined(encoder.unseen(rows), [field.name for field in encoder.fields])}

    def tables(self, table: Table) -> Sequence[ReportTable]:
        """Level, calibration, campaigns, time, unseen values, living parts, ranks."""
        return sections.tables(table, self.log.groups)

    def sections(self, table: Table, summary: Mapping[str, Any]) -> list[Section]:
        """Those tables with their figures."""
        return sections.sections(table, summary, self.log.groups)


@dataclass(frozen=True)
class _Classical:
    """A fitted classical model, and the experiment that knows the same training rows."""

    model: baselines.FittedBaseline
    trained_by: ClickExperiment


def _joined(unseen: Any, names: Sequence[str]) -> Any:
    """(rows,) the names of the unseen features of each row, with commas between."""
    kinds, place = np.unique(unseen, axis=0, return_inverse=True)
    texts = [",".join(name for name, new in zip(names, kind, strict=True) if new) for kind in kinds]
    return np.array(texts, dtype=object)[place.ravel()]
