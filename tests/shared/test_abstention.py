"""Rules withhold what their sentence says, the first one gives the reason, and a card keeps them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shared.abstention import RULES, Abstention, Evidence, FarFromTraining, ProbabilityBand, Unreadable, UnsureClass
from shared.errors import CheckpointError, ConfigError


def test_the_band_withholds_between_its_ends() -> None:
    evidence = Evidence(np.array([0.1, 0.2, 0.21, 0.79, 0.8, 0.9]))
    assert ProbabilityBand(0.2, 0.8).withholds(evidence).tolist() == [False, False, True, True, False, False]


def test_an_unsure_class_stays_under_the_minimum() -> None:
    evidence = Evidence(np.array([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25]]))
    assert UnsureClass(0.5).withholds(evidence).tolist() == [False, True]


def test_nan_never_passes() -> None:
    evidence = Evidence(np.array([np.nan]), np.array([np.nan]))
    assert ProbabilityBand(0.2, 0.8).withholds(evidence).tolist() == [True]
    assert FarFromTraining(3.0).withholds(evidence).tolist() == [True]
    assert UnsureClass(0.3).withholds(Evidence(np.array([[np.nan, 0.5]]))).tolist() == [True]


def test_the_first_rule_gives_the_reason() -> None:
    rules = Abstention((FarFromTraining(3.0), ProbabilityBand(0.2, 0.8)))
    evidence = Evidence(np.array([0.5, 0.5, 0.9, 0.9]), np.array([9.0, 1.0, 9.0, 1.0]))
    assert rules.reasons(evidence) == [
        "unlike training: far from everything trained on",
        "probability: too close to the threshold",
        "unlike training: far from everything trained on",
        None,
    ]


def test_every_reason_begins_with_the_word_it_is_counted_by() -> None:
    for rule in RULES.values():
        word, colon, rest = rule.reason.partition(": ")
        assert (bool(word), colon, bool(rest)) == (True, ": ", True), rule.kind


def test_noise_is_what_the_network_says_it_is() -> None:
    evidence = Evidence(np.full(4, 0.99), noise=np.array([0.1, 0.5, 0.51, np.nan]))
    assert Unreadable(0.5).withholds(evidence).tolist() == [False, False, True, True]
    assert Abstention((Unreadable(0.5), ProbabilityBand(0.2, 0.8))).reasons(evidence)[2] == Unreadable.reason


def test_without_rules_every_answer_is_given() -> None:
    assert Abstention().reasons(Evidence(np.array([0.5, np.nan]))) == [None, None]
    assert Abstention.from_dict({}) == Abstention()


def test_a_card_gives_the_same_rules_back() -> None:
    rules = Abstention((FarFromTraining(3.25), ProbabilityBand(0.2, 0.8), UnsureClass(0.5), Unreadable(0.75)))
    assert Abstention.from_dict(json.loads(json.dumps(rules.to_dict()))) == rules


def test_a_damaged_card_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"'probability bnad'\. Did you mean 'probability band'"):
        Abstention.from_dict({"rules": [{"kind": "probability bnad"}]})
    with pytest.raises(CheckpointError, match="does not hold the numbers it needs"):
        Abstention.from_dict({"rules": [{"kind": "probability band", "low": 0.2}]})
    with pytest.raises(CheckpointError, match=r"0\.9 to 0\.2"):
        Abstention.from_dict({"rules": [{"kind": "probability band", "low": 0.9, "high": 0.2}]})


def test_impossible_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0 <= low <= high <= 1, found 0\.8 to 0\.2"):
        ProbabilityBand(0.8, 0.2)
    with pytest.raises(ConfigError, match="lies in 0 to 1, found 50"):
        UnsureClass(50)
    with pytest.raises(ConfigError, match=r"lies in 0 to 1, found 1\.5"):
        Unreadable(1.5)
    with pytest.raises(ConfigError, match="needs a network with an output for noise"):
        Unreadable(0.5).withholds(Evidence(np.array([0.5])))
    with pytest.raises(ConfigError, match="needs a distance"):
        FarFromTraining(3.0).withholds(Evidence(np.array([0.5])))
