"""FTRL-Proximal for networks (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013, Algorithm 1).

For each coordinate, with g the gradient of the loss **summed** over the batch, alpha the learning rate and
D(n) = (beta + sqrt(n)) / alpha + l2:

    n' = n + g^2;  s = (sqrt(n') - sqrt(n)) / alpha;  z' = z + g - s w
    w' = 0 where |z'| <= l1, else -(z' - sign(z') l1) / D(n')

The paper's weights start at zero. A network's do not, and z = 0 would put them there: here n = 0 and
z = -w D(0) - sign(w) l1, from which the formula gives back the w of the network's own initialisation.

What is kept is n and, instead of z, the part q of -z that l1 swallows, |q| <= l1. The formula for w' read backwards is
z = -(D(n) w + q), which is the same z, and makes the step

    z' = -(D(n') w + q - g);  q' = -z' cut to [-l1, l1];  w' = (-z' - q') / D(n')

and q = sign(w) l1 at the start. It has three virtues. Without l1 it is w' = w - g / D(n'), to the last bit the Adagrad
with eps = beta and an accumulator that starts at 0. It loses no digits where z has grown large. And it says what a
**learning rate that changes** means: a schedule alters the steps to come. With z kept, a smaller alpha would shrink
every weight in proportion, touched or not; with q kept, no weight moves when the rate does, and a weight at zero keeps
how far it is from leaving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softshrink

from apps.ctr_prediction.optimisers.rowwise import RowwiseOptimizer, check

__all__ = ["FTRL"]


class FTRL(RowwiseOptimizer):
    """Per-coordinate FTRL-Proximal for dense and sparse gradients; weights that l1 holds are exactly zero.

    A dense gradient does what a sparse one does that leaves its zero rows away. Every argument but `params` can be set
    for each parameter group.

    Args:
        params: parameters, or dicts with "params" and settings of their own.
        lr: alpha, the size of the first steps. A loss that is averaged over the batch needs one that is larger by the
            batch size, and an l1 and a beta that are smaller by it: sum instead.
        beta: above 0; keeps the first steps small.
        l1: draws weights to zero exactly.
        l2: keeps weights near where they started.
        spare_start: whether l1 leaves a weight its start until gradients have carried it through zero. Else
            z = -w D(0), and the start is what l1 leaves of w: smaller by l1 / D(0), and zero where it was less.

    Raises:
        ConfigError: a setting is out of its bounds.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.05,
        beta: float = 1.0,
        l1: float = 0.0,
        l2: float = 0.0,
        spare_start: bool = True,
    ) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "l1": l1, "l2": l2, "spare_start": spare_start})
        for group in self.param_groups:
            for name in ("lr", "beta"):
                check(f"FTRL {name}", group[name], group[name] > 0, "above 0")
            for name in ("l1", "l2"):
                check(f"FTRL {name}", group[name], group[name] >= 0, "0 or more")

    def first_state(self, weight: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        """`squares`, n of the equations, and `held`, their q; without l1 there is no q."""
        state = {"squares": torch.zeros_like(weight)}
        if group["l1"]:
            pull = (
                weight.detach().sign() if group["spare_start"] else weight.detach() * (_strength(group) / group["l1"])
            )
            state["held"] = pull.clamp(-1, 1) * group["l1"]
        return state

    def begin(self, weight: Tensor, group: Mapping[str, Any]) -> None:
        """Take from a weight what l1 does not leave it, where its start is not spared."""
        if group["l1"] and not group["spare_start"]:
            weight.copy_(softshrink(weight, group["l1"] / _strength(group)))

    def update(self, group: Mapping[str, Any], gradient: Tensor, weight: Tensor, *state: Tensor) -> None:
        """The equations above."""
        squares, *held = state
        alpha, l1 = group["lr"], group["l1"]
        squares.addcmul_(gradient, gradient)
        scaled = squares.sqrt().add_(group["beta"] + alpha * group["l2"])  # alpha D
        if not held:
            weight.addcdiv_(gradient, scaled, value=-alpha)
            return
        (q,) = held
        strength = scaled.div_(alpha)
        dual = torch.addcmul(q, weight, strength).sub_(gradient)  # -z'
        torch.clamp(dual, -l1, l1, out=q)
        torch.sub(dual, q, out=weight).div_(strength)


def _strength(group: Mapping[str, Any]) -> float:
    """D(0) of the equations."""
    return float(group["beta"] / group["lr"] + group["l2"])
