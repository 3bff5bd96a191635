"""`tried`: cross-validations side by side: in which settings each differs from the first, and what that bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.ecg_shock.data import NOISE_CLASS
from apps.ecg_shock.evaluate import scored
from apps.ecg_shock.report.counts import by_training, fine_percent, percent
from apps.ecg_shock.report.finished import FinishedCrossval
from apps.ecg_shock.report.patients import hardest_patient
from apps.ecg_shock.verb_config import TriedConfig
from shared.atomic import write_json
from shared.contract import App, as_plain
from shared.crossval import fold_spread
from shared.errors import ConfigError
from shared.metrics.binary import AUC, BALANCED_ACCURACY, SENSITIVITY, SPECIFICITY
from shared.report import ReportTable
from shared.results import NETWORK, network_rows
from shared.run import WIDER_STUDY, dotted
from shared.table import Table, read_table, take

__all__ = ["tried"]

OF_NO_MATTER = WIDER_STUDY - {"folds"} | {"fit.seed", "split.test"}
"""Settings that change where and how a cross-validation runs, not what is learnt."""


def tried(app: App, config: TriedConfig) -> None:
    """Write one line for each cross-validation, as JSON that a README takes its table from.

    Raises:
        ConfigError: a folder holds no finished cross-validation, or one of other data than the first.
    """
    grids = [FinishedCrossval.open(app, folder) for folder in config.grids]
    runs = [grid.run for grid in grids]
    for run in runs:
        if run.data_manifest_hash != runs[0].data_manifest_hash:
            raise ConfigError(f"{run.folder} is of another prepared set than {runs[0].folder}: nothing to compare.")
    networks = [network_rows(read_table(run.predictions)) for run in runs]
    settings = [dotted({**as_plain(grid.config), "folds": grid.folds}) for grid in grids]
    hardest = hardest_patient({NETWORK: scored(networks[0])})
    lines = [
        (_difference(settings[0], other), *_figures(rows, hardest))
        for other, rows in zip(settings, networks, strict=True)
    ]
    table = ReportTable("What was tried", _header(hardest), lines, _note(networks, hardest))
    write_json(
        config.out, {"command": f"python -m {app.package} tried GRID OTHER... --out FILE", "tables": [table.to_dict()]}
    )
    print(config.out)


def _difference(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The settings in which a recipe differs, as flags."""
    keys = [key for key in first if key not in OF_NO_MATTER and first[key] != other[key]]
    return ", ".join(f"`--{key} {_word(other[key])}`" for key in keys) or "the recipe"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _header(hardest: str | None) -> tuple[str, ...]:
    return (
        "settings", "balanced accuracy, mean over folds (sd), %", *([f"without {hardest}, %"] if hardest else []),
        "sensitivity, %", "specificity, %", "AUC", "withheld, %", "noise-marked: shock, %",
    )  # fmt: skip


def _figures(rows: Table, hardest: str | None) -> tuple[str, ...]:
    """Of all seeds together; withheld advice counts where it says so, elsewhere every window is decided."""
    counted = scored(rows)
    rest = take(counted, counted["patient"].astype(str) != str(hardest))
    mean, deviation = _over_folds(counted)
    noise = take(rows, rows["cls"] == NOISE_CLASS)
    shocked = (noise["decision"] == 1) & ~noise["undecided"].astype(bool)
    return (
        f"{fine_percent(mean)} ({percent(deviation)})",
        *([fine_percent(_over_folds(rest)[0])] if hardest else []),
        percent(SENSITIVITY(counted)),
        percent(SPECIFICITY(counted)),
        AUC.format(by_training(AUC, counted)),
        percent(float(counted["undecided"].astype(float).mean())),
        percent(float(shocked.mean())) if len(shocked) else "-",
    )


def _over_folds(rows: Table) -> tuple[float | None, float | None]:
    """Mean and deviation of the balanced accuracy over held-out folds; None where it is undefined."""
    spread = fold_spread(BALANCED_ACCURACY, rows).get(NETWORK)
    return (spread["mean"], spread["sd over folds"]) if spread else (None, None)


def _note(networks: Sequence[Table], hardest: str | None) -> str:
    seeds = ", ".join(str(len(np.unique(rows["seed"]))) for rows in networks)
    left_out = f" Patient {hardest} has the most false decisions of the first line." if hardest else ""
    return (
        f"Out of fold. Seeds, line by line: {seeds}.{left_out} The last column counts shocks that are advised after "
        "whatever is withheld."
    )
