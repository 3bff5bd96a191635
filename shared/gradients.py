"""Clipping of gradients, dense and sparse, over all optimisers of a training at once."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["clip_gradients"]


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale all gradients in place so that their common Euclidean norm is at most `max_norm`.

    Torch's own `clip_grad_norm_` fails on the sparse gradients of `nn.Embedding(sparse=True)`. Here a sparse gradient
    is coalesced first (the rows of an index that occurs twice add up) and then counts with the values it stores.

    Args:
        parameters: those without a gradient are passed over.
        max_norm: above 0.

    Returns:
        The norm before clipping, a scalar on the first gradient's device.
    """
    values = [_values(parameter) for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(values)
    factor = torch.clamp(max_norm / (norm + 1e-6), max=1.0)  # the constant of clip_grad_norm_
    for value in values:
        value.mul_(factor.to(value.device))
    return norm


def _values(parameter: nn.Parameter) -> Tensor:
    """The memory that holds the gradient's numbers."""
    assert parameter.grad is not None
    if not parameter.grad.is_sparse:
        return parameter.grad
    parameter.grad = parameter.grad.coalesce()
    return parameter.grad.values()
