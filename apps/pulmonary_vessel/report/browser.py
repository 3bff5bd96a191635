"""A scan with its vessels as a piece of an HTML page to leaf through in three planes, without a server or a network."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from apps.pulmonary_vessel.report.centreline import Spacing

__all__ = ["Overlay", "slice_browser"]

LOWEST_HU, STEP_HU = -1050, 6
"""Grey value 0 of the slices, and HU from one grey value to the next: 255 stands for 480 HU and more."""
JPEG_QUALITY = 85
"""About a quarter of a byte a voxel; the error, SD 8 to 17 HU, is below the noise of a chest CT."""
MARGIN_MM = 10.0
"""Shown around the lungs."""
_LUNG_BIT = 3
"""Codes hold the class in the bits below, the lung's label from here."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """Classes to lay over the slices: calibres, or where two masks agree and differ."""

    classes: npt.NDArray[np.uint8]
    """(z, y, x) 0 for nothing, else the place in `names` from 1; at most 7."""
    names: Sequence[str]
    colours: Sequence[str]
    """Of the names: #rrggbb."""


def slice_browser(
    hu: npt.NDArray[np.int16] | npt.NDArray[np.float32],
    overlay: Overlay,
    lung: npt.NDArray[np.uint8],
    spacing: Spacing,
    *,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    lungs: Sequence[str] = ("", "lung field", "lung field"),
) -> Markup:
    """The browser as a section of a page, with style, script and the voxels around the lungs.

    Args:
        hu: (z, y, x) on standard axes (towards head, back, left).
        overlay: on the same grid.
        lung: same shape, not empty; 0 outside, else an index into `lungs`.
        spacing: z,y,x in mm.
        origin: of the first voxel: z,y,x in the patient, mm.
        lungs: what the labels of `lung` are called.
    """
    part = _around(lung, spacing)
    codes = overlay.classes[part] | lung[part] << _LUNG_BIT
    volume = {
        "shape": list(codes.shape),
        "first": [crop.start for crop in part],
        "whole": list(lung.shape),
        "spacing": list(spacing),
        "origin": [start + crop.start * step for start, crop, step in zip(origin, part, spacing, strict=True)],
        "lowest": LOWEST_HU,
        "step": STEP_HU,
        "names": list(overlay.names),
        "colours": list(overlay.colours),
        "lungs": list(lungs),
        "codes": _text(gzip.compress(codes.tobytes(), compresslevel=6, mtime=0)),
        "slices": [_jpeg(plane) for plane in hu[part]],
    }
    return _fill("slice_browser.html", volume=volume)


def _around(lung: npt.NDArray[np.uint8], spacing: Spacing) -> tuple[slice, ...]:
    """The box of the lungs with a margin."""
    crops = []
    for axis, step in enumerate(spacing):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(lung.any(axis=others))
        margin = round(MARGIN_MM / step)
        crops.append(slice(int(max(filled[0] - margin, 0)), int(min(filled[-1] + 1 + margin, lung.shape[axis]))))
    return tuple(crops)


def _jpeg(plane: npt.NDArray[Any]) -> str:
    grey = np.clip((plane.astype(np.float32) - LOWEST_HU) / STEP_HU, 0, 255)
    stream = io.BytesIO()
    Image.fromarray(np.round(grey).astype(np.uint8)).save(stream, "JPEG", quality=JPEG_QUALITY)
    return _text(stream.getvalue())


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _fill(template: str, **values: Any) -> Markup:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return Markup(environment.get_template(template).render(**values))
