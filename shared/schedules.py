"""Learning-rate schedules as pure functions: progress of the training in [0, 1] -> factor on the base learning rate.

Nothing here counts steps or holds state, so a resumed training needs no scheduler to be restored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from shared.fit_config import ScheduleConfig

__all__ = ["Factor", "constant", "cosine", "one_cycle", "schedule_factor", "sigmoid", "with_warmup"]

Factor = Callable[[float], float]
"""Progress in [0, 1] -> factor on the base learning rate."""

RISE = 0.3
"""Share of a one-cycle training in which the rate rises."""
START = 1 / 25
"""Where a cycle starts, as a share of the peak."""
END = START * 1e-4
"""Where a cycle ends, as a share of the peak."""
STEEPNESS = 12.0
"""Width of the part of the logistic curve that `sigmoid` runs through: from -6 to 6."""


def constant(progress: float) -> float:
    """1 throughout."""
    return 1.0


def cosine(progress: float, final: float = 0.0) -> float:
    """Half a cosine wave from 1 down to `final` (Loshchilov and Hutter, ICLR 2017, equation 5, without restarts)."""
    return _cosine_between(1.0, final, progress)


def one_cycle(progress: float) -> float:
    """One cycle (Smith and Topin 2018): from 1/25 up to 1 in the first 30 %, then down to 1e-4/25, both along a cosine.

    The shape and the numbers are the defaults of `torch.optim.lr_scheduler.OneCycleLR`; momentum is left alone.
    """
    if progress < RISE:
        return _cosine_between(START, 1.0, progress / RISE)
    return _cosine_between(1.0, END, (progress - RISE) / (1 - RISE))


def sigmoid(progress: float, final: float = 0.0) -> float:
    """The falling logistic curve of the sigmoid annealing: a long plateau at 1, a fall about the middle, a long tail.

    With p the progress, c = `STEEPNESS` and s(x) = 1 / (1 + exp(x)):

        factor(p) = final + (1 - final) * (s(c (p - 1/2)) - s(c/2)) / (s(-c/2) - s(c/2))

    The family, a linear warm-up followed by a falling sigmoid, is the one proposed by Nakamura, Derbel, Won and Hong,
    "Learning-rate annealing methods for deep neural networks", Electronics 2021, 10(16):2029. The width c = 12 and the
    scaling, which makes the ends exactly 1 and `final`, are this library's choice. See `with_warmup` for the warm-up.
    """
    upper, lower = _falling_logistic(0.0), _falling_logistic(1.0)
    return final + (1 - final) * (_falling_logistic(progress) - lower) / (upper - lower)


def with_warmup(factor: Factor, warmup: float) -> Factor:
    """Precede a schedule by a straight rise from 0 to 1.

    Args:
        factor: the schedule, which then runs through the rest of the training from its own beginning.
        warmup: share of the training that the rise takes, in [0, 1).
    """

    def warmed(progress: float) -> float:
        if progress < warmup:
            return progress / warmup
        return factor((progress - warmup) / (1 - warmup))

    return warmed


def schedule_factor(config: ScheduleConfig) -> Factor:
    """The schedule that `config` describes."""
    shapes: dict[str, Factor] = {
        "constant": constant,
        "cosine": partial(cosine, final=config.final),
        "onecycle": one_cycle,
        "sigmoid": partial(sigmoid, final=config.final),
    }
    return with_warmup(shapes[config.name], config.warmup)


def _cosine_between(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def _falling_logistic(progress: float) -> float:
    return 1 / (1 + math.exp(STEEPNESS * (progress - 0.5)))
