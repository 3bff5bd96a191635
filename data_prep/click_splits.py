"""Splits of a click log: by days of each group, by time, by group; all of them deal whole blocks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from data_prep.click_blocks import Block, Blocks
from shared.splits import Split

__all__ = ["splits_of"]

_LATER_SHARE = 0.2
_MOST_LEFT_OUT = 50
"""Values of a group column up to which each is left out in turn."""
_UNITS = {"day": "days", "hour": "hours", "group": "groups", "user": "parts of the users", "row": "parts of the rows"}


def splits_of(blocks: Blocks, folds: int) -> list[Split]:
    """Every split that the log allows; `folds`, the one that `train` takes by itself, is always there.

    Args:
        blocks: all of them, two at least.
        folds: number of folds, where there are as many days (hours, groups, parts).
    """
    periods = _periods(blocks.seen)
    longest = max(map(len, periods.values()))
    splits = []
    if longest > 1:
        n, unit = min(folds, longest), _UNITS[blocks.cut]
        dealt = {name: place % n for names in periods.values() for place, name in enumerate(names)}
        described = f"{unit}{' of each group' if blocks.groups else ''} in turn into {n} folds"
        splits += [Split("folds", "block", dealt, described), _later(periods, unit)]
        if blocks.cut == "day":
            splits.append(Split("days", "block", dealt, f"{described}; the same as `folds`"))
    else:
        splits.append(_even(blocks, min(folds, len(blocks.seen))))
    return [*splits, *_each_left_out(blocks)]


def _periods(seen: Mapping[str, Block]) -> dict[tuple[str, ...], list[str]]:
    """The blocks of each group in the order of time."""
    periods: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, block in sorted(seen.items(), key=lambda item: (item[1].group, item[1].period)):
        periods[block.group if block.period else (name,)].append(name)
    return periods


def _later(periods: Mapping[tuple[str, ...], list[str]], unit: str) -> Split:
    dealt: dict[str, int | str] = {}
    for names in periods.values():
        last = max(1, round(_LATER_SHARE * len(names))) if len(names) > 1 else 0
        first = len(names) - last
        dealt |= {name: "train" if place < first else "test" for place, name in enumerate(names)}
    return Split("later", "block", dealt, f"the last fifth of the {unit} of each group, at least one, is the test")


def _even(blocks: Blocks, folds: int) -> Split:
    """Blocks dealt to folds that are alike in rows: the largest first, each to the smallest fold."""
    sizes = [0] * folds
    dealt: dict[str, int | str] = {}
    for name, block in sorted(blocks.seen.items(), key=lambda item: (-item[1].rows, item[0])):
        fold = sizes.index(min(sizes))
        dealt[name] = fold
        sizes[fold] += block.rows
    unit = _UNITS["group" if blocks.cut == "day" else blocks.cut]
    return Split("folds", "block", dict(sorted(dealt.items())), f"{unit} in {folds} folds alike in rows")


def _each_left_out(blocks: Blocks) -> list[Split]:
    """For each group column a split whose folds are its values."""
    splits = []
    for place, name in enumerate(blocks.groups):
        values = sorted({block.group[place] for block in blocks.seen.values()})
        if 1 < len(values) <= _MOST_LEFT_OUT:
            word = re.sub(r"[^A-Za-z0-9_.-]", "-", name)
            dealt = {value: fold for fold, value in enumerate(values)}
            splits.append(Split(f"leave-{word}-out", name, dealt, f"each value of {name!r} is a fold"))
    return splits
