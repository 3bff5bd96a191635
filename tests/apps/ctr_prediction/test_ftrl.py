"""FTRL-Proximal against the algorithm as it is printed, and against Adagrad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ctr_prediction.optimisers.ftrl import FTRL
from apps.ctr_prediction.optimisers.rowwise import share_nonzero
from shared.errors import ConfigError
from tests.apps.ctr_prediction.optimiser_paths import DIM, ROWS, Array, gradients, interrupted, run, start


def as_printed(
    given: Sequence[Array], lr: float, beta: float, l1: float, l2: float, spare_start: bool = True
) -> list[Array]:
    """McMahan et al. 2013, Algorithm 1, with z kept and started so that the first weights are the network's own.

    With `spare_start` false l1 counts against the first weights as it does against all later ones.
    """
    w = start().numpy().copy()
    n = np.zeros_like(w)
    strength = beta / lr + l2
    z = -w * strength - np.sign(w) * l1 * spare_start
    w = -np.where(np.abs(z) <= l1, 0.0, z - np.sign(z) * l1) / strength
    path = []
    for g in given:
        sigma = (np.sqrt(n + g**2) - np.sqrt(n)) / lr
        z += g - sigma * w
        n += g**2
        shrunk = np.where(np.abs(z) <= l1, 0.0, z - np.sign(z) * l1)
        w = -shrunk / ((beta + np.sqrt(n)) / lr + l2)
        path.append(w.copy())
    return path


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    ("lr", "beta", "l1", "l2"),
    [(0.05, 1.0, 0.0, 0.0), (0.1, 1.0, 1.0, 0.0), (0.05, 0.5, 0.3, 2.0), (1.0, 1e-3, 5.0, 0.0), (0.1, 1.0, 0.0, 3.0)],
)
def test_it_is_the_algorithm_as_printed(lr: float, beta: float, l1: float, l2: float, sparse: bool) -> None:
    given_ = gradients(200, share_of_rows=0.5)
    found = run(FTRL, given_, sparse=sparse, lr=lr, beta=beta, l1=l1, l2=l2)
    np.testing.assert_allclose(found, as_printed(given_, lr, beta, l1, l2), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("l2", [0.0, 2.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_start_that_is_not_spared_is_the_algorithm_too(sparse: bool, l2: float) -> None:
    settings_ = {"lr": 0.1, "beta": 0.5, "l1": 1.5, "l2": l2, "spare_start": False}
    given_ = gradients(200, share_of_rows=0.5)
    found, expected = run(FTRL, given_, sparse=sparse, **settings_), as_printed(given_, **settings_)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert (found[0] == 0).mean() > 0.2 > (start().numpy() == 0).mean()
    assert [(w == 0).tolist() for w in found] == [(w == 0).tolist() for w in expected]


def test_zeros_are_exact_and_those_of_the_algorithm() -> None:
    given_ = gradients(200)
    found, expected = run(FTRL, given_, lr=0.1, l1=4.0), as_printed(given_, 0.1, 1.0, 4.0, 0.0)
    assert [(w == 0).tolist() for w in found] == [(w == 0).tolist() for w in expected]
    share = np.mean([(w == 0).mean() for w in found])
    assert 0.1 < share < 0.95


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("sparse", [False, True])
def test_without_l1_and_l2_it_is_adagrad(dtype: torch.dtype, tolerance: float, sparse: bool) -> None:
    given_ = gradients(200, share_of_rows=0.7)
    found = run(FTRL, given_, sparse=sparse, dtype=dtype, lr=0.05, beta=1.0)
    adagrad = run(torch.optim.Adagrad, given_, dtype=dtype, lr=0.05, eps=1.0, initial_accumulator_value=0.0)
    np.testing.assert_allclose(found, adagrad, rtol=tolerance, atol=tolerance * 1e-3)


RATES = [0.1 * (1 + np.cos(np.pi * step / 150)) / 2 for step in range(150)]
"""A cosine from 0.1 to nearly 0."""


@pytest.mark.parametrize("rates", [None, RATES])
@pytest.mark.parametrize("l1", [0.0, 2.0])
def test_sparse_is_dense_whatever_the_schedule(l1: float, rates: list[float] | None) -> None:
    given_ = gradients(150, share_of_rows=0.3)
    dense, sparse = (run(FTRL, given_, sparse=s, rates=rates, lr=0.1, l1=l1, l2=0.5) for s in (False, True))
    np.testing.assert_allclose(sparse, dense, rtol=1e-10, atol=1e-13)


def test_a_rate_that_changes_moves_no_weight_and_frees_none() -> None:
    quiet = [np.zeros((ROWS, DIM))] * 3
    path = run(FTRL, gradients(60) + quiet, rates=[0.1] * 60 + [0.01, 1e-6, 5.0], lr=0.1, l1=4.0)
    assert (path[59] == 0).any()
    np.testing.assert_allclose(path[60:], [path[59]] * 3, rtol=1e-12, atol=0)


def test_a_decaying_rate_without_l1_is_adagrad_with_that_rate() -> None:
    given_ = gradients(150)
    found = run(FTRL, given_, rates=RATES, lr=0.1)
    adagrad = run(torch.optim.Adagrad, given_, rates=RATES, lr=0.1, eps=1.0)
    np.testing.assert_allclose(found, adagrad, rtol=1e-12)


def test_a_rate_of_zero_is_a_rest() -> None:
    path = run(FTRL, gradients(3), rates=[0.1, 0.0, 0.1], lr=0.1, l1=1.0)
    np.testing.assert_array_equal(path[0], path[1])
    assert np.isfinite(path[2]).all()


def test_the_first_weights_are_the_networks_own() -> None:
    nothing = [np.zeros((ROWS, DIM))]
    np.testing.assert_allclose(run(FTRL, nothing, lr=0.05, l1=1.0, l2=0.3)[0], start().numpy(), rtol=1e-14)


@settings(deadline=None, max_examples=30)
@given(
    lr=st.floats(1e-3, 1.0), beta=st.floats(1e-3, 3.0), l1=st.floats(0.0, 5.0), l2=st.floats(0.0, 5.0),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_any_setting_is_the_algorithm(lr: float, beta: float, l1: float, l2: float, seed: int) -> None:
    given_ = gradients(25, seed=seed)
    found, expected = run(FTRL, given_, lr=lr, beta=beta, l1=l1, l2=l2), as_printed(given_, lr, beta, l1, l2)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_state_goes_through_a_file_and_on_as_before(sparse: bool) -> None:
    given_ = gradients(20, share_of_rows=0.6)
    whole = run(FTRL, given_, sparse=sparse, lr=0.1, l1=0.5)[-1]
    np.testing.assert_array_equal(interrupted(FTRL, given_, sparse=sparse, lr=0.1, l1=0.5), whole)
    assert (whole == 0).any()


def test_each_group_has_its_own_settings() -> None:
    drawn, free = (torch.nn.Parameter(start()) for _ in range(2))
    made = FTRL([{"params": [drawn], "l1": 50.0}, {"params": [free], "lr": 0.5}], lr=0.01)
    for parameter in (drawn, free):
        parameter.grad = torch.ones(ROWS, DIM, dtype=torch.float64)
    made.step()
    assert share_nonzero([drawn]) == pytest.approx(share_nonzero([start()]))  # one step moves no weight across zero
    torch.testing.assert_close(free.detach(), start() - 0.5 / 2)
    with pytest.raises(ConfigError, match="FTRL beta must be above 0; found 0"):
        FTRL([{"params": [drawn], "beta": 0.0}])


def test_a_scalar_and_a_parameter_without_gradient_are_fine() -> None:
    scalar, unused = torch.nn.Parameter(torch.tensor(1.0)), torch.nn.Parameter(torch.ones(2))
    made = FTRL([scalar, unused], lr=0.1)
    scalar.grad = torch.tensor(2.0)
    assert made.step(lambda: 7.0) == 7.0
    assert scalar.item() == pytest.approx(1 - 0.1 * 2 / 3)
    assert torch.equal(unused.detach(), torch.ones(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": 0.0}, "FTRL lr must be above 0; found 0"),
        ({"beta": -1.0}, "FTRL beta must be above 0; found -1"),
        ({"l1": -0.1}, "FTRL l1 must be 0 or more; found -0.1"),
        ({"l2": float("nan")}, "FTRL l2 must be 0 or more; found nan"),
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FTRL([torch.nn.Parameter(start())], **arguments)


def test_shares_of_zeros() -> None:
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [2.0, 3.0]])
    assert share_nonzero([table, torch.ones(2)]) == 0.5
    assert np.isnan(share_nonzero([]))
