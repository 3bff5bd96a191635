"""Where a mask is right and wrong, as a picture: what the papers on such methods call their defects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colors
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Patch

from apps.pulmonary_vessel.data import PreparedScan
from apps.pulmonary_vessel.measures.counts import KINDS, VESSEL
from apps.pulmonary_vessel.measures.grids import bounding_box
from shared.atomic import atomic_path
from shared.errors import InputError

__all__ = ["OUTCOMES", "error_figure", "outcomes", "picture_name", "write_error_picture", "write_panel"]

OUTCOMES = {
    "vessel, found": "#c9c9c9",
    "vessel, missed": "#3d8bd4",
    "no vessel, marked": "#f0b429",
    "airway, marked": "#d6336c",
}
"""Meaning of the codes 1, 2, 3, 4 and their colours, told apart in grey too."""
SLAB_MM, SLABS = 8.0, 3
"""Thickness and number of the slabs: through the whole lung a dense tree hides everything."""
_BLACK_HU, _WHITE_HU, _DIMMED = -1000.0, 200.0, 0.4
_DPI, _INCH = 110, 4.0
_PANEL_INCH = 7.0

Picture = npt.NDArray[np.float64]


def outcomes(mask: npt.NDArray[Any], labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Codes of `OUTCOMES` for each voxel, 0 where nothing is to be said or beyond the lung.

    Args:
        mask: (z, y, x) not 0 where vessel was said.
        labels: the same grid, codes.
    """
    marked, vessel = mask != 0, labels == VESSEL
    airway = (labels == KINDS["airway_lumen"]) | (labels == KINDS["airway_wall"])
    codes = np.zeros(labels.shape, dtype=np.uint8)
    codes[vessel] = np.where(marked[vessel], 1, 2)
    codes[marked & ~vessel & (labels > 0)] = 3
    codes[marked & airway] = 4
    return codes


def error_figure(scan: PreparedScan, mask: npt.NDArray[Any]) -> Figure:
    """Slabs from front to back as seen from the front, head up; what is wrong stands in front of what is right.

    Args:
        scan: with labels.
        mask: (z, y, x) on its grid, not 0 where vessel was said.
    """
    pictures = list(_slabs(scan, outcomes(mask, scan.labels)))
    height, width = (n * step for n, step in zip(pictures[0][1].shape[:2], scan.spacing[::2], strict=True))
    figure = Figure(
        figsize=(_INCH * len(pictures), _INCH * height / width + 0.9), facecolor="black", layout="constrained"
    )
    for axes, (depth, picture) in zip(np.ravel(figure.subplots(1, len(pictures))), pictures, strict=True):
        axes.imshow(picture, extent=(0, width, 0, height), interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{SLAB_MM:g} mm, {depth:.0f} mm from the front of the lung", color="white", fontsize=8)
    figure.suptitle(f"{scan.facts['item']} ({scan.facts['origin']})", color="white", fontsize=9)
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in OUTCOMES.items()],
        loc="outside lower center", ncols=4, fontsize=8, labelcolor="white", facecolor="black", edgecolor="none",
    )  # fmt: skip
    return figure


def _slabs(scan: PreparedScan, codes: npt.NDArray[np.uint8]) -> Iterator[tuple[float, Picture]]:
    """Depth in mm and colours (z, x, 3) of each slab: the codes over the highest HU, dimmed."""
    lung = bounding_box(scan.labels > 0)[1]
    step, length = scan.spacing[1], lung.stop - lung.start
    thick = max(1, round(SLAB_MM / step))
    palette = np.array([(0.0, 0.0, 0.0), *map(colors.to_rgb, OUTCOMES.values())])
    for number in range(SLABS):
        first = lung.start + max(0, round(length * (number + 0.5) / SLABS - thick / 2))
        slab = slice(first, first + thick)
        code = codes[:, slab].max(axis=1)[::-1]
        grey = (scan.hu[:, slab].max(axis=1)[::-1].astype(np.float64) - _BLACK_HU) / (_WHITE_HU - _BLACK_HU)
        shade = np.repeat(_DIMMED * np.clip(grey, 0, 1)[..., None], 3, axis=2)
        yield (first - lung.start) * step, np.where(code[..., None] > 0, palette[code], shade)


def write_error_picture(path: Path, scan: PreparedScan, mask: npt.NDArray[Any]) -> None:
    """Write the picture of a scan's mask as PNG, atomically; a phantom or rendering is called so."""
    figure = error_figure(scan, mask)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png", metadata={"Software": None})


def picture_name(item: str) -> str:
    """Name of the file that an item's picture has in the outputs of a run."""
    return f"{item.replace('/', '_').replace(' ', '_')}.png"


def write_panel(path: Path, pictures: Mapping[str, Path]) -> None:
    """Put pictures that `write_error_picture` wrote in one, two a row, each under its name.

    Raises:
        InputError: one is not there.
    """
    missing = [source for source in pictures.values() if not source.is_file()]
    if missing:
        raise InputError(f"There is no picture {missing[0]}: evaluate that run again, on a set that has the scan.")
    shown = [imread(source) for source in pictures.values()]
    rows = -(-len(shown) // 2)
    height = max(picture.shape[0] / picture.shape[1] for picture in shown) * _PANEL_INCH + 0.3
    figure = Figure(figsize=(2 * _PANEL_INCH, rows * height), facecolor="black", layout="constrained")
    grid = np.ravel(figure.subplots(rows, 2))
    for axes in grid:
        axes.set_axis_off()
    for axes, name, picture in zip(grid, pictures, shown, strict=False):
        axes.imshow(picture, interpolation="bilinear")
        axes.set_title(name, color="white", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png", metadata={"Software": None})
