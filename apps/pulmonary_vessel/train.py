"""One training of a vessel network, and how it is scored: what the shared verbs ask of this app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import nn

from apps.pulmonary_vessel import result_tables
from apps.pulmonary_vessel.app import APP
from apps.pulmonary_vessel.baselines import FittedBaseline, fit_baseline
from apps.pulmonary_vessel.config import TrainConfig
from apps.pulmonary_vessel.data import check_set, held_back, labelled_scans, read_scans
from apps.pulmonary_vessel.evaluate import CHOICE, LIMITS, METRICS, PUBLISHED, Probability, Scoring, chosen_threshold
from apps.pulmonary_vessel.evaluate import scored as scored_rows
from apps.pulmonary_vessel.grid import SPACING_MM
from apps.pulmonary_vessel.predict import VesselSegmenter
from apps.pulmonary_vessel.vessel_task import VesselTask
from shared.contract import App, as_plain
from shared.experiment import Experiment
from shared.predictor import Predictor
from shared.progress import counted
from shared.report import ReportTable, Section
from shared.table import Table

__all__ = ["VesselExperiment"]

Rows = npt.NDArray[np.integer[Any]]


class VesselExperiment(Experiment[TrainConfig]):
    """One training of a vessel network, and how it is scored.

    Every model, network or classical, has one threshold, chosen on patients that it did not learn from and that are not
    scored: the validation rows, or else some of the training patients.
    """

    app: ClassVar[App] = APP
    config_class: ClassVar[type] = TrainConfig
    metrics = METRICS
    published_columns: ClassVar[tuple[str, ...]] = PUBLISHED

    def __init__(self, config: TrainConfig) -> None:
        super().__init__(config)
        check_set(self.prepared)

    @cached_property
    def _dealt(self) -> tuple[Rows, Rows]:
        """Rows to learn from, and rows to choose the threshold on."""
        rows = self.rows("train")
        if self.config.split.validation is not None:
            return rows, self.rows("validation")
        back = held_back(self.prepared, rows, self.config.threshold_patients)
        return rows[~back], rows[back]

    @property
    def learnt(self) -> Rows:
        """What the network learns from: with a cross-validation to choose the threshold on, every training row."""
        return self.rows("train") if self.config.calibration is not None else self._dealt[0]

    @property
    def chosen_on(self) -> Rows:
        """Rows on which thresholds are chosen, and that each epoch ends with."""
        return self.rows("validation") if self.config.calibration is not None else self._dealt[1]

    def described(self) -> Mapping[str, Any]:
        """What is known before training."""
        config, network = self.config, self.config.network
        seen = np.concatenate([self.learnt, self.chosen_on])
        patients = np.unique(self.prepared.index["patient"][seen].astype(str))
        return {
            "description": f"{network.kind} network, {network.dimensions}, filters {list(network.filters)}; trained on "
            f"patches of {list(config.task.patches.size)} voxels.",
            "network": as_plain(network),
            "input": {
                "units": "HU",
                "range": [-1024, 600],
                "spacing_mm": list(SPACING_MM),
                "axes": "z, y, x towards head, back and left",
                "inference": as_plain(config.inference),
            },
            "output": {
                "mask": "1 in pulmonary vessels inside the lungs",
                "channels": list(network.outputs),
                "cleaning": as_plain(config.cleaning),
            },
            "half": config.half,
            "training_groups": tuple(patients.tolist()),
            "limits": LIMITS,
        }

    def task(self, network: nn.Module) -> VesselTask:
        """Patches of the scans to learn from."""
        config = self.config
        return VesselTask(self.prepared, self.learnt, self.chosen_on, config.network, config.task, config.fit.seed)

    def predictor(self, network: nn.Module, calibration: Table | None) -> Predictor:
        """The trained network with its threshold."""
        if calibration is not None:
            return VesselSegmenter(self.card(threshold=chosen_threshold(calibration)), network)
        bare = VesselSegmenter(self.card(), network)
        return VesselSegmenter(self.card(threshold=self._threshold(bare.probability)), network)

    def _threshold(self, probability: Probability) -> float:
        """The model's own, chosen on scans that it did not learn from."""
        asked = Scoring(probability, CHOICE[0], self.config.cleaning, CHOICE, shapes=False)
        return chosen_threshold(asked.table(read_scans(self.prepared, self._dealt[1])))

    def predictions(self, predictor: Predictor, role: str, outputs: Path) -> Table:
        """One row per scan and threshold; a picture of the errors on each labelled scan goes to `outputs`."""
        assert isinstance(predictor, VesselSegmenter)
        keep = self.config.keep_maps
        asked = Scoring(predictor.probability, predictor.threshold, predictor.cleaning, outputs=outputs, keep_maps=keep)
        return asked.table(read_scans(self.prepared, counted(self.rows(role).tolist(), "scans")))

    def fit_baseline(self, name: str) -> Any:
        """Fit a classical model on some of the rows that the network learns from, and choose its threshold."""
        rows = self._dealt[0]
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), self.config.baseline_scans)).round().astype(int)]
        model = fit_baseline(name, labelled_scans(self.prepared, some), self.config.fit.seed)
        return _Classical(model, self._threshold(model.probability))

    def baseline_predictions(self, fitted: Any, role: str) -> Table:
        """One row per scan and threshold, as `predictions` gives them."""
        asked = Scoring(fitted.model.probability, fitted.threshold, self.config.cleaning)
        return asked.table(read_scans(self.prepared, self.rows(role).tolist()))

    @staticmethod
    def scored(table: Table) -> Table:
        """The rows at each model's own threshold."""
        return scored_rows(table)

    def tables(self, table: Table) -> Sequence[ReportTable]:
        """By origin, by condition, scan by scan, at sparse points, two kernels, thresholds."""
        return result_tables.tables(table)

    def sections(self, table: Table, summary: Mapping[str, Any]) -> list[Section]:
        """Those tables with their figures."""
        return result_tables.sections(table, summary)


@dataclass(frozen=True)
class _Classical:
    """A fitted classical model and its threshold."""

    model: FittedBaseline
    threshold: float
