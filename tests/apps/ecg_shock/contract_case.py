"""What the contract suite must know of the shock advisor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from data_prep.synth import ecg_shock
from tests.contract.case import Call, ContractCase, broken_arrays, calls, odd_arrays

RATE = 250.0
STATED: dict[str, Any] = {"sampling_rate": RATE, "unit": "mV"}


def ecg(seconds: float, seed: int = 0) -> npt.NDArray[np.float64]:
    """A slow wave with noise, about 1 mV."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * (1 + seed) * times) + 0.05 * np.random.default_rng(seed).normal(size=len(times))


WRONG_WORDS: st.SearchStrategy[Call] = st.sampled_from(
    [
        (ecg(5), {"unit": "mV"}),
        (ecg(5), {**STATED, "unit": "furlong"}),
        (ecg(5), {**STATED, "start_s": 7.0}),
        (ecg(5), {**STATED, "duration_s": 20.0}),
        *((ecg(5), {**STATED, "sampling_rate": rate}) for rate in (0.0, -250.0, np.nan, np.inf, 10.0)),
        *((ecg(seconds), STATED) for seconds in (0.5, 1.9, 10.1, 60.0)),
    ]
)

CASE = ContractCase(
    make_data=lambda folder: ecg_shock.prepare(folder, items=48),
    smoke=("--config", "smoke"),
    inputs=lambda: [ecg(seconds, seed) for seed, seconds in enumerate((5.0, 2.0, 10.0, 5.0, 3.3))],
    keywords=STATED,
    broken=calls(broken_arrays((1250,)), **STATED) | WRONG_WORDS,
    odd=calls(odd_arrays((1250,)), **STATED),
    by_heart=("--network.dropout", "0"),
)
