"""What the contract suite must know of an app, and the made-up inputs that apps share.

A new app's case is a module `tests.apps.NAME.contract_case` with a few lines:

    CASE = ContractCase(
        make_data=synth.prepare,
        smoke=("--config", "smoke"),
        inputs=lambda: [np.random.default_rng(n).normal(size=500) for n in range(3)],
        broken=calls(broken_arrays((500,))),
        odd=calls(odd_arrays((500,))),
    )
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from shared.contract import App, discover, load

__all__ = ["APPS", "Call", "ContractCase", "broken_arrays", "calls", "case_of", "odd_arrays"]

Call = tuple[Any, Mapping[str, Any]]
"""One input of `predict` with its keywords."""

APPS: Mapping[str, App] = {**discover("apps"), **discover("tests.toys")}
"""Every app the suite runs on."""


@dataclass(frozen=True, kw_only=True)
class ContractCase:
    """One app's share of the contract suite."""

    make_data: Callable[[Path], None]
    """Writes a small made-up prepared set into a folder that does not exist yet."""
    smoke: tuple[str, ...] = ()
    """Flags with which a training takes a second; two epochs at least."""
    inputs: Callable[[], Sequence[Any]]
    """Valid inputs of `predict`, of different sizes where the app allows them: arrays or mappings."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """What `predict` needs beside them; the predict verb has flags of the same names."""
    broken: SearchStrategy[Call]
    """Inputs that are none in form: InputError must name what is wrong."""
    odd: SearchStrategy[Call]
    """Inputs in form whose content makes no sense: status "undecided", or at least a finite answer."""
    by_heart: tuple[str, ...] = ()
    """Flags beside `smoke` with which the network can learn one batch by heart: no dropout, more width."""


def case_of(app: App) -> ContractCase:
    """The case of an app: beside a toy, and for a real app below tests/apps."""
    home = app.package if app.package.startswith("tests.") else f"tests.{app.package}"
    return load(f"{home}.contract_case:CASE")


def calls(inputs: SearchStrategy[Any], **keywords: Any) -> SearchStrategy[Call]:
    """Each input with the same keywords."""
    return st.tuples(inputs, st.just(keywords))


def broken_arrays(shape: tuple[int, ...]) -> SearchStrategy[Any]:
    """What is no array of finite real numbers with as many axes as the valid `shape`."""
    axes = len(shape)
    other_axes = st.integers(0, 5).filter(lambda n: n != axes).map(lambda n: np.ones((3,) * n))
    empty = st.integers(0, axes - 1).map(lambda axis: np.ones((*shape[:axis], 0, *shape[axis + 1 :])))
    kinds = st.sampled_from([bool, complex, object, "U4", "S4", "datetime64[s]"])
    things = st.sampled_from(
        [None, object(), {"a": 1}, b"bytes", "no such file.npy", Path("no such file.npy"), "", 3.5]
    )
    ragged = st.just([[1.0], [1.0, 2.0]])
    return st.one_of(
        other_axes, empty, kinds.map(lambda kind: np.zeros(shape).astype(kind)), _not_finite(shape), things, ragged
    )


def _not_finite(shape: tuple[int, ...]) -> SearchStrategy[npt.NDArray[np.float64]]:
    """Noise with one value that is NaN or infinite."""
    last = int(np.prod(shape)) - 1
    places = st.sampled_from([0, last // 2, last])
    return st.builds(_with_value, st.just(shape), places, st.sampled_from([np.nan, np.inf, -np.inf]))


def _with_value(shape: tuple[int, ...], place: int, value: float) -> npt.NDArray[np.float64]:
    noise = np.random.default_rng(0).normal(size=shape)
    noise.flat[place] = value
    return noise


def odd_arrays(shape: tuple[int, ...]) -> SearchStrategy[npt.NDArray[Any]]:
    """Arrays of the right form that nobody measured: flat, tiny, huge, clipped, one spike, full-scale integers."""
    levels = st.floats(-1e9, 1e9, allow_subnormal=False, width=32)
    flat = levels.map(lambda level: np.full(shape, level, dtype=np.float32))
    noise = st.builds(
        lambda seed, power: np.random.default_rng(seed).normal(size=shape) * 10.0**power,
        st.integers(0, 1000),
        st.integers(-12, 12),
    )
    clipped = noise.map(lambda signal: np.sign(signal) * np.abs(signal).max())
    spike = st.builds(
        lambda place, level: np.where(np.arange(np.prod(shape)).reshape(shape) == place, level, 0.0),
        st.integers(0, int(np.prod(shape)) - 1),
        levels,
    )
    integers = st.sampled_from([np.int16, np.uint8, np.int64]).map(
        lambda kind: np.where(np.random.default_rng(0).random(shape) < 0.5, 0, np.iinfo(kind).max).astype(kind)
    )
    return st.one_of(flat, noise, clipped, spike, integers)
