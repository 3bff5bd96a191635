"""The lungs from the front as one picture: the highest HU along each line, and the vessels coloured by calibre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy import ndimage

from apps.pulmonary_vessel.report.calibre import CALIBRE_NAMES
from apps.pulmonary_vessel.report.centreline import Spacing
from shared.atomic import atomic_path

__all__ = ["CALIBRE_COLOURS", "coronal_mip", "write_mip"]

CALIBRE_COLOURS = ("#56b4e9", "#f0e442", "#e8602c")
"""Of `CALIBRES` in their order, apart in hue and in lightness, for readers who do not see red from green as well."""

_BLACK_HU = -950.0
_WHITE_HU = (50.0, 400.0)
"""Between these white is the HU that 95 % of the vessels' voxels stay under: blood with contrast or without."""
_RIM_VOXELS = 3
_SCALE_MM = 50
_WIDTH_INCH, _HEIGHT_INCH = 11.0, 9.0
"""The pictures fit into it."""
_LEAST_DPI, _MOST_DPI = 130, 300

Picture = npt.NDArray[np.float32]


def coronal_mip(
    hu: npt.NDArray[np.int16] | npt.NDArray[np.float32],
    classes: npt.NDArray[np.uint8],
    lung: npt.NDArray[np.uint8],
) -> tuple[Picture, Picture]:
    """The two panels, head up, the patient's right on the left.

    Args:
        hu: (z, y, x) on standard axes (towards head, back, left).
        classes: same shape, 0 where there is no vessel, else the place in `CALIBRES` from 1.
        lung: same shape, 0 outside; nothing outside is shown, else ribs and heart would cover the lungs.

    Returns:
        Grey values (z, x) and colours (z, x, 3), between 0 and 1. Where vessels overlap the widest gives the colour.
        The grey values leave out a rim of the lungs, which holds partly chest wall.
    """
    core = ndimage.binary_erosion(lung > 0, np.ones((1, 3, 3), dtype=bool), iterations=_RIM_VOXELS)
    vessels = hu[classes > 0]
    white = float(np.clip(np.percentile(vessels, 95), *_WHITE_HU)) if len(vessels) else _WHITE_HU[0]
    highest = np.max(hu, axis=1, where=core, initial=int(_BLACK_HU))
    grey = np.clip((highest.astype(np.float32) - _BLACK_HU) / (white - _BLACK_HU), 0, 1)[::-1]
    widest = np.max(classes, axis=1, where=lung > 0, initial=0)[::-1]
    palette = np.array([(1.0, 1.0, 1.0), *map(colors.to_rgb, CALIBRE_COLOURS)], dtype=np.float32)
    shade = np.where(widest > 0, 0.35 + 0.65 * grey, 0.55 * grey)
    return grey, shade[..., None] * palette[widest]


def write_mip(path: Path, grey: Picture, coloured: Picture, spacing: Spacing, title: str) -> None:
    """Draw both panels side by side as a PNG, with a bar of 50 mm and the colours' names.

    Args:
        path: to write, atomically.
        grey: from `coronal_mip`.
        coloured: from `coronal_mip`.
        spacing: z,y,x in mm.
        title: printed above.
    """
    height_mm, width_mm = grey.shape[0] * spacing[0], grey.shape[1] * spacing[2]
    inch = min(_WIDTH_INCH / (2 * width_mm), _HEIGHT_INCH / height_mm)
    size = (2 * inch * width_mm, inch * height_mm + 0.9)
    figure = Figure(figsize=size, facecolor="black", layout="constrained")
    for axes, picture in zip(figure.subplots(1, 2), (grey, coloured), strict=True):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(0, width_mm, 0, height_mm), interpolation="bilinear")
        axes.set_axis_off()
        _mark(axes, width_mm, height_mm)
    figure.suptitle(title, color="white", fontsize=11)
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in zip(CALIBRE_NAMES, CALIBRE_COLOURS, strict=True)],
        loc="outside lower center", ncols=len(CALIBRE_NAMES), labelcolor="white", facecolor="black", edgecolor="none",
    )  # fmt: skip
    finest = 1 / (inch * min(spacing[0], spacing[2]))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=float(np.clip(finest, _LEAST_DPI, _MOST_DPI)), metadata={"Software": None})


def _mark(axes: Axes, width_mm: float, height_mm: float) -> None:
    """Sides of the patient, and the bar."""
    for place, side, align in ((0.01, "R", "left"), (0.99, "L", "right")):
        axes.text(place * width_mm, 0.97 * height_mm, side, color="white", ha=align, va="top", fontsize=12)
    below = -0.02 * height_mm
    axes.plot([0, _SCALE_MM], [below, below], color="white", linewidth=2)
    axes.text(_SCALE_MM, below, f"  {_SCALE_MM} mm", color="white", fontsize=9, va="center")
    axes.set(xlim=(0, max(width_mm, _SCALE_MM)), ylim=(2 * below, height_mm))
