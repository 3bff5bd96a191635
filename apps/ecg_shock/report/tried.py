"""`tried`: cross-validations side by side: in which settings each differs from the first, and what that bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from apps.ecg_shock.config import TriedConfig
from apps.ecg_shock.evaluate import scored
from apps.ecg_shock.report.counts import by_training, percent
from apps.ecg_shock.report.patients import hardest_patient
from shared.atomic import write_json
from shared.contract import App
from shared.crossval import fold_spread
from shared.errors import ConfigError
from shared.metrics.binary import AUC, BALANCED_ACCURACY, SENSITIVITY, SPECIFICITY
from shared.report import ReportTable
from shared.results import NETWORK, network_rows
from shared.run import Run, dotted
from shared.table import Table, read_table, take

__all__ = ["tried"]

OF_NO_MATTER = frozenset({"data", "out", "workers", "baselines", "seeds", "fit.seed", "fit.progress", "resume"})
"""Settings that change where and how a cross-validation runs, not what is learnt."""


def tried(app: App, config: TriedConfig) -> None:
    """Write one line for each cross-validation, as JSON that a README takes its table from.

    Raises:
        ConfigError: a folder holds no finished cross-validation, or one of other data than the first.
    """
    runs = [Run.open(folder, app.package) for folder in config.grids]
    for run in runs:
        if not run.predictions.is_file():
            raise ConfigError(f"{run.folder} holds no finished cross-validation: give folders that crossval has ended.")
        if run.data_manifest_hash != runs[0].data_manifest_hash:
            raise ConfigError(f"{run.folder} is of another prepared set than {runs[0].folder}: nothing to compare.")
    networks = [network_rows(read_table(run.predictions)) for run in runs]
    settings = [dotted(yaml.safe_load(run.config.read_text(encoding="utf-8"))) for run in runs]
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
    keys = [key for key in {**first, **other} if key not in OF_NO_MATTER and first.get(key) != other.get(key)]
    return ", ".join(f"`--{key} {_word(other.get(key))}`" for key in keys) or "the recipe"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _header(hardest: str | None) -> tuple[str, ...]:
    return (
        "settings", "balanced accuracy, mean over folds (sd), %", f"without {hardest}, %", "sensitivity, %",
        "specificity, %", "AUC", "withheld, %", "noise-marked: shock, %",
    )  # fmt: skip


def _figures(rows: Table, hardest: str | None) -> tuple[str, ...]:
    """Of all seeds together; withheld advice counts where it says so, elsewhere every window is decided."""
    counted = scored(rows)
    rest = take(counted, counted["patient"].astype(str) != str(hardest))
    spread, alone = (fold_spread(BALANCED_ACCURACY, part)[NETWORK] for part in (counted, rest))
    noise = take(rows, rows["cls"] == "X_NOISE")
    shocked = (noise["decision"] == 1) & ~noise["undecided"].astype(bool)
    return (
        f"{100 * spread['mean']:.2f} ({percent(spread['sd over folds'])})",
        f"{100 * alone['mean']:.2f}",
        percent(SENSITIVITY(counted)),
        percent(SPECIFICITY(counted)),
        AUC.format(by_training(AUC, counted)),
        percent(float(counted["undecided"].astype(float).mean())),
        percent(float(shocked.mean())) if len(shocked) else "-",
    )


def _note(networks: Sequence[Table], hardest: str | None) -> str:
    seeds = ", ".join(str(len(np.unique(rows["seed"]))) for rows in networks)
    return (
        f"Out of fold, patient-wise. Seeds, line by line: {seeds}. Patient {hardest} has the most false decisions of "
        "the first line. The last column counts shocks that are advised after whatever is withheld."
    )
