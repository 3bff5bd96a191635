"""A made log with something to learn: campaigns and domains differ, and a tag means another thing to each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from scipy.special import expit

from apps.ctr_prediction.classical.training_rows import Rows
from shared.prepared import Column

SCHEMA = (
    Column("click", "integer", "label"),
    Column("campaign", "category", "group"),
    Column("domain", "category", "context"),
    Column("visitor", "category", "user"),
    Column("price", "number", "context"),
    Column("tags", "categories", "user"),
    Column("block", "category", "group"),
    Column("day", "category", "group"),
)
CAMPAIGNS, DOMAINS, TAGS, DAYS = 3, 20, 8, 5


def made_campaigns(rows: int, seed: int = 0) -> pa.Table:
    """Rows in the order of days; visitors are many, come a few times each and mean nothing."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(1)
    campaign, domain = rng.integers(0, CAMPAIGNS, rows), rng.integers(0, DOMAINS, rows)
    carried = rng.random((rows, TAGS)) < 0.2
    price = rng.lognormal(3.0, 1.0, rows)
    domain_effect, tag_effect = world.normal(0, 1.0, DOMAINS), world.normal(0, 1.5, (CAMPAIGNS, TAGS))
    logit = campaign - 2.5 + domain_effect[domain] + (carried * tag_effect[campaign]).sum(1) + 0.3 * np.log(price / 20)
    day = np.sort(rng.integers(0, DAYS, rows))
    return pa.table(
        {
            "click": (rng.random(rows) < expit(logit)).astype(np.int64),
            "campaign": [f"c{number}" for number in campaign],
            "domain": [f"d{number}" for number in domain],
            "visitor": [f"v{number}" for number in rng.integers(0, rows // 3 + 1, rows)],
            "price": price,
            "tags": pa.array([[f"t{tag}" for tag in np.flatnonzero(own)] for own in carried], pa.list_(pa.string())),
            "block": [f"c{number} day {one}" for number, one in zip(campaign, day, strict=True)],
            "day": [f"day {one}" for one in day],
        }
    )


def stream(table: pa.Table, rows: int = 500) -> Rows:
    """The table cut into tables."""

    def read() -> Iterator[pa.Table]:
        return (table.slice(start, rows) for start in range(0, len(table), rows))

    return read
