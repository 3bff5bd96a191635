"""Frangi's, Sato's and Jerman's line filters for bright vessels, over several scales.

All take the eigenvalues of the Hessian at one scale, descending. A bright line has one near 0 and two far below; a
bright sheet one, a bright ball three. They are multiplied by scale^1.5 in mm (Lindeberg 1998, doi
10.1023/A:1008097225773, gamma = 3/4 for ridges), so their unit is HU / mm^0.5, about HU for vessels of 1 mm: with
scale^2 the coarse scales would answer well beyond the wall of a vessel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from apps.pulmonary_vessel.vesselness.hessian import chunks, eigenvalues_at, smoothed
from apps.pulmonary_vessel.vesselness.lung_field import LungField

__all__ = ["SCALES_MM", "Frangi", "Jerman", "LineFilter", "Sato", "scaled_eigenvalues", "vesselness"]

FloatArray = npt.NDArray[np.float32]

SCALES_MM = (0.6, 0.9, 1.4, 2.1, 3.2)
"""Standard deviations of the smoothing: of vessels of about 0.5 to 5 mm radius."""
RIDGE_POWER = 1.5
_SMALLEST = np.float32(1e-6)


class LineFilter(Protocol):
    """How much a voxel looks like a line at one scale."""

    def __call__(self, eigenvalues: FloatArray, strongest: float) -> FloatArray:
        """The response.

        Args:
            eigenvalues: (3, n) in HU / mm^0.5, descending.
            strongest: the largest -lambda3 of all lung voxels at this scale, in the same unit.

        Returns:
            (n,) float32, 0 where there is no bright line.
        """
        ...


@dataclass(frozen=True)
class Sato:
    """-lambda2: a line counts by the weaker of its two curvatures, a sheet not at all.

    Sato et al. 1998, doi 10.1016/S1361-8415(98)80009-1, without the weight of lambda1, which would open gaps where
    vessels branch.
    """

    def __call__(self, eigenvalues: FloatArray, strongest: float) -> FloatArray:
        """See `LineFilter`."""
        return np.maximum(-eigenvalues[1], np.float32(0))


@dataclass(frozen=True)
class Frangi:
    """Frangi et al. 1998, doi 10.1007/BFb0056195, equation 13: 0 to 1."""

    alpha: float = 0.5
    """Sensitivity to sheets."""
    beta: float = 0.5
    """Sensitivity to balls."""
    structure: float = 200.0
    """Norm of the Hessian, in HU / mm^0.5, from which something is there rather than noise."""

    def __call__(self, eigenvalues: FloatArray, strongest: float) -> FloatArray:
        """See `LineFilter`."""
        first, second, third = _by_magnitude(eigenvalues)
        weaker, stronger = np.maximum(-second, _SMALLEST), np.maximum(-third, _SMALLEST)
        sheet = (weaker / stronger) ** 2
        ball = first * first / (weaker * stronger)
        energy = first * first + second * second + third * third
        response = -np.expm1(sheet * np.float32(-0.5 / self.alpha**2))
        response *= np.exp(ball * np.float32(-0.5 / self.beta**2))
        response *= -np.expm1(energy * np.float32(-0.5 / self.structure**2))
        response[(second >= 0) | (third >= 0)] = 0
        return response


@dataclass(frozen=True)
class Jerman:
    """Jerman et al. 2016, doi 10.1109/TMI.2016.2550102, equations 13 to 15: 0 to 1, the same for thick and thin."""

    tau: float = 0.75
    """Share of the strongest lambda3 up to which weaker ones are raised to it."""

    def __call__(self, eigenvalues: FloatArray, strongest: float) -> FloatArray:
        """See `LineFilter`."""
        _, second, third = -_by_magnitude(eigenvalues)
        floor = np.float32(max(self.tau * strongest, float(_SMALLEST)))
        raised = np.where(third > 0, np.maximum(third, floor), np.float32(0))
        line = (second > 0) & (raised > 0)
        weaker = np.maximum(second, _SMALLEST)
        response = weaker * weaker * (raised - weaker) * (3 / (weaker + np.maximum(raised, _SMALLEST))) ** 3
        response[weaker >= raised / 2] = 1
        response[~line] = 0
        return response


def _by_magnitude(eigenvalues: FloatArray) -> FloatArray:
    """(3, n) the same, ascending by magnitude: the middle one of three sorted numbers is never the largest."""
    first, middle, last = eigenvalues
    swap = np.abs(first) > np.abs(last)
    smaller, larger = np.where(swap, last, first), np.where(swap, first, last)
    swap = np.abs(middle) < np.abs(smaller)
    return np.stack([np.where(swap, middle, smaller), np.where(swap, smaller, middle), larger])


def scaled_eigenvalues(field: LungField, scale_mm: float) -> FloatArray:
    """(3, n) eigenvalues of the Hessian at the lung voxels, descending, in HU / mm^0.5."""
    found = eigenvalues_at(smoothed(field.hu, field.spacing, scale_mm), field.spacing, field.inside)
    found *= np.float32(scale_mm**RIDGE_POWER)
    return found


def vesselness(field: LungField, line_filter: LineFilter, scales_mm: Sequence[float] = SCALES_MM) -> FloatArray:
    """The strongest response of any scale at each lung voxel.

    Args:
        field: the lung.
        line_filter: `Sato()`, `Frangi()`, `Jerman()`.
        scales_mm: standard deviations of the smoothing in mm; a line answers best to about its radius / 1.4.

    Returns:
        (n,) float32 in the order of `field.inside`; `field.on_scan` puts it on the grid of the scan.
    """
    best = np.zeros(len(field.inside), np.float32)
    for scale_mm in scales_mm:
        found = scaled_eigenvalues(field, scale_mm)
        strongest = -float(found[2].min())
        for place, _ in chunks(field.inside):
            np.maximum(best[place], line_filter(found[:, place], strongest), out=best[place])
    return best
