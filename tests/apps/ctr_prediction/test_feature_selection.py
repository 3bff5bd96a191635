from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.leaks import known_leaks
from apps.ctr_prediction.features.selection import feature_columns
from shared.errors import ConfigError
from shared.prepared import Column
from tests.apps.ctr_prediction.made_log import SCHEMA


def _names(schema: tuple[Column, ...] = SCHEMA, **settings: Any) -> list[str]:
    return [column.name for column in feature_columns(schema, FeatureConfig(**settings))]


def test_the_role_decides() -> None:
    assert _names() == ["campaign", "useragent", "IP", "item", "price", "age", "tags"]


def test_columns_are_chosen_and_left_out_by_name() -> None:
    assert _names(include=("tags", "campaign")) == ["campaign", "tags"]
    assert _names(exclude=("tags", "IP")) == ["campaign", "useragent", "item", "price", "age"]
    with pytest.raises(ConfigError, match="Did you mean 'campaign'"):
        _names(include=("campain",))
    with pytest.raises(ConfigError, match="No column is left"):
        _names(include=())


def test_leaks_are_refused_unless_forced() -> None:
    assert known_leaks(SCHEMA) == ("payprice", "bidid")
    with pytest.raises(ConfigError, match=r"'payprice' cannot be a feature: it is known only after the auction"):
        _names(include=("campaign", "payprice"))
    assert _names(include=("campaign",), forced=("payprice", "bidid")) == ["campaign", "payprice", "bidid"]


@pytest.mark.parametrize("name", ["payprice", "Paying_Price", "bidding_price", "bidid", "ClickID", "conversion"])
def test_a_known_name_is_refused_whatever_its_role(name: str) -> None:
    schema = (*SCHEMA[:3], Column(name, "category", "context"))
    with pytest.raises(ConfigError, match=f"'{name}' cannot be a feature"):
        _names(schema)
    assert name not in _names(schema, exclude=(name,))
    assert name in _names(schema, forced=(name,))


def test_the_role_leak_needs_no_known_name() -> None:
    schema = (*SCHEMA[:3], Column("dwell", "number", "leak"))
    assert "dwell" not in _names(schema)
    with pytest.raises(ConfigError, match="role leak"):
        _names(schema, include=("dwell",))


@pytest.mark.parametrize("name", ["click", "sample_weight", "seen_at", "block", "day"])
def test_some_columns_never_are_features(name: str) -> None:
    for settings in ({"include": (name,)}, {"forced": (name,)}):
        with pytest.raises(ConfigError, match=f"'{name}'.*cannot be a feature"):
            _names(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"min_count": 0},
        {"bag_min_count": 0},
        {"buckets": 1},
        {"rate_folds": 1},
        {"smoothing": 0.0},
        {"smoothing": float("nan")},
        {"include": ("a",), "exclude": ("a",)},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="features"):
        FeatureConfig(**settings)
    assert dataclasses.replace(FeatureConfig(), min_count=5).min_count == 5
