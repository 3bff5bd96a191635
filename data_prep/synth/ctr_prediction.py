"""Made-up ad impressions whose click probability is known: a raw log of any length, and the prepared set.

What a model can find in them, and a linear one cannot: every advertiser has its own good and bad user tags and its own
taste in domains (a product of two vectors of 4), and devices differ by the size of the slot. What makes them hard: the
audience of one advertiser turns into another one over the days and its ads wear out; one advertiser starts on the
fourth day; on the last day there are domains, creatives and users never seen before. Clicks are rare and non-clicks are
thinned out, as in real logs: `sample_weight` undoes it, and `true_probability` is the one before thinning.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from data_prep.click_schema import ClickSchema
from data_prep.click_set import write_prepared
from data_prep.ctr_prediction import CtrConfig
from shared.errors import ConfigError

__all__ = ["KEPT", "SCHEMA", "prepare", "rows", "write_log"]

SCHEMA = Path(__file__).parents[1] / "samples" / "impressions.yaml"
"""Schema file of these logs."""
KEPT = 0.2
"""Share of the non-clicks that stay."""

_CHUNK_ROWS = 50_000
_FIRST_DAY, _DAYS = np.datetime64("2024-03-04", "us"), 6
_ADVERTISERS, _CREATIVES, _DOMAINS, _USERS, _TAGS, _SLOTS = 6, 4, 300, 20_000, 40, 3
_COLD = {"domain": 60, "user": 4_000, "creative": 1}
"""New ones on the last day."""
_SIZES = ("300x250", "728x90", "160x600", "320x50", "960x90")
_DEVICES = ("windows_chrome", "windows_ie", "android_chrome", "ios_safari", "mac_safari", "linux_firefox")
_REGIONS = 20
_LATE, _DRIFTING = 5, 2
"""The advertiser that starts on the fourth day, and the one whose audience changes."""
_BASE = -4.9

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def prepare(out: Path, items: int = 2000, seed: int = 0) -> None:
    """Write a synthetic prepared set of `items` impressions.

    Raises:
        ConfigError: `out` is not empty, or fewer than 100 items are asked for.
    """
    schema, source = ClickSchema.read(SCHEMA), f"generated from seed {seed}"
    write_prepared(_MadeLog(items, seed), schema, out, CtrConfig(), source=source, synthetic=True)


def write_log(path: Path, items: int, seed: int = 0) -> Path:
    """Write a raw log as a user may have it: parquet where the name ends so, else CSV (packed for .gz and .bz2).

    Returns:
        The path.
    """
    tables, packing = rows(items, seed), None
    if path.suffix != ".parquet":
        tables, packing = map(_flat, tables), "detect"
    first = next(tables)
    kind = pcsv.CSVWriter if packing else pq.ParquetWriter
    with pa.output_stream(str(path), compression=packing) as stream, kind(stream, first.schema) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table)
    return path


def _flat(table: pa.Table) -> pa.Table:
    """With the tags as text."""
    return table.set_column(table.column_names.index("tags"), "tags", pc.binary_join(table["tags"], ","))


class _MadeLog:
    """The rows as a `data_prep.click_logs.RawLog`."""

    def __init__(self, items: int, seed: int) -> None:
        self._items, self._seed = items, seed
        self.columns: tuple[str, ...] = tuple(self.head().column_names)

    def head(self) -> pa.Table:
        return next(rows(self._items, self._seed)).slice(0, 100)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        return (table.select(columns) for table in rows(self._items, self._seed))


def rows(items: int, seed: int = 0) -> Iterator[pa.Table]:
    """Impressions in the order of time, a bounded number at once; the same seed gives the same.

    Raises:
        ConfigError: fewer than 100 are asked for.
    """
    if items < 100:
        raise ConfigError(f"A synthetic log of {items} impressions was asked for; expected at least 100.")
    world = _World.drawn(np.random.default_rng((seed, 0)))
    for number, start in enumerate(range(0, items, _CHUNK_ROWS)):
        stop = min(start + _CHUNK_ROWS, items)
        rng = np.random.default_rng((seed, 1, number))
        yield _table(world, _thinned(world, rng, stop - start, (start / items, stop / items)), start, rng)


@dataclass(frozen=True)
class _World:
    """What every impression is drawn from; effects are parts of the logit."""

    advertiser: FloatArray
    creative: FloatArray
    domain: FloatArray
    hour: FloatArray
    device_size: FloatArray
    taste: FloatArray
    """(advertisers, domains)"""
    audience: FloatArray
    """(users, advertisers): the sum over the user's tags."""
    audience_later: FloatArray
    """(users,): what it becomes for the advertiser that drifts."""
    tags: npt.NDArray[np.bool_]
    """(users, tags)"""
    device: IntArray
    region: IntArray
    """Of each user."""
    size: IntArray
    price: FloatArray
    """Of each slot."""
    domain_share: FloatArray
    """(domains,): cumulative, of those that are not new."""

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """A world from a generator."""
        domains, users = _DOMAINS + _COLD["domain"], _USERS + _COLD["user"]
        quality = rng.normal(0.0, 0.5, domains)
        tags = rng.uniform(size=(users, _TAGS)) < 0.35 / np.sqrt(np.arange(1, _TAGS + 1))
        liking = rng.choice([-0.8, 0.0, 1.2], (_ADVERTISERS + 1, _TAGS), p=[0.15, 0.7, 0.15])
        liking -= liking @ tags.mean(0)[:, np.newaxis] / tags.sum(1).mean()
        shares = 1.0 / np.arange(1, _DOMAINS + 1)
        slots = domains * _SLOTS
        return cls(
            advertiser=rng.normal(0.0, 0.4, _ADVERTISERS),
            creative=rng.normal(0.0, 0.3, (_ADVERTISERS, _CREATIVES + _COLD["creative"])),
            domain=quality,
            hour=0.3 * np.sin(2.0 * np.pi * (np.arange(24) - 13) / 24),
            device_size=rng.normal(0.0, 0.4, (len(_DEVICES), len(_SIZES))),
            taste=rng.normal(0.0, 0.4, (_ADVERTISERS, 4)) @ rng.normal(0.0, 1.0, (4, domains)),
            audience=tags @ liking[:_ADVERTISERS].T,
            audience_later=tags @ liking[_ADVERTISERS],
            tags=tags,
            device=rng.integers(0, len(_DEVICES), users),
            region=rng.integers(0, _REGIONS, users),
            size=rng.integers(0, len(_SIZES), slots),
            price=np.round(rng.lognormal(2.0 + np.repeat(quality, _SLOTS), 1.0, slots)),
            domain_share=np.cumsum(shares) / shares.sum(),
        )


