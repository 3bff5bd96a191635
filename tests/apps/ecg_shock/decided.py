"""Prediction tables made by hand, so that every figure of a report can be counted on paper."""

from __future__ import annotations

import itertools

import numpy as np

from shared.table import Table, concatenate

_number = itertools.count()
SCORED = {"S_VF": 1, "S_VFL": 1, "S_VT": 1, "N_NSR": 0, "N_ONR": 0, "N_ASYS": 0}


def windows(
    cls: str, patient: str, n: int, shocked: int, *, undecided: int = 0, fold: int = 0, amplitude_mv: float = 1.0
) -> Table:
    """`n` windows of a class and a patient; the first `shocked` have probability 0.9, the others 0.1.

    The last `undecided` ones are withheld for noise.
    """
    place = np.arange(n)
    probability = np.where(place < shocked, 0.9, 0.1)
    withheld = place >= n - undecided

    def same(value: object) -> np.ndarray:
        return np.full(n, value, dtype=object if isinstance(value, str) else None)

    return {
        "model": same("network"),
        "item": np.array([f"w{next(_number)}" for _ in place], dtype=object),
        "db": same("made"),
        "rhythm": same(cls.partition("_")[2]),
        "reader2": same(""),
        "patient": same(patient),
        "cls": same(cls),
        "target": same(SCORED.get(cls, -1)),
        "logit": np.log(probability / (1 - probability)),
        "probability": probability,
        "decision": (place < shocked).astype(np.int8),
        "undecided": withheld,
        "reason": np.where(withheld, "noise: made", None),  # type: ignore[call-overload]
        "fold": same(fold),
        "seed": same(0),
        "amplitude_mv": same(amplitude_mv),
    }


def again(table: Table, **columns: object) -> Table:
    """The same windows with one value for all rows in some columns: another seed, another model."""
    rows = len(table["item"])
    return {**table, **{name: np.full(rows, value, dtype=table[name].dtype) for name, value in columns.items()}}


def joined(*tables: Table) -> Table:
    """The tables under one another."""
    return concatenate(tables)
