"""Settings by which a verb chooses a split and what it holds out. Imports nothing heavy: `--help` reads this."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SplitConfig"]


@dataclass(frozen=True)
class SplitConfig:
    """Which named split of a prepared set is used, and which of its folds or roles are held out."""

    name: str = "folds"
    """Name of the split: the file splits/NAME.json of the prepared set."""
    test: int | str | None = 0
    """Fold number or role to score on; null holds nothing out."""
    validation: int | str | None = None
    """Fold number or role that chooses the epoch and calibrates; null: no row is set aside for it."""
