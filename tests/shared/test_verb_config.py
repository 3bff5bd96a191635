"""Impossible settings of the verbs that every app has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError
from shared.verb_config import BaseTrainConfig, CrossvalSettings, EvaluateConfig

PLACES = {"data": Path("data"), "out": Path("out")}


@dataclass(frozen=True, kw_only=True)
class AppTrainConfig(BaseTrainConfig):
    """What an app trains with."""

    width: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ConfigError("width")


@dataclass(frozen=True, kw_only=True)
class AppCrossvalConfig(AppTrainConfig, CrossvalSettings):
    """As apps declare theirs."""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeds": ()}, r"seeds must be different whole numbers from 0, one or more; found \[\]"),
        ({"seeds": (1, 1)}, r"seeds .* found \[1, 1\]"),
        ({"seeds": (0, -1)}, r"seeds .* found \[0, -1\]"),
        ({"folds": (0,)}, r"folds must be two or more different ones, or null for all; found \[0\]"),
        ({"folds": (0, 0, 1)}, r"folds .* found \[0, 0, 1\]"),
        ({"folds": ()}, r"folds .* found \[\]"),
        ({"workers": 0}, "workers must be 1 or more; found 0"),
        ({"resume": True}, "--resume has no meaning for crossval"),
        ({"calibration": Path("grid")}, "--calibration has no meaning for crossval"),
        ({"width": 0}, "width"),
    ],
)
def test_an_impossible_grid_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AppCrossvalConfig(**PLACES, **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resamples": 19}, "resamples must be 20 or more; found 19"),
        ({"level": 0.5}, "level is a coverage between 0.5 and 1, such as 0.95; found 0.5"),
        ({"level": 1.0}, "level .* found 1.0"),
        ({"level": 95.0}, "level .* found 95.0"),
    ],
)
def test_an_impossible_interval_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EvaluateConfig(run=Path("run"), **values)


def test_what_is_possible_is_taken() -> None:
    assert AppCrossvalConfig(**PLACES, folds=(3, 1)).folds == (3, 1)
    assert AppTrainConfig(**PLACES, resume=True, calibration=Path("grid")).resume
    assert EvaluateConfig(run=Path("run"), resamples=20, level=0.9).level == 0.9
