"""A small made log with every kind of column, for the tests of the features."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shared.prepared import Column

SCHEMA = (
    Column("click", "integer", "label"),
    Column("campaign", "category", "group"),
    Column("useragent", "category", "context"),
    Column("IP", "category", "context"),
    Column("item", "integer", "item"),
    Column("price", "integer", "context", bins=(1, 11, 51)),
    Column("age", "number", "context"),
    Column("tags", "categories", "context"),
    Column("seen_at", "time", "time"),
    Column("payprice", "number", "leak"),
    Column("bidid", "category", "key"),
    Column("sample_weight", "number", "weight"),
    Column("day", "category", "group"),
    Column("block", "category", "group"),
)


def made_log(rows: int, seed: int = 0) -> pa.Table:
    """Rows of four campaigns on six days; some of everything is missing."""
    rng = np.random.default_rng(seed)
    campaign = np.array(["1458", "3386", "Größe", "null"], dtype=object)[rng.integers(0, 4, rows)]
    day = np.array([f"2013-06-{6 + day:02d}" for day in range(6)], dtype=object)[rng.integers(0, 6, rows)]
    tags = [[str(tag) for tag in rng.integers(0, 12, rng.integers(0, 6))] for _ in range(rows)]
    return pa.table(
        {
            "click": rng.integers(0, 2, rows),
            "campaign": campaign,
            "useragent": np.array(["windows_ie", "mac_safari", None], dtype=object)[rng.integers(0, 3, rows)],
            "IP": [f"10.{octet}.{octet % 7}.*" for octet in rng.integers(0, 40, rows)],
            "item": pa.array(rng.integers(0, 30, rows), mask=rng.random(rows) < 0.1),
            "price": pa.array(rng.integers(0, 100, rows), mask=rng.random(rows) < 0.1),
            "age": np.where(rng.random(rows) < 0.2, np.nan, rng.lognormal(3, 1, rows)),
            "tags": pa.array([None if rng.random() < 0.1 else own for own in tags], pa.list_(pa.string())),
            "payprice": rng.random(rows),
            "bidid": [f"{row:08x}" for row in range(rows)],
            "day": day,
            "block": campaign + " " + day,
        }
    )
