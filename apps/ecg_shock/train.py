"""What `train` and `crossval` need to know: the task that draws windows, and the experiment that joins the parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from apps.ecg_shock import evaluate, rhythm_report
from apps.ecg_shock.app import APP
from apps.ecg_shock.config import DrawConfig, TrainConfig
from apps.ecg_shock.data import ShockWindows, has_verdict, training_rows, windows_of
from apps.ecg_shock.model import ShockNet
from apps.ecg_shock.predict import ShockAdvisor
from shared.abstention import Abstention, FarFromTraining, ProbabilityBand
from shared.baselines import Baseline
from shared.calibrate import Calibrator, Identity, Temperature
from shared.contract import App, as_plain
from shared.errors import InputError
from shared.experiment import Experiment
from shared.metrics.binary import BALANCED_ACCURACY, decide
from shared.ood import FeatureDistance
from shared.predictor import Predictor
from shared.report import Section
from shared.table import Table, require

__all__ = ["ShockExperiment", "ShockTask"]

Rows = npt.NDArray[np.integer[Any]]

UNDECIDED_BAND = (0.2, 0.8)
"""Calibrated probabilities between these are too near to call; about one window in a hundred."""
FAMILIAR_SHARE = 0.9995
"""Share of the training windows that count as familiar to the network."""


class ShockTask:
    """Batches of shockable and other windows in fixed numbers, drawn so that no patient becomes the whole lesson.

    Args:
        windows: of the prepared set.
        rows: training rows.
        target: their labels, 1 shock and 0 no shock.
        validation: rows and labels to validate on; may be empty.
        draws: composition of the batches.
        learning_rate: Adam's peak.
        seed: of the draws.

    Raises:
        InputError: one of the two sides has no window.
    """

    def __init__(
        self,
        windows: ShockWindows,
        rows: Rows,
        target: npt.NDArray[np.int64],
        validation: tuple[Rows, npt.NDArray[np.int64]],
        draws: DrawConfig,
        learning_rate: float,
        seed: int,
    ) -> None:
        self.windows, self.validation, self.draws, self.learning_rate, self.seed = (
            windows, validation, draws, learning_rate, seed,
        )  # fmt: skip
        self.steps_per_epoch = draws.batches
        self.sides = tuple(self._side(rows[target == label], name) for label, name in ((1, "shock"), (0, "no shock")))

    def _side(self, rows: Rows, name: str) -> tuple[Rows, npt.NDArray[np.float64]]:
        """The rows of one label with the probability of each to be drawn."""
        if not len(rows):
            raise InputError(f"The training rows hold no window labelled {name!r}: both sides are needed.")
        _, patient, count = np.unique(self.windows.index["patient"][rows], return_inverse=True, return_counts=True)
        weight = count[patient] ** -self.draws.patient_power
        return rows, weight / weight.sum()

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Windows (batch, 1, samples) with labels (batch,); the processes share every batch among them."""
        rng = np.random.default_rng([self.seed, epoch])
        sizes = (self.draws.shock, self.draws.other)
        for _ in range(self.steps_per_epoch):
            drawn = [rng.choice(rows, size, p=p) for (rows, p), size in zip(self.sides, sizes, strict=True)]
            labels = np.repeat([1.0, 0.0], sizes).astype(np.float32)
            mine = slice(rank, None, world_size)
            yield torch.from_numpy(self.windows.stack(np.concatenate(drawn)[mine])), torch.from_numpy(labels[mine])

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Binary cross-entropy, in nats."""
        ecg, label = batch
        logit, _ = model(ecg)
        return {"cross-entropy": functional.binary_cross_entropy_with_logits(logit, label)}

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """Adam."""
        return [Adam(model.parameters(), lr=self.learning_rate)]

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Cross-entropy and balanced accuracy of the validation rows; nothing where there are none."""
        rows, target = self.validation
        if not len(rows):
            return {}
        device = next(model.parameters()).device
        logit = torch.cat(
            [model(torch.from_numpy(self.windows.stack(part)).to(device))[0].cpu() for part in _parts(rows)]
        )
        loss = functional.binary_cross_entropy_with_logits(logit, torch.from_numpy(target).float())
        table = decide({"target": target, "probability": torch.sigmoid(logit).numpy()}, 0.5)
        return {"cross-entropy": float(loss), BALANCED_ACCURACY.name: BALANCED_ACCURACY(table)}


def _parts(rows: Rows, size: int = 512) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


