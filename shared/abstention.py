"""Stated rules for withholding an answer, each with the fixed phrase that a result gives as its reason.

A phrase begins with the word by which reports count it, and a colon.

A rule must be one sentence that a user can check, so there are few. They look at many answers at once, as evaluation
does; a predictor passes one.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from shared.errors import CheckpointError, ConfigError, did_you_mean

__all__ = ["RULES", "Abstention", "Evidence", "FarFromTraining", "ProbabilityBand", "Rule", "Unreadable", "UnsureClass"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """What rules look at, for n answers."""

    probability: FloatArray
    """(n,) of the positive answer, or (n, C) of the classes."""
    distance: FloatArray | None = None
    """(n,) from the training rows (`shared.ood`); None where the model has no such measure."""
    noise: FloatArray | None = None
    """(n,) probability that nothing can be read, from the network itself; None where it has no such output."""


@dataclass(frozen=True)
class Rule(ABC):
    """One sentence by which an answer is withheld."""

    kind: ClassVar[str]
    """Its name in a card."""
    reason: ClassVar[str]
    """What a result says when the rule applies."""

    @abstractmethod
    def withholds(self, evidence: Evidence) -> BoolArray:
        """(n,) whether each answer is withheld. NaN never passes."""


@dataclass(frozen=True)
class ProbabilityBand(Rule):
    """Withhold between `low` and `high`, both excluded: the two answers are too close."""

    kind: ClassVar[str] = "probability band"
    reason: ClassVar[str] = "probability: too close to the threshold"
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ConfigError(f"A probability band needs 0 <= low <= high <= 1, found {self.low} to {self.high}.")

    def withholds(self, evidence: Evidence) -> BoolArray:
        """Whether the probability of the positive answer lies inside the band."""
        return ~((evidence.probability <= self.low) | (evidence.probability >= self.high))


@dataclass(frozen=True)
class UnsureClass(Rule):
    """Withhold where no class reaches `minimum`."""

    kind: ClassVar[str] = "unsure class"
    reason: ClassVar[str] = "probability: no class is probable enough"
    minimum: float

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= 1:
            raise ConfigError(f"The least probability of a class lies in 0 to 1, found {self.minimum}.")

    def withholds(self, evidence: Evidence) -> BoolArray:
        """Whether the most probable class stays under the minimum."""
        return ~(evidence.probability.max(axis=1) >= self.minimum)


@dataclass(frozen=True)
class FarFromTraining(Rule):
    """Withhold where the distance from the training rows exceeds `limit`."""

    kind: ClassVar[str] = "far from training"
    reason: ClassVar[str] = "unlike training: far from everything trained on"
    limit: float

    def withholds(self, evidence: Evidence) -> BoolArray:
        """Whether the distance is beyond the limit; raises ConfigError where the model measures none."""
        if evidence.distance is None:
            raise ConfigError("The rule 'far from training' needs a distance, and this model measures none.")
        return ~(evidence.distance <= self.limit)


@dataclass(frozen=True)
class Unreadable(Rule):
    """Withhold where the network itself finds, with a probability above `limit`, that nothing can be read."""

    kind: ClassVar[str] = "unreadable"
    reason: ClassVar[str] = "noise: too much to read anything"
    limit: float

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= 1:
            raise ConfigError(f"The largest probability of noise lies in 0 to 1, found {self.limit}.")

    def withholds(self, evidence: Evidence) -> BoolArray:
        """Whether noise is too probable; raises ConfigError where the network has no such output."""
        if evidence.noise is None:
            raise ConfigError("The rule 'unreadable' needs a network with an output for noise, and this one has none.")
        return ~(evidence.noise <= self.limit)


RULES: Mapping[str, type[Rule]] = {
    rule.kind: rule for rule in (ProbabilityBand, UnsureClass, FarFromTraining, Unreadable)
}


@dataclass(frozen=True)
class Abstention:
    """The rules of a model, in the order in which they are asked; without rules it always answers."""

    rules: Sequence[Rule] = ()

    def reasons(self, evidence: Evidence) -> list[str | None]:
        """For each answer the reason of the first rule that withholds it, or None."""
        reasons: list[str | None] = [None] * len(evidence.probability)
        for rule in reversed(self.rules):
            for row in np.flatnonzero(rule.withholds(evidence)):
                reasons[row] = rule.reason
        return reasons

    def to_dict(self) -> dict[str, Any]:
        """As a card holds it."""
        return {"rules": [{"kind": rule.kind, **dataclasses.asdict(rule)} for rule in self.rules]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The rules that `to_dict` stored; an empty mapping has none. Raises CheckpointError for an unknown rule."""
        return cls(tuple(_rule_from_dict(rule) for rule in stored.get("rules", ())))


def _rule_from_dict(stored: Mapping[str, Any]) -> Rule:
    fields = dict(stored)
    kind = fields.pop("kind", None)
    if kind not in RULES:
        raise CheckpointError(f"There is no abstention rule {kind!r}.{did_you_mean(str(kind), RULES)}")
    try:
        return RULES[kind](**fields)
    except (TypeError, ConfigError) as error:
        raise CheckpointError(f"The stored rule {kind!r} does not hold the numbers it needs: {error}") from error
