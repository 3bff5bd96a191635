"""What FTRL and FTML share: one update of a weight and its state, for whole tensors or for the rows of a batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from shared.errors import ConfigError

__all__ = ["RowwiseOptimizer", "check", "share_nonzero"]


class RowwiseOptimizer(Optimizer):
    """An optimiser that treats every row of a parameter, its first axis, by itself.

    A sparse gradient (of one sparse axis) is coalesced, and only the rows it names are read and written.
    """

    @abstractmethod
    def first_state(self, weight: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        """State of a parameter before its first step: tensors with as many rows as it has."""

    def begin(self, weight: Tensor, group: Mapping[str, Any]) -> None:
        """Change a parameter in place before its first step, once its first state is taken."""

    @abstractmethod
    def update(self, group: Mapping[str, Any], gradient: Tensor, weight: Tensor, *state: Tensor) -> None:
        """One step in place.

        Args:
            group: settings of the parameter group; its lr is not 0.
            gradient: of the loss.
            weight: the parameter, or the rows of it that the gradient names.
            state: the tensors of `first_state` in its order, the same rows of them.
        """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of all parameters that have a gradient; a group whose learning rate is 0 stays as it is."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"] if group["lr"] else ():
                if parameter.grad is not None:
                    self._step(group, parameter, parameter.grad)
        return loss

    def _step(self, group: Mapping[str, Any], parameter: Tensor, gradient: Tensor) -> None:
        if not self.state[parameter]:
            self.state[parameter] = self.first_state(parameter, group)
            self.begin(parameter, group)
        tensors = [parameter, *self.state[parameter].values()]
        if not gradient.is_sparse:
            self.update(group, gradient, *tensors)
            return
        rows, values = _distinct_rows(gradient)
        touched = [tensor.index_select(0, rows) for tensor in tensors]
        self.update(group, values, *touched)
        for tensor, changed in zip(tensors, touched, strict=True):
            tensor.index_copy_(0, rows, changed)


def _distinct_rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that a sparse gradient names, each once, and the gradient of each."""
    # Autograd forgets that a gradient is coalesced, and to coalesce it again costs as much as the step itself.
    rows, values = gradient._indices()[0], gradient._values()
    if bool((rows[1:] > rows[:-1]).all()):
        return rows, values
    gradient = gradient.coalesce()
    return gradient.indices()[0], gradient.values()


def check(name: str, value: float, allowed: bool, bounds: str) -> None:
    """Raise ConfigError unless the setting of an optimiser is allowed."""
    if not allowed:
        raise ConfigError(f"{name} must be {bounds}; found {value}.")


def share_nonzero(parameters: Iterable[Tensor]) -> float:
    """Share of all entries together that are not exactly zero; NaN where there is none."""
    tensors = list(parameters)
    total = sum(tensor.numel() for tensor in tensors)
    return sum(int(torch.count_nonzero(tensor)) for tensor in tensors) / total if total else float("nan")
