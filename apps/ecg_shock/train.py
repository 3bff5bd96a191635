"""What `train` and `crossval` need to know: the experiment, which joins data, network, rules and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import logit as log_odds
from torch import nn

from apps.ecg_shock import evaluate
from apps.ecg_shock.amplitude import ASYSTOLE_MV, amplitude_mv
from apps.ecg_shock.app import APP
from apps.ecg_shock.config import TrainConfig
from apps.ecg_shock.data import NOISE_CLASS, ShockWindows, has_verdict, training_rows, windows_of
from apps.ecg_shock.model import build_network
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.report import rhythm_report
from apps.ecg_shock.report.calibration import even_odds
from apps.ecg_shock.training.augment import Augmentation
from apps.ecg_shock.training.draws import AsRecorded, Disturbed, Draw, Pool, pools
from apps.ecg_shock.training.strips import strips_of
from apps.ecg_shock.training.task import ShockTask
from shared.abstention import Abstention, FarFromTraining, ProbabilityBand, Rule, Unreadable
from shared.baselines import Baseline
from shared.calibrate import Calibrator, Identity, Platt
from shared.contract import App, as_plain
from shared.experiment import Experiment
from shared.ood import FeatureDistance
from shared.predictor import Predictor
from shared.report import ReportTable, Section
from shared.table import Table, require

__all__ = ["ShockExperiment"]

Rows = npt.NDArray[np.integer[Any]]

NOISE_LABEL = 2
"""Beside 0 and 1: stretches marked as noise are cut apart from those of a rhythm."""
UNREADABLE = 0.5
"""Probability of noise from which no rhythm is read."""
FAMILIAR_SHARE = 0.9995
"""Share of the training windows that count as familiar to the network."""


def _calibrated(band: tuple[float, float], calibrator: Calibrator) -> ProbabilityBand:
    """What a calibration makes of a band of the network's own probabilities: the same answers are withheld."""
    low, high = calibrator(log_odds(band))
    return ProbabilityBand(float(low), float(high))


class ShockExperiment(Experiment[TrainConfig]):
    """One training of the shock network, and how it is scored."""

    app: ClassVar[App] = APP
    config_class: ClassVar[type] = TrainConfig
    metrics = evaluate.METRICS
    published_columns: ClassVar[tuple[str, ...]] = ("target", "probability", "decision")
    published_files: ClassVar[tuple[str, ...]] = ("stress.json",)

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
            network = build_network(**as_plain(self.config.network))
        # Whoever was learnt from, and whoever the probability was calibrated on.
        seen = np.concatenate([self.learnt("train")[0], self._noise(), self.rows("validation")])
        return {
            "description": f"{network.description}; {len(network.blocks)} blocks.",
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
            "limits": evaluate.LIMITS if self.config.augment.apply else (*evaluate.LIMITS, evaluate.PLAIN_LIMIT),
            "macs": network.multiply_accumulates(),
        }

    def task(self, network: nn.Module) -> ShockTask:
        """Draws from the training rows; validates on the validation rows."""
        return ShockTask(self.windows, self._draw(), self._verdicts("validation"), self.config)

    def _draw(self) -> Draw:
        """Windows as recorded, or disturbed where the configuration says so."""
        draws, patient = self.config.draws, self.windows.index["patient"]
        sides = pools(self.windows, *self.learnt("train"), draws.patient_power)
        if not self.config.augment.apply:
            return AsRecorded(self.windows, sides, draws)
        (rows, label), noise = self.learnt("train"), self._noise()
        marked = Pool.of(noise, patient[noise], draws.patient_power) if len(noise) else None
        labels = np.concatenate([label, np.full(len(noise), NOISE_LABEL)])
        cuttings = strips_of(self.windows).within(np.concatenate([rows, noise]), labels)
        augmentation = Augmentation(self.config.augment, cuttings, self.config.fit.seed)
        return Disturbed(augmentation, sides, marked, draws)

    def _noise(self) -> Rows:
        """The training rows that a reader marked as noise, where such rows are learnt."""
        rows = self.rows("train")
        return rows[self.windows.index["cls"][rows] == NOISE_CLASS] if self.config.draws.noise_marked else rows[:0]

    def predictor(self, network: nn.Module, calibration: Table | None) -> ShockAdvisor:
        """The trained network with its calibration, and with the features of its training rows as what it knows."""
        bare = ShockAdvisor(self.card(), network)
        familiar = FeatureDistance.fit(self._answers(bare, self.learnt("train")[0])[1], FAMILIAR_SHARE)
        calibrator = self._calibrator(bare, calibration)
        rules: list[Rule] = [FarFromTraining(familiar.limit), _calibrated(self.config.undecided_band, calibrator)]
        if self.config.draws.noise_marked + self.config.draws.noise_only:
            rules.insert(0, Unreadable(UNREADABLE))
        threshold = float(calibrator([log_odds(self.config.threshold)])[0])
        card = self.card(calibration=calibrator.to_dict(), abstention=Abstention(rules).to_dict(), threshold=threshold)
        return ShockAdvisor(card, network, arrays={"ood": familiar.state()})

    def _answers(self, bare: ShockAdvisor, rows: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """The network's logits (rows,) and features (rows, F)."""
        outputs = bare.forward_items([(torch.from_numpy(self.windows.read(row))[None],) for row in rows])
        return np.array([float(answer[0]) for answer in outputs]), np.stack([answer[1].numpy() for answer in outputs])

    def _calibrator(self, bare: ShockAdvisor, table: Table | None) -> Calibrator:
        """Platt's line, fitted with both labels alike heavy, so that a probability stands at even odds.

        Asystole is left out: a rule decides it, and the network's own answer to it is never used.
        """
        if table is not None:
            require(table, "logit", "target", "amplitude_mv")
            answer, target, size = table["logit"], table["target"], table["amplitude_mv"]
        elif len(rows := self.rows("validation")):
            answer, target = self._answers(bare, rows)[0], self.windows.index["target"][rows]
            size = np.array([self._size(row) for row in rows])
        else:
            return Identity()
        counted = has_verdict(target) & (size.astype(np.float64) >= ASYSTOLE_MV)
        label = target[counted].astype(np.int64)
        return Platt.fit(answer[counted], label, even_odds(label))

    def _size(self, row: int) -> float:
        """Peak to peak of a window in mV, as the asystole rule measures it."""
        return amplitude_mv(self.windows.raw(row), float(self.windows.index["sampling_rate"][row]))

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

    def tables(self, table: Table) -> Sequence[ReportTable]:
        """The rhythms of the AHA, classes, databases, patients, withheld advice, calibration."""
        return rhythm_report.tables(table)

    def sections(self, table: Table, summary: Mapping[str, Any]) -> list[Section]:
        """Those tables with their figures."""
        return rhythm_report.sections(table, summary["tables"])
