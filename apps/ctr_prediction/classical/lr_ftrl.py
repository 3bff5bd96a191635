"""Logistic regression by FTRL-Proximal: the model that learns from an endless log, one small batch after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit

__all__ = ["STATE", "Coordinates", "FtrlLogistic", "FtrlRates"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STATE = pa.schema([("part", pa.string()), ("place", pa.int64()), ("z", pa.float64()), ("n", pa.float64())])
"""Columns of `FtrlLogistic.state`: "ids" or "numbers", the place among those, and the two sums of FTRL."""


@dataclass(frozen=True, kw_only=True)
class FtrlRates:
    """The four numbers of FTRL-Proximal and the rows whose gradients are summed before a step."""

    alpha: float = 0.1
    beta: float = 1.0
    l1: float = 0.5
    l2: float = 1.0
    batch_rows: int = 64


class Coordinates:
    """Weights under per-coordinate FTRL-Proximal (McMahan et al., KDD 2013, Algorithm 1).

    With g the gradient of the loss summed over the batch: s = (sqrt(n + g^2) - sqrt(n)) / alpha, z += g - s w,
    n += g^2; w = 0 where |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2).

    Args:
        size: number of weights, all 0 at the start.
        rates: of the steps.
    """

    def __init__(self, size: int, rates: FtrlRates) -> None:
        self.z, self.n, self.w = (np.zeros(size) for _ in range(3))
        self._rates = rates

    def step(self, at: IntArray | slice, gradient: FloatArray) -> None:
        """Learn from one batch.

        Args:
            at: the weights touched. One that is named twice must have its whole gradient at both places.
            gradient: of each of them.
        """
        before = self.n[at]
        n = before + gradient * gradient
        root = np.sqrt(n)
        z = self.z[at] + gradient - (root - np.sqrt(before)) / self._rates.alpha * self.w[at]
        self.n[at], self.z[at], self.w[at] = n, z, self._weight(z, root)

    def restore(self, at: IntArray, z: FloatArray, n: FloatArray) -> None:
        """Set the sums of some weights, as they once were."""
        self.n[at], self.z[at], self.w[at] = n, z, self._weight(z, np.sqrt(n))

    def _weight(self, z: FloatArray, root: FloatArray) -> FloatArray:
        rates = self._rates
        shrunk = np.sign(z) * np.maximum(np.abs(z) - rates.l1, 0.0)
        return -shrunk / ((rates.beta + root) / rates.alpha + rates.l2)


class FtrlLogistic:
    """The weights of one logistic regression: one for each id, one for each number, and a bias.

    Args:
        n_ids: ids are 0 to n_ids - 1; 0 is padding and has no weight.
        n_numbers: numbers beside the ids. Their weights and the bias are few and are not shrunk (l1 = l2 = 0).
        rates: of FTRL-Proximal.
    """

    def __init__(self, n_ids: int, n_numbers: int, rates: FtrlRates) -> None:
        self.rates = rates
        self.ids = Coordinates(n_ids, rates)
        self.numbers = Coordinates(n_numbers + 1, replace(rates, l1=0.0, l2=0.0))
        """The last one is the bias."""
        self._gradient = np.zeros(n_ids)

    def logit(self, ids: IntArray, numbers: FloatArray) -> FloatArray:
        """(n,) logit of a click for ids (n, T), padded with 0, and numbers (n, D)."""
        logit: FloatArray = self.ids.w[ids].sum(axis=1) + numbers @ self.numbers.w[:-1] + self.numbers.w[-1]
        return logit

    def learn(self, ids: IntArray, numbers: FloatArray, clicks: FloatArray) -> None:
        """One pass over the rows in their order, `batch_rows` at a time; may be called for ever.

        Args:
            ids: (n, T), padded with 0.
            numbers: (n, D).
            clicks: (n,) 0 or 1.
        """
        for start in range(0, len(clicks), self.rates.batch_rows):
            rows = slice(start, start + self.rates.batch_rows)
            self._step(ids[rows], numbers[rows], clicks[rows])

    def _step(self, ids: IntArray, numbers: FloatArray, clicks: FloatArray) -> None:
        """Sum the gradient of every id in place; ids that occur twice in the batch are not sorted out: see `step`."""
        of_row = expit(self.logit(ids, numbers)) - clicks
        touched = ids.ravel()
        self._gradient[touched] = 0.0
        np.add.at(self._gradient, touched, np.repeat(of_row, ids.shape[1]))
        self._gradient[0] = 0.0
        self.ids.step(touched, self._gradient[touched])
        self.numbers.step(slice(None), np.append(of_row @ numbers, of_row.sum()))

    def state(self) -> pa.Table:
        """What was learnt, in the columns of `STATE`: of the weights that were ever touched."""
        parts = []
        for part, weights in self._parts().items():
            place = np.flatnonzero(weights.n)
            parts.append(pa.table([[part] * len(place), place, weights.z[place], weights.n[place]], schema=STATE))
        return pa.concat_tables(parts)

    def restore(self, state: pa.Table) -> None:
        """Take what `state` gave."""
        for part, weights in self._parts().items():
            rows = state.filter(pc.equal(state["part"], part))
            weights.restore(*(rows[name].to_numpy() for name in ("place", "z", "n")))

    def _parts(self) -> dict[str, Coordinates]:
        return {"ids": self.ids, "numbers": self.numbers}
