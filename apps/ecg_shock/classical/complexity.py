"""How disorderly a window is: phase-space box counts, Lempel-Ziv complexity, sample entropy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import signal

from apps.ecg_shock.classical.measure import Scale, Window, measure
from apps.ecg_shock.data import SAMPLING_RATE

__all__ = ["hilbert_boxes", "lempel_ziv_complexity", "phase_space_boxes", "sample_entropy"]

GRID = 40
ONE_BOX = 1 / GRID**2
DELAY = round(0.5 * SAMPLING_RATE)
TEMPLATE = 2
TOLERANCE = 0.2


def _visited_share(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Share of the boxes of a 40 x 40 grid, laid over the range of each axis, that hold a point (x, y)."""
    column, row = (_boxes(axis) for axis in (x, y))
    return np.count_nonzero(np.bincount(GRID * row + column)) / GRID**2


def _boxes(axis: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The number 0..39 of the equal interval of the axis' range that each value lies in."""
    low = axis.min()
    width = max(axis.max() - low, np.finfo(np.float64).tiny)
    return np.minimum((axis - low) / width * GRID, GRID - 1).astype(np.intp)


@measure(Scale("psr", "1", ONE_BOX, 1.0, flat=ONE_BOX))
def phase_space_boxes(window: Window) -> tuple[float]:
    """PSR: share of the boxes of the phase space (x(t), x(t + 0.5 s)) that the signal visits.

    Amann, Tratnig, Unterkofler, IEEE Trans Biomed Eng 54(1):174-177, 2007: 40 x 40 boxes. A longer window visits more:
    values of different window lengths are not comparable.
    """
    return (_visited_share(window[:-DELAY], window[DELAY:]),)


@measure(Scale("hilb", "1", ONE_BOX, 1.0, flat=ONE_BOX))
def hilbert_boxes(window: Window) -> tuple[float]:
    """HILB: share of the boxes that the signal and its Hilbert transform visit together.

    Amann, Tratnig, Unterkofler, Computers in Cardiology 32:559-562, 2005: 40 x 40 boxes. A longer window visits more:
    values of different window lengths are not comparable.
    """
    return (_visited_share(window, signal.hilbert(window - window.mean()).imag),)


@measure(Scale("lempel_ziv", "1", 0.0, math.inf, flat=0.0))
def lempel_ziv_complexity(window: Window) -> tuple[float]:
    """Lempel-Ziv complexity of the signal turned into zeros and ones, normalised: near 1 for coin flips.

    Zhang, Zhu, Thakor, Wang, IEEE Trans Biomed Eng 46(5):548-555, 1999: c(n) log2(n) / n with c the number of new words
    from left to right (Lempel, Ziv, IEEE Trans Inf Theory 22:75-81, 1976). The threshold is the mean where fewer than
    40 % of the samples are small (within 10 % of the highest or the lowest value), otherwise 20 % of the extreme on the
    side with fewer small samples.
    """
    centred = window - window.mean()
    highest, lowest = centred.max(), centred.min()
    small_above = np.count_nonzero((centred > 0) & (centred < 0.1 * highest))
    small_below = np.count_nonzero((centred < 0) & (centred > 0.1 * lowest))
    if small_above + small_below < 0.4 * len(centred):
        threshold = 0.0
    else:
        threshold = 0.2 * (highest if small_above < small_below else lowest)
    bits = (centred > threshold).tobytes()
    return (_words(bits) * math.log2(len(bits)) / len(bits),)


def _words(sequence: bytes) -> int:
    """Number of words in the exhaustive history of Lempel and Ziv 1976: each is the shortest not seen before."""
    count, begin = 0, 0
    while begin < len(sequence):
        length, seen = 1, 0
        while begin + length <= len(sequence):
            seen = sequence.find(sequence[begin : begin + length], seen, begin + length - 1)
            if seen < 0:
                break
            length += 1
        count += 1
        begin += length
    return count


@measure(Scale("sample_entropy", "nat", 0.0, math.inf, flat=0.0))
def sample_entropy(window: Window) -> tuple[float]:
    """Sample entropy for templates of 2 samples and a tolerance of 0.2 standard deviations.

    Richman, Moorman, Am J Physiol Heart Circ Physiol 278:H2039-H2049, 2000: -ln(A / B), where B pairs of templates of
    2 samples agree and A of them also in the next sample; a count of zero is taken as one. Which samples agree is one
    boolean matrix, and templates are its shifted copies: ten times faster than distances between templates.
    """
    values = (window - window.mean()).astype(np.float32)
    distance = values[:, None] - values
    np.abs(distance, out=distance)
    near = distance <= np.float32(TOLERANCE * window.std())
    templates = len(window) - TEMPLATE
    shorter = near[:templates, :templates] & near[1:-1, 1:-1]
    longer = shorter & near[TEMPLATE:, TEMPLATE:]
    agree, still_agree = ((int(np.count_nonzero(pairs)) - templates) // 2 for pairs in (shorter, longer))
    return (math.log(max(agree, 1) / max(still_agree, 1)),)
