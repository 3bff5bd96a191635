"""`stress`: a cross-validation's networks on their held-out windows, shortened, lengthened and disturbed.

Every network is asked about the fold it has not seen by the way every user goes, from the raw samples to the advice, so
that faults, the amplitude rule and withheld advice count. The classical models are fitted again on the same training
rows and read the features of the same windows. What one network, or the classical models of one fold, answered lies in
a folder of its own under GRID/stress, so that the work can be stopped and continued. A network that was trained anew is
asked anew; after a change of the software, or of what is asked, remove that folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.ecg_shock.baselines import baselines
from apps.ecg_shock.data import has_verdict
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.report.finished import FinishedCrossval
from apps.ecg_shock.robustness.cost import Cost, cost_of
from apps.ecg_shock.robustness.disturbances import LENGTHS_S
from apps.ecg_shock.robustness.durations import excerpts
from apps.ecg_shock.robustness.stress_answers import classical_answers, network_answers
from apps.ecg_shock.robustness.stress_report import sections
from apps.ecg_shock.robustness.stress_results import StressResults
from apps.ecg_shock.train import ShockExperiment
from apps.ecg_shock.verb_config import StressConfig
from shared.atomic import write_json
from shared.card import Card
from shared.contract import App
from shared.errors import ConfigError, InputError, did_you_mean
from shared.grid import cell_folder, run_grid
from shared.prepared import PreparedSet
from shared.report import Section, render
from shared.run import Run
from shared.table import concatenate, n_rows, read_table, write_table
from shared.verbs import open_experiment

__all__ = ["stress"]

ANSWERS = "answers.parquet"
LEAKY = "leaky"
"""How the names of splits begin that cut patients on purpose."""
Cell = Mapping[str, Any]


def stress(app: App, config: StressConfig) -> None:
    """Ask, join the answers, and write stress.json, stress.parquet and stress.html into the cross-validation's folder.

    Raises:
        ConfigError: `grid` or `leaky` is no finished cross-validation, `leaky` is of a split that cuts no patient, or a
            classical model is unknown.
        InputError: the prepared set has changed since.
        CheckpointError: a network was saved by a version of this software that this one cannot read.
    """
    _check_names(config.baselines)
    study = _Study.open(app, config.grid)
    leaky = None if config.leaky is None else _leaky_folds(app, config.leaky, study)
    cells: list[Cell] = [{**training, "weights": study.weights(**training)} for training in study.trainings]
    if config.baselines:
        cells += [{"fold": fold, "baselines": list(config.baselines)} for fold in study.grid.folds]
    done = run_grid(cells, partial(_ask, app, study), config.grid / "stress", workers=config.workers)
    table = concatenate([read_table(cell.folder / ANSWERS) for cell in done])
    write_table(config.grid / "stress.parquet", table)
    results = StressResults.of(table)
    report = sections(results, _cost(app, study), None if leaky is None else (study.grid.spread, leaky))
    command = f"python -m {app.package} stress GRID{' --leaky LEAKY_GRID' if config.leaky else ''}"
    protocol = f"{study.grid.metrics['protocol']}. {results.protocol}"
    _write(config.grid, study, report, protocol=protocol, command=command)


def _write(folder: Path, study: _Study, report: Sequence[Section], *, protocol: str, command: str) -> None:
    """The tables for a README to take, and the page to read."""
    tables = [shown.to_dict() for section in report for shown in section.tables]
    write_json(folder / "stress.json", {"protocol": protocol, "command": command, "tables": tables})
    manifest = study.prepared.manifest
    facts = {"data": f"{manifest.title} ({manifest.source})", "licence of the data": manifest.licence}
    title = "Shock advice on shortened, lengthened and disturbed windows"
    render(folder / "stress.html", title, protocol, report, facts, synthetic=manifest.synthetic)
    print(f"{folder / 'stress.json'}\n{folder / 'stress.html'}")


def _check_names(names: Sequence[str]) -> None:
    known = baselines(0)
    for name in names:
        if name not in known:
            raise ConfigError(f"There is no classical model {name!r}.{did_you_mean(name, known)}")


@dataclass(frozen=True)
class _Study:
    """The networks of a finished cross-validation and the set they were trained on."""

    grid: FinishedCrossval

    @classmethod
    def open(cls, app: App, folder: Path) -> _Study:
        """Raises ConfigError where the folder holds none that has ended; InputError where its data have changed."""
        study = cls(FinishedCrossval.open(app, folder))
        data, trained_on = study.prepared, study.grid.run.data_manifest_hash
        if data.manifest_hash != trained_on:
            raise InputError(f"{data.folder} is another prepared set than the one that {folder} was trained on.")
        return study

    @property
    def prepared(self) -> PreparedSet:
        """The set, where the cross-validation had it."""
        return PreparedSet(self.grid.config.data)

    @property
    def trainings(self) -> list[dict[str, int]]:
        """Fold and seed of each network that its figures are of, seed by seed."""
        return [{"fold": fold, "seed": seed} for seed in sorted(self.grid.config.seeds) for fold in self.grid.folds]

    def run_of(self, fold: int, seed: int) -> Path:
        """The run folder of one network."""
        return cell_folder(self.grid.run.folder / "cells", {"fold": fold, "seed": seed}) / "run"

    def weights(self, fold: int, seed: int) -> str:
        """What tells a network from the one that another training would have left there."""
        return Card.read(Run.open(self.run_of(fold, seed)).model / "card.json").weights_sha256[:8]

    def training(self, app: App, fold: int, seed: int) -> tuple[ShockExperiment, Path]:
        """One network's experiment and run folder; the set is looked for where the cross-validation had it."""
        folder = self.run_of(fold, seed)
        experiment = open_experiment(app, Run.open(folder, app.package), self.grid.config.data)
        assert isinstance(experiment, ShockExperiment)
        return experiment, folder


