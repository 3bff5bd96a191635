"""FTML, follow the moving leader (Zheng and Kwok, ICML 2017, Algorithm 1).

For each coordinate, with g the gradient in its step t = 1, 2, ... and eta the learning rate:

    v' = b2 v + (1 - b2) g^2;  d' = (1 - b1^t) / eta (sqrt(v' / (1 - b2^t)) + eps);  s = d' - b1 d
    z' = b1 z + (1 - b1) g - s w;  w' = -z' / d'

with v = d = z = 0 at the start. As w = -z / d after every step, z' = (1 - b1) g - d' w, and so

    w' = w - (1 - b1) g / d'

which needs neither z nor d, and starts from the network's own initialisation by itself. A learning rate that changes
alters the steps to come, as in FTRL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from apps.ctr_prediction.optimisers.rowwise import RowwiseOptimizer, check

__all__ = ["FTML"]


class FTML(RowwiseOptimizer):
    """Follow the moving leader for dense and sparse gradients.

    A row that a sparse gradient leaves away makes no step: its t stands still, and its v does not decay.

    Args:
        params: parameters, or dicts with "params" and settings of their own.
        lr: eta, about the size of each step whatever the scale of the loss.
        b1: from 0 to below 1; how far past regularisers count.
        b2: from 0 to below 1; decay of the mean square of the gradient.
        eps: above 0.

    Raises:
        ConfigError: a setting is out of its bounds.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.001,
        b1: float = 0.6,
        b2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "b1": b1, "b2": b2, "eps": eps})
        for group in self.param_groups:
            for name in ("lr", "eps"):
                check(f"FTML {name}", group[name], group[name] > 0, "above 0")
            for name in ("b1", "b2"):
                check(f"FTML {name}", group[name], 0 <= group[name] < 1, "0 or more and below 1")

    def first_state(self, weight: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        """`squares`, v of the equations, and `steps`, t of each row."""
        rows = weight.shape[:1] + (1,) * (weight.ndim - 1)
        return {"squares": torch.zeros_like(weight), "steps": weight.new_zeros(rows)}

    def update(self, group: Mapping[str, Any], gradient: Tensor, weight: Tensor, *state: Tensor) -> None:
        """The equations above."""
        squares, steps = state
        b1, b2 = group["b1"], group["b2"]
        steps.add_(1)
        squares.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        root = (squares / (1 - b2**steps)).sqrt_().add_(group["eps"])
        weight.addcdiv_(gradient, root.mul_(1 - b1**steps), value=-group["lr"] * (1 - b1))
