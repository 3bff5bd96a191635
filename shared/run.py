"""A run folder: where one training keeps its settings, its surroundings and everything it produced.

config.yaml          settings, readable by `train --config`
env.json             versions, commit, device, hash of the data, app
log.jsonl            one line for each epoch
last.ckpt            state to continue from
best.safetensors     weights of the chosen epoch
model/               the finished predictor, as `from_pretrained` reads it
predictions.parquet  one row for each scored unit
outputs/             dense arrays that no table can hold
metrics.json         every figure with its interval
report.html          the page to read
"""

from __future__ import annotations

import dataclasses
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml

from shared.atomic import read_json, write_json, write_text
from shared.errors import CheckpointError, ConfigError, InputError

__all__ = ["BEST", "FORMAT_VERSION", "LAST", "LOG", "LONGER_RUN", "WIDER_STUDY", "Run", "dotted"]

FORMAT_VERSION = 1
"""Layout of the folder; a folder with a higher number was written by a newer version of this software."""

LOG, LAST, BEST = "log.jsonl", "last.ckpt", "best.safetensors"

PACKAGES = ("neural-suite", "torch", "lightning-fabric", "numpy", "scipy", "scikit-learn", "pyarrow", "safetensors")
"""Distributions whose versions can change what a training gives."""

PLACES = frozenset({"resume", "data", "out", "fit.progress", "fit.accelerator", "fit.devices", "fit.num_nodes"})
LONGER_RUN = PLACES | {"fit.epochs", "fit.patience"}
"""Settings that a resumed training may change: where things lie, on what it runs, how long; others would mix two."""
WIDER_STUDY = PLACES | {"seeds", "folds", "baselines", "workers", "trials"}
"""Settings that a continued grid or search may change: how much there is to do, never what is done in each part."""


@dataclass(frozen=True)
class Run:
    """One run folder. Made by `create` or `open`; the properties name its files, which need not exist yet."""

    folder: Path
    app: str
    """Dotted package of the app that trained it, such as "apps.ecg_shock"."""
    data_manifest_hash: str | None
    """Hash of the prepared set it was trained on; None where it was trained on something else."""

    @classmethod
    def create(
        cls,
        folder: Path,
        config: Any,
        app: str,
        data_manifest_hash: str | None,
        resume: bool = False,
        *,
        first_process: bool = True,
        may_change: frozenset[str] = LONGER_RUN,
    ) -> Run:
        """Start a run in `folder`, or continue the one that lies there.

        Args:
            folder: made where it does not exist.
            config: instance of a dataclass; saved as config.yaml, which the command line reads back.
            app: dotted package of the app.
            data_manifest_hash: `PreparedSet.manifest_hash`, or None.
            resume: continue a run that lies in the folder; where there is none, start one.
            first_process: False in every process of a distributed training but one (`shared.fit.is_first_process`):
                such a process leaves the folder to the first.
            may_change: settings that may differ from those the folder was started with; `LONGER_RUN` for a training,
                `WIDER_STUDY` for a grid or search.

        Raises:
            ConfigError: the folder already holds a run and `resume` is False, or the settings have changed since.
            InputError: the data have changed since.
            CheckpointError: the run in the folder is another app's, or newer than this software.
        """
        run = cls(Path(folder), app, data_manifest_hash)
        if not first_process:
            return run
        settings = _plain(config)
        if run.env.exists():
            if not resume:
                raise ConfigError(
                    f"{run.folder} already holds a run. Choose another folder, or continue with --resume true."
                )
            cls.open(run.folder, app)._check_same(settings, data_manifest_hash, may_change)
        else:
            write_text(run.config, _to_yaml(settings))
            write_json(run.env, _surroundings(app, data_manifest_hash))  # last: its presence is what makes a run
        return run

    @classmethod
    def open(cls, folder: Path, app: str | None = None) -> Run:
        """The run that lies in `folder`.

        Args:
            folder: what `create` made.
            app: the app that expects it, where one does.

        Raises:
            InputError: there is no run in the folder.
            CheckpointError: it is another app's, or newer than this software, or its env.json is damaged.
        """
        path = Path(folder) / "env.json"
        if not path.exists():
            raise InputError(f"{folder} is no run folder: it has no env.json. Name the folder given to train as --out.")
        try:
            env = read_json(path)
            run = cls(Path(folder), env["app"], env["data_manifest_hash"])
            version = env["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}): the run cannot be identified.") from error
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"{folder} has run format {version}, this software knows up to {FORMAT_VERSION}: update it."
            )
        if app is not None and run.app != app:
            raise CheckpointError(f"{folder} is a run of {run.app}, not of {app}.")
        return run

    def record(self, config: Any) -> None:
        """Save the settings that a continued run ended with; `create` saves those that it was started with."""
        write_text(self.config, _to_yaml(_plain(config)))

    @property
    def config(self) -> Path:
        """Settings, as YAML."""
        return self.folder / "config.yaml"

    @property
    def env(self) -> Path:
        """Versions, commit, device, data and app."""
        return self.folder / "env.json"

    @property
    def log(self) -> Path:
        """One JSON object a line for each epoch."""
        return self.folder / LOG

    @property
    def last(self) -> Path:
        """State after the last finished epoch."""
        return self.folder / LAST

    @property
    def best(self) -> Path:
        """Weights of the chosen epoch."""
        return self.folder / BEST

    @property
    def model(self) -> Path:
        """Folder of the finished predictor."""
        return self.folder / "model"

    @property
    def predictions(self) -> Path:
        """Table of scored units."""
        return self.folder / "predictions.parquet"

    @property
    def outputs(self) -> Path:
        """Folder of dense arrays."""
        return self.folder / "outputs"

    @property
    def metrics(self) -> Path:
        """Figures with their intervals."""
        return self.folder / "metrics.json"

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.folder / "report.html"

    def _check_same(
        self, settings: Mapping[str, Any], data_manifest_hash: str | None, may_change: frozenset[str]
    ) -> None:
        if self.data_manifest_hash != data_manifest_hash:
            raise InputError(
                f"The data of {self.folder} have changed since it was started (hash {self.data_manifest_hash} then, "
                f"{data_manifest_hash} now): resume on the same prepared set, or start a new run."
            )
        then, now = dotted(yaml.safe_load(self.config.read_text(encoding="utf-8"))), dotted(settings)
        changed = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key) and key not in may_change]
        if changed:
            listed = ", ".join(f"{key} ({then.get(key)!r} then, {now.get(key)!r} now)" for key in changed)
            raise ConfigError(
                f"A resumed run keeps its settings; changed: {listed}. Set them back, or start a new run."
            )


def _plain(config: Any) -> dict[str, Any]:
    """A dataclass as YAML can write it. `resume` says how a run was started, not what it is: it is written as False."""
    settings: dict[str, Any] = _simplified(dataclasses.asdict(config))
    if "resume" in settings:
        settings["resume"] = False
    return settings


def _simplified(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _simplified(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_simplified(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _to_yaml(settings: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)


def dotted(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted keys: {"fit": {"epochs": 5}} -> {"fit.epochs": 5}."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _surroundings(app: str, data_manifest_hash: str | None) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "app": app,
        "data_manifest_hash": data_manifest_hash,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine() + " CPU",
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this software, "-dirty" where files differ from it; None where it is not run from its checkout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():  # installed, perhaps inside some other project's checkout
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
