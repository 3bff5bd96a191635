"""A made log in small row groups, so that each of several processes has a share of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from shared.prepared import Column, PreparedWriter
from shared.splits import Split
from tests.apps.ctr_prediction.made_campaigns import SCHEMA, made_campaigns

GROUP = 64
"""Rows of a row group."""
NAME = "name"
"""Column with a value of its own in each row."""


def write_dealt(folder: Path, rows: int) -> Path:
    """A prepared set whose days are dealt in turn to two folds."""
    numbers = np.arange(rows)
    log = made_campaigns(rows).append_column("row", pa.array(numbers))
    log = log.append_column(NAME, pa.array([f"row {number}" for number in numbers]))
    schema = [*SCHEMA, Column("row", "integer", "key"), Column(NAME, "category", "key")]
    about = {"title": "t", "source": "drawn from a seed", "licence": "CC0-1.0", "synthetic": True}
    with PreparedWriter(folder, name="dealt", groups=("block",), **about) as writer:
        writer.table("impressions", schema, rows_per_group=GROUP).write(log)
        blocks = sorted(set(log["block"].to_pylist()))
        writer.add_split(Split("folds", "block", {block: int(block[-1]) % 2 for block in blocks}, "days in turn"))
    return folder
