"""The `compare` verb: runs of several recipes, scored on the same scans, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from apps.pulmonary_vessel.error_picture import picture_name, write_panel
from apps.pulmonary_vessel.evaluate import METRICS, scored
from apps.pulmonary_vessel.result_tables import SHOWN
from apps.pulmonary_vessel.verb_config import CompareConfig
from shared.atomic import write_json
from shared.card import Card
from shared.contract import App
from shared.errors import ConfigError
from shared.evaluation import interval_text, summarise
from shared.metrics.dense import MEAN_DICE
from shared.pretrained import CARD
from shared.report import ReportTable
from shared.results import labelled, network_rows
from shared.run import WIDER_STUDY, Run, dotted
from shared.table import Table, concatenate, read_table, take

__all__ = ["compare"]

OF_NO_MATTER = WIDER_STUDY | {"half", "keep_maps", "calibration", "threshold_patients", "baseline_scans"}
"""Settings that change where and how a run was made, not what it is."""


@dataclass(frozen=True)
class _Scored:
    """A run with what it cost and what its network found."""

    name: str
    outputs: Path
    """Folder with the pictures of its errors."""
    settings: Mapping[str, Any]
    parameters: int
    minutes: float
    """Of the epochs, on whatever machine it was trained."""
    threshold: float
    table: Table

    @classmethod
    def read(cls, folder: Path, app: App) -> Self:
        run = Run.open(folder, app.package)
        if not run.predictions.is_file():
            raise ConfigError(f"{folder} is not scored yet: python -m {app.package} evaluate {folder}")
        card = Card.read(run.model / CARD)
        rows = scored(network_rows(read_table(run.predictions)))
        epochs = [json.loads(line) for line in run.log.read_text(encoding="utf-8").splitlines()]
        return cls(
            name=run.folder.resolve().name,
            outputs=run.outputs,
            settings=dotted(yaml.safe_load(run.config.read_text(encoding="utf-8"))),
            parameters=card.parameters or 0,
            minutes=sum(epoch["seconds"] for epoch in epochs) / 60,
            threshold=card.threshold or 0.5,
            table=labelled({name: column for name, column in rows.items() if name != "model"}, folder.resolve().name),
        )

    def differing(self, first: Self) -> str:
        """The settings in which it differs, as flags of `train`."""
        keys = [key for key, value in self.settings.items() if key not in OF_NO_MATTER]
        changed = [key for key in keys if self.settings[key] != first.settings.get(key)]
        return ", ".join(f"--{key} {_word(self.settings[key])}" for key in changed) or "the recipe"


def compare(app: App, config: CompareConfig) -> None:
    """Write one line for each run, as JSON that a README takes its tables from, and a picture of one scan in all runs.

    Raises:
        ConfigError: two runs have one name, or one is not scored.
        InputError: a folder is no run, two were scored on different scans, or a picture is not there.
    """
    runs = [_Scored.read(folder, app) for folder in config.runs]
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ConfigError(f"Runs are told apart by the names of their folders; found {', '.join(names)}.")
    summary = summarise(
        concatenate([run.table for run in runs]), METRICS, group=app.resampling_unit, reference=names[0]
    )
    tables = [_figures(runs, summary), _differences(runs, summary)]
    command = f"python -m {app.package} compare RUN OTHER... --out FILE"
    write_json(config.out, {"command": command, **summary, "tables": [shown.to_dict() for shown in tables]})
    print(config.out)
    if config.picture is not None:
        item = config.scan or _most_different(runs)
        write_panel(config.picture, {run.name: run.outputs / picture_name(item) for run in runs})
        print(config.picture)


def _most_different(runs: Sequence[_Scored]) -> str:
    """The scan on which the runs' Dice has the greatest spread."""
    items = sorted(set(runs[0].table["item"].tolist()))
    dice = [[MEAN_DICE(take(run.table, run.table["item"] == item)) for run in runs] for item in items]
    return str(items[int(np.nanargmax(np.nanstd(np.array(dice, dtype=float), axis=1)))])


def _figures(runs: Sequence[_Scored], summary: Mapping[str, Any]) -> ReportTable:
    origins = sorted({str(name) for name in runs[0].table["origin"]})
    scans = len(set(runs[0].table["item"].tolist()))
    lines = []
    for run in runs:
        figures = summary["models"][run.name]["metrics"]
        shown = [metric.format(figures[metric.name]["estimate"]) for metric in SHOWN]
        cost = (f"{run.parameters:,}", f"{run.minutes:.1f}", f"{run.threshold:g}")
        lines.append((run.name, run.differing(runs[0]), *cost, *shown))
    header = ("run", "differs from the first by", "parameters", "minutes of training", "threshold", *map(_title, SHOWN))
    note = f"{scans} scans, {' and '.join(origins)}; each run has one threshold, chosen on other patients."
    return ReportTable("Recipes on the same scans", header, lines, note)


def _differences(runs: Sequence[_Scored], summary: Mapping[str, Any]) -> ReportTable:
    lines = [
        (run.name, *(interval_text(m, summary["models"][run.name]["differences"][m.name]) for m in SHOWN))
        for run in runs[1:]
    ]
    note = f"Run minus {runs[0].name}; intervals from the same {summary['resamples']} draws of patients for both."
    return ReportTable(f"Difference to {runs[0].name}", ("run", *map(_title, SHOWN)), lines, note)


def _title(metric: Any) -> str:
    return f"{metric.name}, %" if metric.percent else metric.name


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value).replace(" ", "")
