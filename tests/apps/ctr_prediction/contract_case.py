"""What the contract suite must know of the click predictor."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from data_prep.synth import ctr_prediction
from tests.contract.case import ContractCase, calls

IMPRESSION: dict[str, Any] = {
    "time": "2024-03-07 09:30:00",
    "advertiser": "adv1",
    "creative": "c6",
    "user": "u1234",
    "tags": ["t0", "t3"],
    "region": "r14",
    "device": "windows_chrome",
    "domain": "d1",
    "slot": "s5",
    "size": "320x50",
    "floor_price": 22.0,
}
CELLS = tuple(name for name in IMPRESSION if name != "tags")
"""Columns of one value a row."""


def impression(**values: Any) -> dict[str, Any]:
    """One raw row of the made-up log, with other values in some columns."""
    return {**IMPRESSION, **values}


NO_ROWS = st.sampled_from(
    [None, 3.5, "no such file.json", Path("no such file.json"), b"bytes", [], [IMPRESSION], ("time", 1), object(), {}]
)
NO_FEATURES = st.sampled_from(
    [{"click": 1}, {"id": "i7", "sample_weight": 5.0}, {"Advertiser": "adv1"}, {"pay_price": 3.0, "colour": None}]
)
LISTS = st.builds(
    lambda name, value: impression(**{name: value}),
    st.sampled_from(CELLS),
    st.sampled_from([["adv1"], {"a": 1}, [[1.0]], []]),
)
NESTED = st.sampled_from([[["t0"]], [{"t0": 1}], {"t0": 1}]).map(lambda value: impression(tags=value))

EXTREME = (
    None, "", "null", "Na", "unheard of", "ü" * 300, "0", 0, -1, 10**30, True, 1e300, -0.0, np.nan, np.inf,
    np.float32(2.5), np.int8(3), np.str_("d1"), decimal.Decimal("1.5"), datetime.date(2024, 3, 7),
    datetime.datetime.max, datetime.datetime(1900, 1, 1, tzinfo=datetime.UTC), ...,
)  # fmt: skip
ODD_TAGS = ([], None, "", "t0,t1, t2", ["t0"] * 500, [None], [1, "t0"], {"t1"}, ("t0", None), [np.nan], 7)
ODD_CELLS = st.dictionaries(st.sampled_from(CELLS), st.sampled_from(EXTREME), min_size=1).map(lambda v: impression(**v))
ODD_BAGS = st.sampled_from(ODD_TAGS).map(lambda tags: impression(tags=tags))
SPARSE = st.dictionaries(st.sampled_from(CELLS), st.sampled_from(EXTREME)).map(lambda v: {"region": "r1", **v})
STRANGE_KEYS = st.sampled_from([{7: 1}, {"": "x"}, {"probability": ...}]).map(lambda more: {**IMPRESSION, **more})

CASE = ContractCase(
    make_data=lambda folder: ctr_prediction.prepare(folder, items=1500),
    smoke=("--config", "smoke"),
    inputs=lambda: [
        impression(),
        impression(tags=[], hour_of_day="23", colour="ignored"),
        impression(advertiser="adv99", domain=None, tags="t1,t2,t5,t8"),
        {"domain": "d1", "floor_price": 7},
        impression(user=17, time=datetime.datetime(2024, 3, 6, 1)),
        {"advertiser": "nobody"},
    ],
    broken=calls(NO_ROWS | NO_FEATURES | LISTS | NESTED),
    odd=calls(ODD_CELLS | ODD_BAGS | SPARSE | STRANGE_KEYS),
    by_heart=("--optimiser.name", "adam", "--optimiser.lr_dense", "0.02"),
)
