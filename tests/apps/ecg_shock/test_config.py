"""Impossible settings are refused before anything is read, each by the name of its flag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.ecg_shock.config import CrossvalConfig, DrawConfig, NetworkConfig, PredictConfig, SearchConfig, TrainConfig
from shared.errors import ConfigError

PLACES = {"data": Path("data"), "out": Path("out")}


@pytest.mark.parametrize(
    ("config_class", "values", "message"),
    [
        (DrawConfig, {"shock": 0}, "draws.shock must be 1 or more; found 0"),
        (DrawConfig, {"other": -1}, "draws.other must be 1 or more; found -1"),
        (DrawConfig, {"batches": 0}, "draws.batches must be 1 or more; found 0"),
        (DrawConfig, {"patient_power": 1.5}, "draws.patient_power must be from 0 to 1; found 1.5"),
        (NetworkConfig, {"filters": ()}, r"network.filters must be 1 to 7 numbers, each 1 or more; found \[\]"),
        (NetworkConfig, {"filters": (5,) * 8, "kernels": (5,) * 8}, "network.filters must be 1 to 7 numbers"),
        (NetworkConfig, {"kernels": (5, 0)}, r"network.kernels must be .* found \[5, 0\]"),
        (NetworkConfig, {"filters": (5, 5), "kernels": (5,)}, "one number for each block; found 2 and 1"),
        (NetworkConfig, {"dropout": 1.0}, "network.dropout is a share, 0 or more and below 1; found 1.0"),
        (TrainConfig, {**PLACES, "learning_rate": 0.0}, "learning_rate must be above 0; found 0.0"),
        (TrainConfig, {**PLACES, "learning_rate": float("nan")}, "learning_rate must be above 0; found nan"),
        (SearchConfig, {**PLACES, "trials": 0}, "trials must be 1 or more; found 0"),
        (SearchConfig, {**PLACES, "workers": 0}, "workers must be 1 or more; found 0"),
        (SearchConfig, {**PLACES, "learning_rate": -1.0}, "learning_rate"),
        (SearchConfig, {**PLACES, "resume": True}, "--resume has no meaning for search"),
        (SearchConfig, {**PLACES, "calibration": Path("grid")}, "--calibration has no meaning for search"),
        (CrossvalConfig, {**PLACES, "learning_rate": -1.0}, "learning_rate"),
        (CrossvalConfig, {**PLACES, "workers": 0}, "workers must be 1 or more"),
        (CrossvalConfig, {**PLACES, "calibration": Path("grid")}, "--calibration has no meaning for crossval"),
        (PredictConfig, {"files": (), "window_s": 0.0}, "--window_s must be a number above 0; found 0.0"),
        (PredictConfig, {"files": (), "step_s": -1.0}, "--step_s must be a number above 0; found -1.0"),
        (PredictConfig, {"files": (), "sampling_rate": float("inf")}, "--sampling_rate must be a number above 0"),
        (PredictConfig, {"files": (), "start_s": -1.0}, "--start_s must be a number of seconds from 0; found -1.0"),
    ],
)
def test_an_impossible_value_is_refused(config_class: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_class(**values)


def test_defaults_and_borders_are_possible() -> None:
    for config_class in (TrainConfig, CrossvalConfig, SearchConfig):
        assert config_class(**PLACES).network == NetworkConfig()
    assert NetworkConfig(filters=(1,) * 7, kernels=(1,) * 7, dropout=0.0).dropout == 0.0
    assert DrawConfig(patient_power=0.0).patient_power == 0.0