def _leaky_folds(app: App, folder: Path, study: _Study) -> Mapping[str, Any]:
    """The balanced accuracy over the folds of a cross-validation that cuts patients.

    Raises:
        ConfigError: it cuts none, or is of other data.
    """
    leaky = _Study.open(app, folder)
    split = leaky.grid.config.split.name
    if not split.startswith(LEAKY):
        raise ConfigError(
            f"--leaky {folder} is a cross-validation on split {split!r}, which keeps patients whole; name one on a "
            f"split whose name begins with {LEAKY!r}."
        )
    if leaky.prepared.manifest_hash != study.prepared.manifest_hash:
        raise ConfigError(
            f"--leaky {folder} is a cross-validation of another prepared set than {study.grid.run.folder}."
        )
    return leaky.grid.spread


def _ask(app: App, study: _Study, cell: Cell, folder: Path) -> None:
    """Do one cell: a network, or the classical models of a fold."""
    fold, seed = cell["fold"], cell.get("seed", study.grid.config.fit.seed)
    experiment, run = study.training(app, fold, cell.get("seed", study.trainings[0]["seed"]))
    windows, rows = experiment.windows, experiment.rows("test")
    rows = rows[has_verdict(windows.index["target"][rows])]
    if "seed" in cell:
        parts = network_answers(ShockAdvisor.from_pretrained(run), windows, rows)
    else:
        parts = classical_answers(cell["baselines"], experiment, rows, seed)
    table = concatenate(list(parts))
    n = n_rows(table)
    write_table(folder / ANSWERS, {**table, "fold": np.full(n, fold), "seed": np.full(n, seed)})


def _cost(app: App, study: _Study) -> Cost:
    """Of the first network, on the first windows of each length; all networks of a study are built alike."""
    experiment, run = study.training(app, **study.trainings[0])
    found = {seconds: excerpts(experiment.windows, seconds) for seconds in LENGTHS_S}
    windows = {seconds: next(cut.read()) for seconds, cut in found.items() if len(cut)}
    return cost_of(ShockAdvisor.from_pretrained(run), windows)
