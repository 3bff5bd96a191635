"""Settings of the features; the sentence under a field is its `--help`. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from shared.errors import ConfigError

__all__ = ["Encoding", "FeatureConfig"]

Encoding = Literal["vocabulary", "hash", "multihash", "quotient_remainder"]


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """Which columns are features and how their values become rows of embedding tables."""

    include: tuple[str, ...] | None = None
    """Columns to learn from; null: every column whose role in the schema allows it."""
    exclude: tuple[str, ...] = ()
    """Columns to leave out."""
    forced: tuple[str, ...] = ()
    """Columns to learn from although they are known only after the decision, or name the row."""
    min_count: int = 2
    """Training rows that a value needs for a row of its own; rarer ones share the row of the unseen."""
    bag_min_count: int = 3
    """The same for the values of a column with several in each row, such as user tags."""
    encoding: Encoding = "vocabulary"
    """vocabulary: exact; hash: one bucket a value; multihash: the sum of two; quotient_remainder: the product."""
    buckets: int = 100_000
    """Embedding rows of each hashed column; multihash and quotient_remainder halve them between their two tables."""
    target_rates: bool = False
    """Add the smoothed click rate and the count of each value as numbers; out-of-fold for training rows."""
    rate_unit: Literal["block", "campaign"] = "block"
    """What a training row's rates leave out: its block (a day of its campaign), or its campaign altogether, so that
    they are what they would be if the campaign were new."""
    smoothing: float = 20.0
    """Rows at the mean click rate that are added to the rows of a value before its rate is taken."""
    rate_folds: int = 5
    """Folds of the out-of-fold rates; the rows of a unit are in one fold."""
    multi_valued: bool = True
    """Learn from columns with several values in each row, such as user tags."""
    campaign_crosses: bool = False
    """Add what each of those values means to each campaign: all pairs of campaign and value as one more such column."""

    number_steps: bool = False
    """Read each number a second time as a category, the step of a geometric scale that it stands on: so that a click
    rate may rise and fall with it."""

    def __post_init__(self) -> None:
        for name, least in (("min_count", 1), ("bag_min_count", 1), ("buckets", 2), ("rate_folds", 2)):
            if getattr(self, name) < least:
                raise ConfigError(f"features.{name} must be {least} or more; found {getattr(self, name)}.")
        if not 0 < self.smoothing < math.inf:
            raise ConfigError(f"features.smoothing must be above 0; found {self.smoothing}.")
        both = sorted({*(self.include or ()), *self.forced} & set(self.exclude))
        if both:
            raise ConfigError(f"features.exclude names what features.include or features.forced asks for: {both}.")
