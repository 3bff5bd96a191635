"""Settings of the verbs that do not train from the beginning. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError

__all__ = ["PredictConfig", "UpdateConfig"]


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Settings of `predict`."""

    files: tuple[Path, ...]
    """Parquet, CSV or TSV files with a header, one impression a row."""
    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    keys: tuple[str, ...] = ()
    """Columns that name the rows, to hand through."""
    out: Path | None = None
    """Parquet file for the answers, of one file of any length; by default they are printed."""
    json: bool = False
    """Print one JSON object a line instead of text."""

    def __post_init__(self) -> None:
        if self.out is not None and len(self.files) > 1:
            raise ConfigError(f"--out takes the answers of one file; found {len(self.files)} files.")


@dataclass(frozen=True, kw_only=True)
class UpdateConfig:
    """Settings of `update`."""

    files: tuple[Path, ...]
    """Parquet, CSV or TSV files with a header and a column of clicks, in the order of time."""
    model: str | None = None
    """Name of a shipped model, or a run or model folder; by default the app's best."""
    label: str = "click"
    """Column that is 1 for a click and 0 otherwise."""
    out: Path
    """Model folder to write."""
