"""Lung CT phantoms beside real anatomies: how their vessel trees fill the lung, as a table and a plot.

    python -m benchmarks.pulmonary_phantom_check DIR --phantoms 12 --out check.png

DIR holds masks of real lungs (.nii.gz, values 1 lung, 2 vessel, 3 airway, 4 fissure, 5 nodule, 11..15 lobes). They are
only measured: nothing of them enters a phantom. Real masks differ more from each other than phantoms do: some hold
large vessels only, one runs to the pleura.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from data_prep.lung_phantom.anatomy import DEPTH_EDGES_MM, RADIUS_EDGES_MM, TreeStatistics, measured
from data_prep.lung_phantom.phantom import LABELS
from data_prep.synth.pulmonary_vessel import phantom_of
from shared.atomic import atomic_path
from shared.errors import InputError

_LUNG = (1, 4, 5, 11, 12, 13, 14, 15)
_VESSEL = 2
_CLOSING_MM = 7.0
_CLOSING_STEP_MM = 1.6

Mask = npt.NDArray[np.bool_]


def real_trees(folder: Path) -> Iterator[tuple[str, TreeStatistics]]:
    """Statistics of every mask in a folder.

    Raises:
        InputError: there is none.
    """
    paths = sorted(folder.glob("*.nii.gz"))
    if not paths:
        raise InputError(f"{folder} holds no masks (.nii.gz).")
    for path in paths:
        image = SimpleITK.ReadImage(str(path))
        x, y, z = image.GetSpacing()
        labels, spacing = SimpleITK.GetArrayFromImage(image), (z, y, x)
        vessel = labels == _VESSEL
        yield path.name.removesuffix(".nii.gz"), measured(vessel, closed(np.isin(labels, _LUNG), spacing), spacing)


def closed(lung: Mask, spacing: tuple[float, float, float]) -> Mask:
    """A lung field with its vessels: the closing of one that lacks them, on a coarser grid."""
    steps = [max(1, round(_CLOSING_STEP_MM / s)) for s in spacing]
    coarse = np.pad(lung[:: steps[0], :: steps[1], :: steps[2]], 8)
    sampling = [n * s for n, s in zip(steps, spacing, strict=True)]
    grown = ndimage.distance_transform_edt(~coarse, sampling=sampling) <= _CLOSING_MM
    field = (ndimage.distance_transform_edt(grown, sampling=sampling) > _CLOSING_MM)[8:-8, 8:-8, 8:-8]
    for axis, n in enumerate(steps):
        field = np.repeat(field, n, axis=axis)
    return field[: lung.shape[0], : lung.shape[1], : lung.shape[2]] | lung


def phantom_trees(count: int, first: int) -> Iterator[tuple[str, TreeStatistics]]:
    """Statistics of the phantoms first, first + 1, ..., and how long the slowest took."""
    seconds = []
    for number in range(first, first + count):
        start = time.process_time()
        phantom = phantom_of(number)
        seconds.append(1e6 * (time.process_time() - start) / phantom.ct.size)
        vessel = phantom.labels == LABELS["vessel"]
        yield f"phantom {number:05d}", measured(vessel, phantom.labels > 0, phantom.spacing)
    Console().print(f"{np.median(seconds):.2f} CPU seconds for a million voxels (slowest {max(seconds):.2f})")


def print_table(trees: Mapping[str, TreeStatistics]) -> None:
    """One row for each tree."""
    columns = list(next(iter(trees.values())).row())
    table = Table("tree", *columns, title="Vessels inside the lung; r: share of the length, d: share of the lung")
    for name, tree in trees.items():
        table.add_row(name, *(f"{value:.3f}" if value < 100 else f"{value:.0f}" for value in tree.row().values()))
    Console(width=250).print(table)


def draw(trees: Mapping[str, TreeStatistics], path: Path) -> None:
    """Radius histogram, vessel density by depth, and branching, phantoms grey and real masks in colour."""
    figure = Figure(figsize=(14, 4.5), layout="constrained")
    by_radius, by_depth, branching = figure.subplots(1, 3)
    for name, tree in trees.items():
        made = name.startswith("phantom")
        style: dict[str, Any] = {"color": "0.75", "zorder": 1} if made else {"label": name, "zorder": 2}
        _line(by_radius, RADIUS_EDGES_MM, tree.radius_shares, style)
        _line(by_depth, DEPTH_EDGES_MM, tree.depth_shares, style)
        branching.plot(tree.length_per_ml, tree.forks_per_ml, "o", **style)
    by_radius.set(xlabel="radius, mm (up to)", ylabel="share of the vessels' length", yscale="log", ylim=(1e-4, 1))
    by_depth.set(xlabel="depth below the pleura, mm (up to)", ylabel="share of the lung that is vessel", ylim=(0, None))
    branching.set(xlabel="length of vessels, mm / mL of lung", ylabel="forks / mL of lung", title="grey: phantoms")
    branching.legend(fontsize=8)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=130, format="png")


def _line(
    axes: Axes, edges: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], style: Mapping[str, Any]
) -> None:
    places = np.arange(len(shares))
    axes.plot(places, np.maximum(shares, 1e-6), marker=".", **style)
    axes.set_xticks(places, [f"{edge:g}" for edge in edges[1:]])


def main() -> None:
    """Print the table and write the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="masks of real lungs")
    parser.add_argument("--phantoms", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="number of the first phantom")
    parser.add_argument("--out", type=Path, default=Path("pulmonary_phantom_check.png"))
    order = parser.parse_args()
    trees = dict(real_trees(order.folder)) | dict(phantom_trees(order.phantoms, order.first))
    print_table(trees)
    draw(trees, order.out)


if __name__ == "__main__":
    main()
