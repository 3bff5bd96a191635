"""Recipes: settings of `train` with a name. Each is a YAML file that `train --config` reads as well."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from apps.ctr_prediction.config import TrainConfig
from apps.ctr_prediction.features.feature_config import FeatureConfig
from shared.cli import parse_config
from shared.contract import as_plain
from shared.errors import ConfigError, did_you_mean
from shared.run import WIDER_STUDY, dotted
from shared.verb_config import refuse_settings_of_one_run

__all__ = ["ALWAYS_COMPARED", "Recipe", "families", "known_recipes"]

FOLDERS = ("recipes", "presets")
"""Where named recipes lie in the app's folder; in the second one are those that are made for more than comparing."""
ALWAYS_COMPARED = "best"
"""The preset that is compared beside all recipes where none are named."""
OF_NO_MATTER = WIDER_STUDY | {"fit.seed", "calibration", "split.name", "split.test", "split.validation"}
"""Settings that change where a training runs and on which rows, not what it would learn from the same ones."""

Settings = Mapping[str, Any]


def known_recipes(app_folder: Path) -> dict[str, Path]:
    """Name -> file of all recipes that the app brings, those made for comparing first."""
    found = [path for folder in FOLDERS for path in sorted((app_folder / folder).glob("*.yaml"))]
    return {path.stem: path for path in found}


@dataclass(frozen=True)
class Recipe:
    """One way to train a network."""

    name: str
    training: TrainConfig

    @classmethod
    def read(cls, word: str, known: Mapping[str, Path], places: Sequence[str], exclude: Sequence[str]) -> Self:
        """The recipe of a name, or of a file.

        Args:
            word: one of the known names, or the path of a YAML file.
            known: name -> file.
            places: flags of `train` that say where the data are and what is written where.
            exclude: columns that it must not learn from, beside those that it leaves out anyway.

        Raises:
            ConfigError: there is no such recipe, or its settings cannot be used.
        """
        path = known.get(word, Path(word))
        if not path.is_file():
            raise ConfigError(f"There is no recipe {word!r}, nor a file of that name.{did_you_mean(word, known)}")
        try:
            training = parse_config(TrainConfig, ["--config", str(path), *places], prog=word)
            refuse_settings_of_one_run(training, "compare")
            if training.fit.monitor is not None:
                raise ConfigError("fit.monitor needs validation rows, and a comparison sets none aside: name epochs.")
            return cls(path.stem, _without(training, exclude))
        except ConfigError as error:
            raise ConfigError(f"Recipe {word!r}: {error}") from error

    @classmethod
    def plain(cls, data: Path, out: Path, exclude: Sequence[str]) -> Self:
        """The defaults of `train` without some columns; the classical models learn from the same ones."""
        return cls("defaults", _without(TrainConfig(data=data, out=out), exclude))

    @cached_property
    def settings(self) -> Settings:
        """All that decides what is learnt, with dotted names."""
        flat = dotted(as_plain(self.training))
        return {name: value for name, value in flat.items() if name not in OF_NO_MATTER}

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change when a setting does."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def network(self) -> Settings:
        """What is trained, whoever trains it: features and networks."""
        parts = ("features.", "network.", "new_campaign.")
        return {name: value for name, value in self.settings.items() if name.startswith(parts)}

    def flags(self, other: Settings) -> str:
        """The settings in which it differs from others, as flags of `train`."""
        differing = {name: value for name, value in self.settings.items() if other.get(name) != value}
        return ", ".join(f"--{name} {_word(value)}" for name, value in differing.items())


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _without(training: TrainConfig, exclude: Sequence[str]) -> TrainConfig:
    """The training without some columns, of both its networks."""

    def fewer(features: FeatureConfig) -> FeatureConfig:
        return dataclasses.replace(features, exclude=tuple(dict.fromkeys([*features.exclude, *exclude])))

    new_campaign = dataclasses.replace(training.new_campaign, features=fewer(training.new_campaign.features))
    return dataclasses.replace(training, features=fewer(training.features), new_campaign=new_campaign)


def families(recipes: Iterable[Recipe]) -> list[list[Recipe]]:
    """Recipes that train one and the same network in different ways, where there are two or more of them."""
    alike: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        alike.setdefault(json.dumps(recipe.network), []).append(recipe)
    return [family for family in alike.values() if len(family) > 1]
