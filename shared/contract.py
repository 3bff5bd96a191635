"""What an app says about itself, once, and how the suite finds it: no list of apps is kept anywhere.

An app is a package with a module `app.py` that holds `APP = App(...)`. Everything heavier than words is named as
"module:attribute" and imported when it is used, so listing the apps and `--help` never import torch.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.errors import ConfigError, did_you_mean

__all__ = ["COMMON_VERBS", "App", "Verb", "as_plain", "discover", "find_app", "load", "training_verbs", "verbs_of"]


@dataclass(frozen=True)
class Verb:
    """One word after `python -m apps.<app>`."""

    run: str
    """"module:function" that takes the app and an instance of the configuration, and returns None or an exit code."""
    config: str
    """"module:class" of the frozen dataclass that holds the verb's settings."""
    help: str
    """One line for the list of verbs."""
    positional: tuple[str, ...] = ()
    """Fields of the configuration that are given without a flag, in order; a tuple field takes one or more words."""


@dataclass(frozen=True)
class App:
    """The one declaration of what an app is."""

    package: str
    """Dotted package, such as "apps.ecg_shock"."""
    title: str
    """What it does, in a few words from the field."""
    predictor: str
    """"module:class" of the importable predictor."""
    experiment: str
    """"module:class" of the `shared.experiment.Experiment` that trains and evaluates."""
    verbs: Mapping[str, Verb]
    """Verbs of the app; those of `COMMON_VERBS` are added where the app does not replace them."""
    primary_metric: str
    """Name of the metric that ranks models."""
    scored_unit: str
    """One row of the prediction table: "window", "detection", "impression", "cell" ..."""
    resampling_unit: str
    """Column whose groups the bootstrap draws: "patient", "speaker", "scene" ..."""
    demo: str | None = None
    """"module:function" () -> `shared.demo.DemoPart`, run by `make demo`."""
    baselines: tuple[str, ...] = ()
    """Names of the classical models measured beside the network."""
    batch_tolerance: float = 1e-5
    """Largest difference between an item predicted alone and in a batch."""
    onnx_core: str | None = None
    """What `to_onnx` exports, in words with input and output; None where the field's network cannot be exported."""
    causal_state: str | None = None
    """What a stream keeps between two pushes, in words; None where the app has no stream."""
    presets: tuple[str, ...] = field(default=("paper", "best", "smoke"))
    """Files presets/NAME.yaml that `train --config NAME` accepts."""

    @property
    def name(self) -> str:
        """The last part of the package: "ecg_shock"."""
        return self.package.rpartition(".")[2]

    @property
    def folder(self) -> Path:
        """Where the app's package lies."""
        module = importlib.import_module(self.package)
        return Path(next(iter(module.__path__)))


COMMON_VERBS: Mapping[str, Verb] = {
    "evaluate": Verb(
        "shared.verbs:evaluate",
        "shared.verb_config:EvaluateConfig",
        "score a run and all baselines on the same held-out rows; write metrics.json and report.html",
        ("run",),
    ),
    "predict": Verb("shared.verbs:predict", "shared.verb_config:PredictConfig", "answer for each file", ("files",)),
    "export": Verb(
        "shared.verbs:export", "shared.verb_config:ExportConfig", "write the network as ONNX and check its answers"
    ),
    "card": Verb(
        "shared.verbs:card", "shared.verb_config:CardConfig", "show a model card, or publish a run with its figures"
    ),
}
"""Verbs that are the same everywhere, unless an app replaces them; `train`, `crossval` and `search` have settings of
each app's own."""

ALIASES: Mapping[str, str] = {"eval": "evaluate"}


def training_verbs(module: str) -> dict[str, Verb]:
    """`train` and `crossval` as the suite runs them, with an app's own settings.

    Args:
        module: dotted module with the dataclasses `TrainConfig` (a `BaseTrainConfig`) and `CrossvalConfig` (the same
            with `CrossvalSettings`).
    """
    return {
        "train": Verb("shared.verbs:train", f"{module}:TrainConfig", "train the network on a prepared set"),
        "crossval": Verb(
            "shared.crossval:crossval", f"{module}:CrossvalConfig", "hold out every fold in turn, with several seeds"
        ),
    }


def verbs_of(app: App) -> dict[str, Verb]:
    """All verbs of an app in the order of the work: its own first, then the common ones that it does not replace."""
    order = ["train", "evaluate", "crossval", "search", "predict", "export", "card"]
    verbs = {**COMMON_VERBS, **app.verbs}
    return {name: verbs[name] for name in [*(n for n in order if n in verbs), *(n for n in verbs if n not in order)]}


def load(reference: str) -> Any:
    """Import the object that "module:attribute" names."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def discover(package: str = "apps") -> dict[str, App]:
    """Every sub-package of `package` that declares an app: name -> App, in alphabetical order."""
    root = importlib.import_module(package)
    apps: dict[str, App] = {}
    for info in pkgutil.iter_modules(root.__path__, prefix=f"{package}."):
        if info.ispkg and (Path(next(iter(root.__path__))) / info.name.rpartition(".")[2] / "app.py").is_file():
            app = load(f"{info.name}.app:APP")
            apps[app.name] = app
    return dict(sorted(apps.items()))


def find_app(name: str, package: str = "apps") -> App:
    """The app of that name. Raises ConfigError with the nearest name where there is none."""
    apps = discover(package)
    if name not in apps:
        raise ConfigError(f"There is no app {name!r}.{did_you_mean(name, apps)}")
    return apps[name]


def as_plain(config: Any) -> Any:
    """A configuration as YAML and JSON can hold it: dataclasses to dicts, tuples to lists, paths to text."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {f.name: as_plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {key: as_plain(value) for key, value in config.items()}
    if isinstance(config, (tuple, list)):
        return [as_plain(value) for value in config]
    return str(config) if isinstance(config, Path) else config
