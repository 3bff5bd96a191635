"""Figures as the tables print them: a dash where one is undefined, and four digits where little things decide."""

from __future__ import annotations

import numpy as np

from shared.stats import RANGE, Difference

__all__ = ["FEW_CLICKS", "FEW_CLICKS_TOLD", "fine", "interval_of", "remark", "signed"]

FEW_CLICKS = 20
FEW_CLICKS_TOLD = f"Under {FEW_CLICKS} clicks an AUC says little."


def fine(value: float, places: int = 4) -> str:
    """A number with so many places."""
    return f"{value:.{places}f}" if np.isfinite(value) else "-"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.4f}" if np.isfinite(value) else "-"


def interval_of(found: Difference) -> str:
    """A difference with its interval in square brackets, or the range of too few blocks in round ones."""
    estimate, low, high = signed(found.estimate), signed(found.low), signed(found.high)
    return f"{estimate} ({low} to {high})" if found.method == RANGE else f"{estimate} [{low}, {high}]"


def remark(clicks: int) -> str:
    """The warning beside an AUC of few clicks, else nothing."""
    return f"under {FEW_CLICKS} clicks" if clicks < FEW_CLICKS else ""
