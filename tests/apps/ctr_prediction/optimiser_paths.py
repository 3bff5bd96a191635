"""Gradients as two optimisers may meet them, dense and sparse, and the weights along the way."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ROWS, DIM = 7, 4
Array = npt.NDArray[np.float64]


def start(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    weight = 0.05 * torch.randn(ROWS, DIM, generator=generator, dtype=torch.float64)
    weight[2] = 0.0
    return weight.to(dtype)


def gradients(steps: int, share_of_rows: float = 1.0, seed: int = 0) -> list[Array]:
    """Gradients that pull towards different sides for a while; rows that a step leaves out are zero."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(size=(ROWS, DIM))
    touched = rng.random((steps, ROWS, 1)) < share_of_rows
    return list(touched * (rng.normal(size=(steps, ROWS, DIM)) + drift * np.sin(np.arange(steps) / 9)[:, None, None]))


def run(
    optimizer: Callable[..., torch.optim.Optimizer],
    given: Sequence[Array],
    *,
    sparse: bool = False,
    dtype: torch.dtype = torch.float64,
    rates: Sequence[float] | None = None,
    **arguments: Any,
) -> list[Array]:
    """The weights after each step."""
    weight = torch.nn.Parameter(start(dtype))
    made = optimizer([weight], **arguments)
    path = []
    for step, gradient in enumerate(given):
        if rates is not None:
            made.param_groups[0]["lr"] = rates[step]
        weight.grad = as_gradient(gradient, dtype, sparse=sparse)
        made.step()
        path.append(weight.detach().double().numpy().copy())
    return path


def as_gradient(gradient: Array, dtype: torch.dtype, *, sparse: bool) -> Tensor:
    """Dense, or sparse with its rows in disorder and one of them in two halves."""
    dense = torch.from_numpy(gradient).to(dtype)
    if not sparse:
        return dense
    rows = torch.flip(dense.abs().sum(dim=1).nonzero().squeeze(1), dims=[0])
    values = dense[rows]
    if len(rows):
        values[0] /= 2
        rows, values = torch.cat([rows, rows[:1]]), torch.cat([values, values[:1]])
    with torch.sparse.check_sparse_tensor_invariants():
        return torch.sparse_coo_tensor(rows.unsqueeze(0), values, dense.shape)


def interrupted(
    optimizer: Callable[..., torch.optim.Optimizer], given: Sequence[Array], *, sparse: bool, **arguments: Any
) -> Array:
    """The last weights where another optimiser, made with the same settings, takes over the state half way."""
    weight = torch.nn.Parameter(start())
    made = optimizer([weight], **arguments)
    for step, gradient in enumerate(given):
        if step == len(given) // 2:
            file = io.BytesIO()
            torch.save(made.state_dict(), file)
            file.seek(0)
            weight = torch.nn.Parameter(weight.detach().clone())
            made = optimizer([weight], **arguments)
            made.load_state_dict(torch.load(file, weights_only=True))
        weight.grad = as_gradient(gradient, torch.float64, sparse=sparse)
        made.step()
    return weight.detach().numpy()