_Draw = dict[str, npt.NDArray[Any]]


def _thinned(world: _World, rng: np.random.Generator, n: int, span: tuple[float, float]) -> _Draw:
    """`n` impressions in a part of the days, in order: clicks and `KEPT` of the others."""
    parts: list[_Draw] = []
    kept = 0
    while kept < n:
        drawn = _impressions(world, rng, 2000 + 5 * n, span)
        stays = drawn["click"].astype(bool) | (rng.uniform(size=len(drawn["click"])) < KEPT)
        parts.append({name: column[stays] for name, column in drawn.items()})
        kept += int(stays.sum())
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    chosen = rng.permutation(kept)[:n]
    order = chosen[np.argsort(joined["time"][chosen], kind="stable")]
    return {name: column[order] for name, column in joined.items()}


def _impressions(world: _World, rng: np.random.Generator, n: int, span: tuple[float, float]) -> _Draw:
    """Impressions before thinning, with their click probability and whether they were clicked."""
    time = rng.uniform(*span, n) * _DAYS
    day = time.astype(np.int64)
    last = day == _DAYS - 1

    def or_new(known: IntArray, first: int, kind: str, share: float) -> IntArray:
        """On the last day a share of them is new."""
        new = last & (rng.uniform(size=n) < share)
        return np.where(new, first + rng.integers(0, _COLD[kind], n), known)

    advertiser = rng.choice(_ADVERTISERS, n, p=[0.25, 0.2, 0.2, 0.15, 0.1, 0.1])
    advertiser = np.where((advertiser == _LATE) & (day < _DAYS // 2), 0, advertiser)
    creative = or_new(rng.integers(0, _CREATIVES, n), _CREATIVES, "creative", 0.2)
    domain = or_new(np.searchsorted(world.domain_share, rng.uniform(size=n)), _DOMAINS, "domain", 0.1)
    user = or_new((rng.uniform(size=n) ** 1.5 * _USERS).astype(np.int64), _USERS, "user", 0.2)
    slot = domain * _SLOTS + rng.integers(0, _SLOTS, n)
    turned = np.where(advertiser == _DRIFTING, time / _DAYS, 0.0)
    logit = (
        _BASE
        + world.advertiser[advertiser]
        + world.creative[advertiser, creative]
        + world.domain[domain]
        + world.hour[(time * 24).astype(np.int64) % 24]
        + world.device_size[world.device[user], world.size[slot]]
        + world.taste[advertiser, domain]
        + (1.0 - turned) * world.audience[user, advertiser]
        + turned * (world.audience_later[user] - 1.0)
    )
    probability = 1.0 / (1.0 + np.exp(-logit))
    click = (rng.uniform(size=n) < probability).astype(np.int64)
    return {
        "time": time, "advertiser": advertiser, "creative": creative, "domain": domain, "user": user, "slot": slot,
        "probability": probability, "click": click,
    }  # fmt: skip


def _table(world: _World, drawn: _Draw, start: int, rng: np.random.Generator) -> pa.Table:
    """The columns of `SCHEMA`."""
    user, slot, click = drawn["user"], drawn["slot"], drawn["click"]
    n = len(click)
    microseconds = (drawn["time"] * 86_400_000_000).astype("timedelta64[us]")
    paid = np.round(world.price[slot] * rng.uniform(1.0, 3.0, n))
    creatives = _CREATIVES + _COLD["creative"]
    return pa.table(
        {
            "id": _named("i", np.arange(start, start + n)),
            "click": click,
            "time": pa.array(_FIRST_DAY + microseconds),
            "advertiser": _named("adv", drawn["advertiser"]),
            "creative": _named("c", drawn["advertiser"] * creatives + drawn["creative"]),
            "user": _named("u", user),
            "tags": _tags(world.tags[user]),
            "region": _named("r", world.region[user]),
            "device": pa.array(_DEVICES).take(pa.array(world.device[user])),
            "domain": _named("d", drawn["domain"]),
            "slot": _named("s", slot),
            "size": pa.array(_SIZES).take(pa.array(world.size[slot])),
            "floor_price": world.price[slot],
            "pay_price": paid,
            "true_probability": np.round(drawn["probability"], 7),
            "sample_weight": np.where(click == 1, 1.0, 1.0 / KEPT),
        }
    )


def _named(prefix: str, numbers: IntArray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def _tags(carried: npt.NDArray[np.bool_]) -> pa.Array:
    """(n, tags) as lists of names."""
    ends = np.concatenate([[0], np.cumsum(carried.sum(1))])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), _named("t", np.nonzero(carried)[1]))
