"""Prediction tables made by hand or from known probabilities, so that every figure of a report can be checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shared.report import ReportTable
from shared.table import Table, concatenate, n_rows

RATE = 100.0
"""Non-clicks of the whole log for each one kept."""


def clicks(target: npt.ArrayLike, probability: npt.ArrayLike, **columns: Any) -> Table:
    """One row for each label, with what every prediction table holds; single values fill their column."""
    label, share = np.asarray(target), np.asarray(probability, dtype=np.float64)
    rows = len(label)
    given = {
        "model": "network",
        "item": np.arange(rows),
        "target": label,
        "weight": np.where(label == 1, 1.0, RATE),
        "base_rate": 0.5,
        "probability": share,
        "logit": np.log(share / (1 - share)),
        "block": "b0",
        "advertiser": "1458",
        **columns,
    }
    return {name: filled(value, rows) for name, value in given.items()}


def filled(value: Any, rows: int) -> npt.NDArray[Any]:
    """A column: the values as they are, or one value in every row."""
    if isinstance(value, str):
        return np.full(rows, value, dtype=object)
    column = np.asarray(value)
    column = column.astype(object) if column.dtype.kind == "U" else column
    return np.broadcast_to(column, rows).copy()


def drawn(rows: int, draw: int = 0, **columns: Any) -> Table:
    """Labels drawn from the very probabilities that stand beside them, between 0 and 0.5."""
    rng = np.random.default_rng(draw)
    probability = rng.uniform(0.001, 0.5, rows)
    return clicks(rng.random(rows) < probability, probability, **columns)


def changed(table: Table, **columns: Any) -> Table:
    """The same rows with other values in some columns."""
    return {**table, **{name: filled(value, n_rows(table)) for name, value in columns.items()}}


def joined(*tables: Table) -> Table:
    """The tables under one another."""
    return concatenate(tables)


def line(table: ReportTable, name: str) -> dict[str, str]:
    """The one row of a report's table that begins with a name: heading -> cell."""
    (cells,) = [row for row in table.rows if row[0] == name]
    return dict(zip(table.header, cells, strict=True))
