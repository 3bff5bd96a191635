"""Cross-validations that have ended: what is compared, and what is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from apps.ecg_shock.config import CrossvalConfig
from shared.atomic import read_json
from shared.cli import load_config
from shared.contract import App
from shared.errors import ConfigError
from shared.results import NETWORK
from shared.run import Run

__all__ = ["FinishedCrossval"]


@dataclass(frozen=True)
class FinishedCrossval:
    """A cross-validation with all its figures."""

    run: Run
    config: CrossvalConfig
    """As it ended; settings that are younger than it have their defaults."""
    metrics: Mapping[str, Any]
    """What its metrics.json holds."""

    @classmethod
    def open(cls, app: App, folder: Path) -> Self:
        """Read a folder that `crossval` wrote.

        Raises:
            ConfigError: the folder holds another run, or a cross-validation that has not ended.
            InputError: it holds no run at all.
        """
        run = Run.open(folder, app.package)
        metrics = read_json(run.metrics) if run.metrics.is_file() and run.predictions.is_file() else {}
        if "folds" not in metrics:
            raise ConfigError(
                f"{folder} holds no finished cross-validation: give the folder that crossval had as --out, after it "
                "has ended."
            )
        return cls(run, load_config(CrossvalConfig, run.config), metrics)

    @property
    def spread(self) -> Mapping[str, Any]:
        """Model -> its balanced accuracy over held-out folds."""
        return self.metrics["folds"]

    @property
    def folds(self) -> list[int]:
        """The folds that were held out."""
        return sorted(int(fold) for fold in self.spread[NETWORK]["per fold"])
