"""Batches of an epoch: whole, in an order of its own, shared by all processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.batching import shuffled_batches


@settings(deadline=None, max_examples=50)
@given(n=st.integers(0, 40), size=st.integers(1, 12), epoch=st.integers(0, 5))
def test_every_row_comes_once_and_only_a_part_batch_is_left(n: int, size: int, epoch: int) -> None:
    rows = np.arange(100, 100 + n)
    batches = list(shuffled_batches(rows, size, 0, epoch))
    dealt = [row for batch in batches for row in batch.tolist()]
    assert len(batches) == n // size
    assert {len(batch) for batch in batches} <= {size}
    assert len(set(dealt)) == len(dealt)
    assert set(dealt) <= set(rows.tolist())


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_each_batch(world_size: int) -> None:
    whole = list(shuffled_batches(np.arange(30), 6, 1, 2))
    parts = [list(shuffled_batches(np.arange(30), 6, 1, 2, rank, world_size)) for rank in range(world_size)]
    for step, batch in enumerate(whole):
        assert sorted(np.concatenate([part[step] for part in parts])) == sorted(batch)
        assert {len(part[step]) for part in parts} == {6 // world_size}


def test_the_order_is_of_the_epoch_and_the_seed() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(list(shuffled_batches(np.arange(20), 5, seed, epoch))).tolist()

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)
