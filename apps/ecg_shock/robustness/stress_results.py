"""The answers of `stress` as figures: shares for one model under one condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.robustness.disturbances import GAIN
from shared.metrics.binary import SENSITIVITY, SPECIFICITY
from shared.results import NETWORK
from shared.stats import row_codes
from shared.table import Table, take

__all__ = ["Rates", "StressResults"]


@dataclass(frozen=True)
class Rates:
    """Shares under one condition, counted as a user feels them.

    An undecided shockable window counts as missed, an undecided non-shockable one as not shocked.
    """

    sensitivity: float
    specificity: float
    undecided: float

    @classmethod
    def of(cls, rows: Table) -> Rates:
        """Of all rows: every window, once for each seed."""
        counted = {**rows, "decision": np.where(rows["undecided"].astype(bool), 0, rows["decision"])}
        return cls(SENSITIVITY(counted), SPECIFICITY(counted), float(rows["undecided"].mean()))


@dataclass(frozen=True)
class StressResults:
    """The answers of all models under all conditions."""

    parts: Mapping[tuple[str, str, float], Table]
    """Model, test and level -> rows."""

    @classmethod
    def of(cls, table: Table) -> StressResults:
        """Cut a table of answers (`stress_answers`) by condition; its models, tests and levels keep their order."""
        codes = row_codes(table, ("model", "test", "level"))
        order = np.argsort(codes, kind="stable")
        ends = np.flatnonzero(np.diff(codes[order])) + 1
        found = [take(table, rows) for rows in np.split(order, ends)]
        first = [(rows["model"][0], rows["test"][0], rows["level"][0]) for rows in found]
        named = {(str(m), str(t), float(level)): rows for (m, t, level), rows in zip(first, found, strict=True)}
        return cls(named)

    @property
    def models(self) -> list[str]:
        """The network, then the classical models."""
        return [NETWORK, *sorted({model for model, *_ in self.parts} - {NETWORK})]

    def levels(self, test: str) -> list[float]:
        """Levels of a test that were asked, the highest first."""
        return sorted({level for _, name, level in self.parts if name == test}, reverse=True)

    def rows(self, model: str, test: str, level: float) -> Table:
        """The answers of one model under one condition."""
        return self.parts[model, test, level]

    def asked(self, model: str, test: str, level: float) -> bool:
        """Whether a model was asked there: for long windows a set may be too small to fit a classical one."""
        return (model, test, level) in self.parts

    def rates(self, model: str, test: str, level: float) -> Rates:
        """Shares of one model under one condition."""
        return Rates.of(self.rows(model, test, level))

    def clean(self, model: str, like: Table | None = None) -> Rates:
        """Shares on the windows as they are; with `like` on those windows only that occur there."""
        rows = self.rows(model, GAIN, 1.0)
        return Rates.of(rows if like is None else take(rows, np.isin(rows["row"], like["row"])))

    @property
    def protocol(self) -> str:
        """What was disturbed and how it is counted, in sentences."""
        rows = self.rows(NETWORK, GAIN, 1.0)
        shock = rows["target"] == 1
        return (
            f"Disturbed were all {_distinct(rows, shock)} shockable windows and {_distinct(rows, ~shock)} of the "
            "others, drawn at random once for all models. There an undecided shockable window counts as missed, an "
            "undecided non-shockable one as not shocked; classical models never withhold"
        )


def _distinct(rows: Table, chosen: npt.NDArray[np.bool_]) -> int:
    return len(np.unique(rows["row"][chosen]))
