from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.features.bags import each_once, padded


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=8))
def test_each_row_has_its_ids_once(bags: list[list[int]]) -> None:
    rows = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags]).astype(np.int64)
    ids = np.array([own for bag in bags for own in bag], dtype=np.int64)
    result = padded(*each_once(rows, ids, 10), len(bags))
    width = max((len(set(bag)) for bag in bags), default=0)
    assert result.shape == (len(bags), max(1, width))
    assert result.tolist() == [sorted(set(bag)) + [0] * (result.shape[1] - len(set(bag))) for bag in bags]
