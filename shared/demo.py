"""What an app hands to `make demo`: a row for each sample it decided on, and a section of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.report import Section

__all__ = ["DemoPart", "DemoRow"]


@dataclass(frozen=True)
class DemoRow:
    """One sample input and what the shipped predictor made of it."""

    sample: str
    """What was read, with its origin."""
    answer: str
    """What the predictor decided."""
    expected: str
    """What the people who labelled the sample say."""
    milliseconds: float
    """Time of the decision alone, on one thread, after a first call."""


@dataclass(frozen=True)
class DemoPart:
    """One app's share of the demo."""

    rows: Sequence[DemoRow]
    section: Section
    """Plots and words for the page."""
