"""Line filters on a made lung: the float32 filters of pulmonary_vessel against scikit-image's, in one process.

    python -m benchmarks.pulmonary_vesselness [--side 96]

Both search a volume of noise and tubes at the same scales, on one thread. Ours look at the lung voxels only; once the
lung is half of the volume, once all of it. Memory is the largest sum of NumPy arrays that a call holds at once. Every
competitor runs in every round, so that a slower moment of the machine hits all; the medians are printed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its pools

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from skimage.filters import frangi, sato

from apps.pulmonary_vessel.vesselness.filters import SCALES_MM, Frangi, Jerman, LineFilter, Sato, vesselness
from apps.pulmonary_vessel.vesselness.lung_field import LungField

ROUNDS = 3
SPACING = (0.75, 0.75, 0.75)
"""Cubes, because scikit-image's filters know no spacing."""
THEIRS = "scikit-image"

Competitor = Callable[[], object]


def made_lung(side: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Parenchyma with noise and straight vessels, and a ball of half the volume as the lung."""
    rng = np.random.default_rng(0)
    z, y, x = np.indices((side,) * 3)
    hu = rng.normal(-860, 30, (side,) * 3)
    for radius in (0.8, 1.2, 2.0, 3.0):
        for _ in range(5):
            middle = rng.uniform(0, side, 2)
            hu[np.hypot(y - middle[0] - 0.2 * z, x - middle[1]) < radius] += 900
    half = (z - side / 2) ** 2 + (y - side / 2) ** 2 + (x - side / 2) ** 2 < (0.492 * side) ** 2
    return hu.astype(np.int16), half


def contestants(side: int) -> dict[tuple[str, str], Competitor]:
    """(filter, whose) -> one call."""
    hu, lung = made_lung(side)
    grey, sigmas = hu.astype(np.float32), tuple(scale / SPACING[0] for scale in SCALES_MM)

    def ours(line_filter: LineFilter, mask: npt.NDArray[np.bool_]) -> Competitor:
        return lambda: vesselness(LungField.cut(hu, SPACING, mask), line_filter)

    filters: dict[str, LineFilter] = {"Frangi": Frangi(), "Sato": Sato(), "Jerman": Jerman()}
    found: dict[tuple[str, str], Competitor] = {}
    for name, line_filter in filters.items():
        found[name, "ours, half is lung"] = ours(line_filter, lung)
        found[name, "ours, all is lung"] = ours(line_filter, np.ones_like(lung))
    found["Frangi", THEIRS] = lambda: frangi(grey, sigmas=sigmas, black_ridges=False)
    found["Sato", THEIRS] = lambda: sato(grey, sigmas=sigmas, black_ridges=False)
    return found


def seconds(competitors: dict[tuple[str, str], Competitor]) -> dict[tuple[str, str], float]:
    """Median time of a call of each, over rounds in which they take turns."""
    times: dict[tuple[str, str], list[float]] = {key: [] for key in competitors}
    for _ in range(ROUNDS):
        for key, call in competitors.items():
            began = time.perf_counter()
            call()
            times[key].append(time.perf_counter() - began)
    return {key: statistics.median(found) for key, found in times.items()}


def megabytes(call: Competitor) -> float:
    """Peak of what a call allocates."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="float32 line filters against scikit-image's")
    parser.add_argument("--side", type=int, default=96, help="voxels along each side of the volume")
    side = parser.parse_args().side
    competitors = contestants(side)
    time_of = seconds(competitors)
    table = Table(
        title=f"{side}^3 voxels of {SPACING[0]} mm, {len(SCALES_MM)} scales, one thread; against scikit-image"
    )
    for heading in ("", "", "s", "MB", "times as fast"):
        table.add_column(heading, justify="right" if heading else "left")
    for (name, who), taken in time_of.items():
        peer = time_of.get((name, THEIRS))
        ratio = "" if peer is None or who == THEIRS else f"{peer / taken:.1f}"
        table.add_row(name, who, f"{taken:.2f}", f"{megabytes(competitors[name, who]):.0f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    main()