class ShockExperiment(Experiment[TrainConfig]):
    """One training of the shock network, and how it is scored."""

    app: ClassVar[App] = APP
    config_class: ClassVar[type] = TrainConfig
    metrics = evaluate.METRICS
    published_columns: ClassVar[tuple[str, ...]] = ("target", "probability", "decision")

    @cached_property
    def windows(self) -> ShockWindows:
        """The prepared windows."""
        return windows_of(self.prepared)

    def learnt(self, role: str) -> tuple[Rows, npt.NDArray[np.int64]]:
        """Rows of a role that carry a lesson, with their labels."""
        return training_rows(self.windows, self.rows(role), self.config.draws.irregular_vt)

    def _verdicts(self, role: str) -> tuple[Rows, npt.NDArray[np.int64]]:
        """The rows of a role that are scored, with their labels."""
        return training_rows(self.windows, self.rows(role), irregular_vt=False)

    def described(self) -> Mapping[str, Any]:
        """What is known before training."""
        with torch.device("meta"):  # only counted: weights would be drawn, and the network to train start elsewhere
            network = ShockNet(**as_plain(self.config.network))
        seen = np.concatenate([self.learnt("train")[0], self.rows("validation")])  # calibrated on, too
        return {
            "description": (
                "Convolutional network of Krasteva et al., Sensors 2020, 20(10):2875; "
                f"{len(network.blocks)} blocks, {network.hidden_layers} hidden layers as the paper counts them."
            ),
            "network": as_plain(self.config.network),
            "classes": ("no shock", "shock"),
            "input": {
                "units": "mV",
                "range": [-50, 50],
                "sampling rate": "75 Hz to 50 kHz, resampled to 125 Hz",
                "length": "2 to 10 s",
                "leads": 1,
                "band": "0.5 to 30 Hz, filtered by the predictor",
            },
            "output": {"shock_probability": "at even odds of shockable and non-shockable rhythms"},
            "training_groups": tuple(sorted(set(self.windows.index["patient"][seen].tolist()))),
            "threshold": 0.5,
            "limits": evaluate.LIMITS,
            "macs": network.multiply_accumulates(),
        }

    def task(self, network: nn.Module) -> ShockTask:
        """Draws from the training rows; validates on the validation rows."""
        config = self.config
        return ShockTask(
            self.windows, *self.learnt("train"), self._verdicts("validation"), config.draws, config.learning_rate,
            config.fit.seed,
        )  # fmt: skip

    def predictor(self, network: nn.Module, calibration: Table | None) -> ShockAdvisor:
        """The trained network with its calibration, and with the features of its training rows as what it knows."""
        bare = ShockAdvisor(self.card(), network)
        familiar = FeatureDistance.fit(self._answers(bare, self.learnt("train")[0])[1], FAMILIAR_SHARE)
        rules = Abstention((FarFromTraining(familiar.limit), ProbabilityBand(*UNDECIDED_BAND)))
        calibrator = self._calibrator(bare, calibration)
        card = self.card(calibration=calibrator.to_dict(), abstention=rules.to_dict())
        return ShockAdvisor(card, network, arrays={"ood": familiar.state()})

    def _answers(self, bare: ShockAdvisor, rows: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """The network's logits (rows,) and features (rows, F)."""
        outputs = bare.forward_items([(torch.from_numpy(self.windows.read(row))[None],) for row in rows])
        return np.array([float(logit) for logit, _ in outputs]), np.stack([part.numpy() for _, part in outputs])

    def _calibrator(self, bare: ShockAdvisor, table: Table | None) -> Calibrator:
        """Temperature, fitted with both labels alike heavy, so that a probability stands at even odds."""
        if table is not None:
            require(table, "logit", "target")
            logit, target = table["logit"], table["target"]
        elif len(rows := self.rows("validation")):
            logit, target = self._answers(bare, rows)[0], self.windows.index["target"][rows]
        else:
            return Identity()
        counted = has_verdict(target)
        logit, label = logit[counted], target[counted].astype(np.int64)
        return Temperature.fit(logit, label, weights=0.5 / (np.bincount(label, minlength=2) / len(label))[label])

    def predictions(self, predictor: Predictor, role: str, outputs: Path) -> Table:
        """One row per window of the role; `outputs` stays empty, a decision is no dense array."""
        assert isinstance(predictor, ShockAdvisor)
        return evaluate.decisions(predictor, self.windows, self.rows(role))

    def fit_baseline(self, name: str) -> Baseline:
        """Fit a classical model on the features of the training rows."""
        return evaluate.fit_baseline(name, self.windows, *self.learnt("train"), self.config.fit.seed)

    def baseline_predictions(self, fitted: Baseline, role: str) -> Table:
        """One row per window of the role, as `predictions` gives them."""
        return evaluate.baseline_decisions(fitted, self.windows, self.rows(role))

    @staticmethod
    def scored(table: Table) -> Table:
        """Windows whose class has a verdict."""
        return evaluate.scored(table)

    def details(self, table: Table) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Advice to shock by rhythm class, for the network and the classical models."""
        return {"shock advised, by rhythm class": rhythm_report.shock_rates(table)}

    def sections(self, table: Table, summary: Mapping[str, Any]) -> list[Section]:
        """Per class, database, rhythm and patient."""
        return rhythm_report.sections(table)
