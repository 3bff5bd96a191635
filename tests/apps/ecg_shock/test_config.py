"""Impossible settings are refused before anything is read, each by the name of its flag."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from apps.ecg_shock.config import (
    NYQUIST_HZ,
    AugmentConfig,
    CrossvalConfig,
    DrawConfig,
    NetworkConfig,
    SearchConfig,
    TrainConfig,
)
from apps.ecg_shock.data import SAMPLING_RATE
from apps.ecg_shock.verb_config import PredictConfig, StressConfig, TriedConfig, WatchConfig
from shared.errors import ConfigError

PLACES = {"data": Path("data"), "out": Path("out")}
RESIDUAL_SIZES: dict[str, Any] = {"architecture": "residual", "filters": (4, 6), "kernels": (15, 5)}
RESIDUAL = NetworkConfig(**RESIDUAL_SIZES)
NAN = float("nan")


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
        (NetworkConfig, {**RESIDUAL_SIZES, "kernels": (15, 4)}, r"all odd; found \[15, 4\]"),
        (NetworkConfig, {**RESIDUAL_SIZES, "filters": (4,), "kernels": (15,)}, r"two or more .* found \[15\]"),
        (NetworkConfig, {"architecture": "residual"}, r"all odd; found \[10, 10, 10, 10, 10\]"),
        (AugmentConfig, {"noisy": 1.5}, "augment.noisy is a share from 0 to 1; found 1.5"),
        (AugmentConfig, {"blunt": -0.1}, "augment.blunt is a share from 0 to 1; found -0.1"),
        (AugmentConfig, {"speed_drift": 1.0}, "augment.speed_drift must be from 0 to below 1; found 1.0"),
        (AugmentConfig, {"lengths_s": (1.9, 8.0)}, r"augment.lengths_s needs two numbers from 2 to 10.* 1.9, 8.0"),
        (AugmentConfig, {"lengths_s": (2.0, 10.1)}, "augment.lengths_s needs two numbers from 2 to 10"),
        (AugmentConfig, {"lengths_s": (8.0, 2.0)}, "the smaller first; found 8.0, 2.0"),
        (AugmentConfig, {"organised_speed": (0.2, 1.0)}, "augment.organised_speed needs two numbers from 0.25 to 4"),
        (AugmentConfig, {"organised_speed": (1.0, 4.1)}, "augment.organised_speed needs two numbers from 0.25 to 4"),
        (AugmentConfig, {"blunt_hz": (4.0, 62.5)}, r"augment.blunt_hz needs .* below 62.5.* found 4.0, 62.5"),
        (AugmentConfig, {"blunt_hz": (0.0, 25.0)}, "augment.blunt_hz needs two numbers above 0"),
        (AugmentConfig, {"lowest_snr_db": 18.1}, "augment.lowest_snr_db must be a number up to 18; found 18.1"),
        (AugmentConfig, {"lowest_snr_db": -float("inf")}, "augment.lowest_snr_db must be a number .* found -inf"),
        (NetworkConfig, {"dropout": 1.0}, "network.dropout is a share, 0 or more and below 1; found 1.0"),
        (TrainConfig, {**PLACES, "learning_rate": 0.0}, "learning_rate must be above 0; found 0.0"),
        (TrainConfig, {**PLACES, "learning_rate": float("nan")}, "learning_rate must be above 0; found nan"),
        (TrainConfig, {**PLACES, "shock_weight": 0.0}, "shock_weight must be above 0; found 0.0"),
        (TrainConfig, {**PLACES, "shock_weight": NAN}, "shock_weight must be above 0; found nan"),
        (TrainConfig, {**PLACES, "weight_decay": -0.1}, "weight_decay must be 0 or more; found -0.1"),
        (TrainConfig, {**PLACES, "label_smoothing": 0.5}, "label_smoothing must be from 0 to below 0.5; found 0.5"),
        (TrainConfig, {**PLACES, "label_smoothing": NAN}, "label_smoothing must be .* found nan"),
        (TrainConfig, {**PLACES, "undecided_band": (0.6, 0.8)}, "threshold between them; found 0.6, 0.5, 0.8"),
        (TrainConfig, {**PLACES, "undecided_band": (0.2, 1.0)}, "threshold between them; found 0.2, 0.5, 1.0"),
        (TrainConfig, {**PLACES, "undecided_band": (NAN, 0.8)}, "threshold between them; found nan, 0.5, 0.8"),
        (TrainConfig, {**PLACES, "draws": DrawConfig(noise_marked=2)}, "need --network.architecture residual"),
        (TrainConfig, {**PLACES, "draws": DrawConfig(noise_only=2)}, "need --network.architecture residual"),
        (
            TrainConfig,
            {**PLACES, "draws": DrawConfig(noise_marked=2), "network": RESIDUAL},
            "need disturbed windows: --augment.apply true",
        ),
        (
            TrainConfig,
            {**PLACES, "draws": DrawConfig(noise_only=2), "network": RESIDUAL},
            "need disturbed windows: --augment.apply true",
        ),
        (SearchConfig, {**PLACES, "network": RESIDUAL}, "stacked networks: leave --network.architecture out"),
        (SearchConfig, {**PLACES, "trials": 0}, "trials must be 1 or more; found 0"),
        (SearchConfig, {**PLACES, "workers": 0}, "workers must be 1 or more; found 0"),
        (SearchConfig, {**PLACES, "learning_rate": -1.0}, "learning_rate"),
        (SearchConfig, {**PLACES, "resume": True}, "--resume has no meaning for search"),
        (SearchConfig, {**PLACES, "calibration": Path("grid")}, "--calibration has no meaning for search"),
        (CrossvalConfig, {**PLACES, "learning_rate": -1.0}, "learning_rate"),
        (CrossvalConfig, {**PLACES, "workers": 0}, "workers must be 1 or more"),
        (CrossvalConfig, {**PLACES, "calibration": Path("grid")}, "--calibration has no meaning for crossval"),
        (PredictConfig, {"files": (), "window_s": 0.0}, "--window_s must be 2 to 10 s; found 0.0"),
        (PredictConfig, {"files": (), "window_s": 60.0}, "--window_s must be 2 to 10 s; found 60.0"),
        (PredictConfig, {"files": (), "window_s": NAN}, "--window_s must be 2 to 10 s; found nan"),
        (PredictConfig, {"files": (), "step_s": -1.0}, "--step_s must be a number above 0; found -1.0"),
        (PredictConfig, {"files": (), "sampling_rate": float("inf")}, "--sampling_rate must be a number above 0"),
        (PredictConfig, {"files": (), "start_s": -1.0}, "--start_s must be a number of seconds from 0; found -1.0"),
        (WatchConfig, {"file": Path("f"), "window_s": 1.9}, "--window_s must be 2 to 10 s; found 1.9"),
        (WatchConfig, {"file": Path("f"), "step_s": 0.0}, "--step_s must be a number above 0; found 0.0"),
        (WatchConfig, {"file": Path("f"), "confirm": 0}, "--confirm must be 1 or more; found 0"),
        (WatchConfig, {"file": Path("f"), "start_s": NAN}, "--start_s must be a number of seconds from 0; found nan"),
        (StressConfig, {"grid": Path("g"), "workers": 0}, "workers must be 1 or more; found 0"),
        (StressConfig, {"grid": Path("g"), "baselines": ("XGBoost", "XGBoost")}, "--baselines must name different"),
        (TriedConfig, {"grids": (), "out": Path("o.json")}, "folder of one cross-validation or more"),
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
    AugmentConfig(
        lengths_s=(2.0, 10.0), organised_speed=(0.25, 4.0), blunt_hz=(1.0, 62.0), lowest_snr_db=18.0, speed_drift=0.0
    )
    assert TrainConfig(**PLACES, undecided_band=(0.5, 0.5), label_smoothing=0.0).augment == AugmentConfig()
    learns_noise = DrawConfig(noise_marked=2, noise_only=2)
    TrainConfig(**PLACES, draws=learns_noise, network=RESIDUAL, augment=AugmentConfig(apply=True))
    assert [WatchConfig(file=Path("f"), window_s=seconds).window_s for seconds in (2.0, 10.0)] == [2.0, 10.0]
    assert PredictConfig(files=()).window_s is None
    assert StressConfig(grid=Path("g"), baselines=()).workers == 1


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(AugmentConfig) if field.name != "apply"])
def test_no_disturbance_is_of_a_size_that_is_no_number(name: str) -> None:
    default = getattr(AugmentConfig(), name)
    for wrong in ((NAN, default[1]), (default[0], NAN)) if isinstance(default, tuple) else (NAN,):
        with pytest.raises(ConfigError, match=f"augment.{name} .* found .*nan"):
            AugmentConfig(**{name: wrong})


def test_no_filter_is_set_above_half_the_rate() -> None:
    assert NYQUIST_HZ == SAMPLING_RATE / 2
