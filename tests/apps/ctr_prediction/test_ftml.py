"""FTML against the algorithm as it is printed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from apps.ctr_prediction.optimisers.ftml import FTML
from shared.errors import ConfigError
from tests.apps.ctr_prediction.optimiser_paths import Array, gradients, interrupted, run, start


def as_printed(given: Sequence[Array], rates: Sequence[float], b1: float = 0.6, b2: float = 0.999) -> list[Array]:
    """Zheng and Kwok 2017, Algorithm 1, with d and z kept."""
    w = start().numpy().copy()
    v, d, z = (np.zeros_like(w) for _ in range(3))
    path = []
    for t, (g, rate) in enumerate(zip(given, rates, strict=True), start=1):
        v = b2 * v + (1 - b2) * g**2
        grown = (1 - b1**t) / rate * (np.sqrt(v / (1 - b2**t)) + 1e-8)
        z = b1 * z + (1 - b1) * g - (grown - b1 * d) * w
        d = grown
        w = -z / d
        path.append(w.copy())
    return path


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rates", [[0.01] * 200, list(np.linspace(0.02, 1e-4, 200))])
def test_it_is_the_algorithm_as_printed(rates: list[float], sparse: bool) -> None:
    given = gradients(200)
    found = run(FTML, given, sparse=sparse, rates=rates)
    np.testing.assert_allclose(found, as_printed(given, rates), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("b1", "b2"), [(0.0, 0.9), (0.9, 0.99)])
def test_both_decays_count(b1: float, b2: float) -> None:
    given = gradients(50)
    np.testing.assert_allclose(
        run(FTML, given, lr=0.01, b1=b1, b2=b2), as_printed(given, [0.01] * 50, b1, b2), rtol=1e-9, atol=1e-12
    )


def test_a_row_makes_the_steps_it_is_named_for() -> None:
    given = gradients(60, share_of_rows=0.4)
    found = run(FTML, given, sparse=True, lr=0.01)[-1]
    for row in range(len(found)):
        own = [gradient for gradient in given if gradient[row].any()]
        np.testing.assert_allclose(found[row], run(FTML, own, lr=0.01)[-1][row], rtol=1e-10)


def test_float32_is_close() -> None:
    given = gradients(200)
    single, double = (run(FTML, given, dtype=dtype, lr=0.01)[-1] for dtype in (torch.float32, torch.float64))
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-6)


def test_the_state_goes_through_a_file_and_on_as_before() -> None:
    given = gradients(20, share_of_rows=0.6)
    whole = run(FTML, given, sparse=True, lr=0.01)[-1]
    np.testing.assert_array_equal(interrupted(FTML, given, sparse=True, lr=0.01), whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1.0}, "FTML lr must be above 0; found -1"),
        ({"b1": 1.0}, "FTML b1 must be 0 or more and below 1; found 1"),
        ({"b2": -0.1}, "FTML b2 must be 0 or more and below 1; found -0.1"),
        ({"eps": 0.0}, "FTML eps must be above 0; found 0"),
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FTML([torch.nn.Parameter(start())], **arguments)
