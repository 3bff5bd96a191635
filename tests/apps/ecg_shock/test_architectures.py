"""The grid of architectures: what is drawn depends on the seed alone, and a median is taken block by block."""

from __future__ import annotations

from collections import Counter

import pytest

from apps.ecg_shock.paper_search.architectures import BLOCKS, FILTERS, KERNELS, Architecture, draw, median
from shared.errors import ConfigError

PAPER = Architecture((20, 15, 15, 10, 5), (10,) * 5)


def test_the_papers_optimum_has_the_papers_size() -> None:
    assert (PAPER.blocks, PAPER.parameters, PAPER.macs) == (5, 7521, 1_548_505)
    assert PAPER.name == "20x10_15x10_15x10_10x10_5x10"
    assert Architecture.named(PAPER.name) == PAPER


def test_depths_take_turns_and_sizes_span_the_grid() -> None:
    drawn = draw(140, seed=0)
    assert Counter(one.blocks for one in drawn.architectures) == dict.fromkeys(range(BLOCKS[0], BLOCKS[1] + 1), 20)
    assert len(set(drawn.architectures)) == 140
    for limits, sizes in (
        (FILTERS, {size for one in drawn.architectures for size in one.filters}),
        (KERNELS, {size for one in drawn.architectures for size in one.kernels}),
    ):
        assert (min(sizes), max(sizes)) == limits


def test_a_longer_search_begins_with_the_shorter_one() -> None:
    assert draw(20, seed=3, most_macs=8e6).architectures[:9] == draw(9, seed=3, most_macs=8e6).architectures
    assert draw(9, seed=3).architectures != draw(9, seed=4).architectures


def test_what_costs_too_much_is_drawn_again_and_counted() -> None:
    free, cheap = draw(21, seed=0), draw(21, seed=0, most_macs=8e6)
    assert max(one.macs for one in cheap.architectures) <= 8e6 < max(one.macs for one in free.architectures)
    assert free.passed_over == 0 < cheap.passed_over
    kept = [one for one in free.architectures if one.macs <= 8e6]
    assert all(one in cheap.architectures for one in kept)


def test_a_limit_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no further architecture of depth 1 of at most most_macs = 10000"):
        draw(2, seed=0, most_macs=1e4)


def test_the_median_is_taken_block_by_block() -> None:
    three = [Architecture((5, 40), (100, 7)), Architecture((9, 30), (8, 6)), Architecture((50, 10), (20, 90))]
    assert median(three) == Architecture((9, 30), (20, 7))
    assert median(three[:2]) == Architecture((7, 35), (54, 7)), "halves are rounded up"
    assert median(three[:1]) == three[0]
