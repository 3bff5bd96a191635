"""How rows become batches: an order of each epoch, dealt to all processes, the same whenever the epoch is run again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["shuffled_batches"]

Rows = npt.NDArray[np.integer[Any]]


def shuffled_batches(
    rows: Rows, batch_size: int, seed: int, epoch: int, rank: int = 0, world_size: int = 1
) -> Iterator[Rows]:
    """Cut rows into batches, in a new order each epoch; what fills no batch is left for another epoch.

    Args:
        rows: (n,) to train on.
        batch_size: rows of one global batch, a multiple of `world_size`.
        seed: of the order.
        epoch: this and what follows as `Task.batches` gets them.
        rank: number of this process.
        world_size: number of processes, which share every batch among them.

    Yields:
        n // batch_size times the (batch_size / world_size,) rows of this process.
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    for start in range(0, len(order) - batch_size + 1, batch_size):
        yield order[start : start + batch_size][rank::world_size]
