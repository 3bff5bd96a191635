"""The report on one scan: a page, its numbers as JSON, the picture and the surface, all in one folder."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from apps.pulmonary_vessel.report.browser import Overlay, slice_browser
from apps.pulmonary_vessel.report.calibre import CALIBRE_NAMES, LIMITS_MM2, measure_calibre
from apps.pulmonary_vessel.report.mip import CALIBRE_COLOURS, coronal_mip, write_mip
from apps.pulmonary_vessel.report.surface import vessel_surface, write_surface
from apps.pulmonary_vessel.report.volumes import (
    RADIUS_EDGES_MM,
    RegionVolumes,
    VesselVolumes,
    lung_names,
    measure_volumes,
)
from shared.atomic import write_json, write_text
from shared.errors import InputError
from shared.figures import curve
from shared.formats.volume_geometry import Geometry
from shared.report import ReportFigure, Section, render

__all__ = ["Origin", "write_report"]

Origin = Literal["real", "phantom", "rendering"]

PAGE, NUMBERS, PICTURE, SURFACE = "report.html", "report.json", "mip.png", "vessels.ply"
PURPOSE = "Vessels of one CT: measured for research, not a diagnosis."
_WORDS: Mapping[Origin, str] = {
    "real": "a real scan",
    "phantom": "a phantom: anatomy and grey values made by a generator",
    "rendering": "a rendering: mostly real anatomy, synthetic grey values",
}


@dataclass(frozen=True, eq=False)
class _Scan:
    """The arrays on standard axes."""

    hu: npt.NDArray[Any]
    classes: npt.NDArray[np.uint8]
    lung: npt.NDArray[np.uint8]
    geometry: Geometry


def write_report(
    folder: Path,
    hu: npt.NDArray[np.int16] | npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    lung: npt.NDArray[np.uint8],
    geometry: Geometry,
    *,
    title: str,
    facts: Mapping[str, str] | None = None,
    origin: Origin = "real",
) -> VesselVolumes:
    """Write report.html, report.json, mip.png and, where there is a vessel, vessels.ply.

    Args:
        folder: made where it is missing; files of these names in it are replaced, each atomically.
        hu: (z, y, x) on the file's own axes.
        mask: same shape, vessels where it is not 0; what lies outside the lung field is not reported.
        lung: same shape: 0 outside, 1 right, 2 left; one label alone is a lung field of unknown side.
        geometry: where the voxels lie in the patient (`Geometry.of_array` for a bare array).
        title: which scan this is.
        facts: label -> text, put at the top: model, threshold, whose lung mask.
        origin: what kind of scan this is; said at the top.

    Raises:
        InputError: the arrays have not the shape of the geometry, the lung mask is empty or has other labels than 0,
            1, 2.
    """
    _check(geometry, hu=hu, mask=mask, lung=lung)
    spacing, inside = geometry.spacing_zyx, (mask > 0) & (lung > 0)
    calibre = measure_calibre(inside, spacing)
    volumes = measure_volumes(calibre, inside, lung, spacing)
    classes = np.zeros(mask.shape, dtype=np.uint8)
    classes[inside] = calibre.classes
    turn = geometry.to_standard
    scan = _Scan(turn(hu), turn(classes), turn(lung), geometry.standard)
    dropped_ml = (np.count_nonzero(mask) - np.count_nonzero(inside)) * float(np.prod(spacing)) / 1000
    stated = {
        "Scan": _WORDS[origin],
        **(facts or {}),
        **_grid(geometry),
        "Outside the lung field": f"{dropped_ml:.1f} mL of the mask, not reported",
    }
    write_mip(folder / PICTURE, *coronal_mip(scan.hu, scan.classes, scan.lung), scan.geometry.spacing_zyx, title)
    if inside.any():
        write_surface(folder / SURFACE, vessel_surface(classes, geometry))
    else:
        (folder / SURFACE).unlink(missing_ok=True)
    write_json(folder / NUMBERS, {"title": title, "origin": origin, "facts": stated, **volumes.to_dict()})
    _write_page(folder, scan, volumes, title, stated, origin)
    return volumes


def _check(geometry: Geometry, **arrays: npt.NDArray[Any]) -> None:
    for name, array in arrays.items():
        if array.shape != geometry.shape:
            raise InputError(f"{name} has the shape {array.shape}, the geometry {geometry.shape} (z, y, x).")
    highest = int(arrays["lung"].max())
    if highest > 2:
        raise InputError(f"The lung mask has a label {highest}; expected 0 outside, 1 right, 2 left.")
    if highest == 0:
        raise InputError("The lung mask is empty: there is no lung to report on.")


def _grid(geometry: Geometry) -> dict[str, str]:
    return {
        "Voxels (x, y, z)": " x ".join(map(str, geometry.size)),
        "Spacing (x, y, z)": " x ".join(f"{step:.4g}" for step in geometry.spacing) + " mm",
    }


def _write_page(
    folder: Path, scan: _Scan, volumes: VesselVolumes, title: str, facts: Mapping[str, str], origin: Origin
) -> None:
    """The house's page with the picture and the slices put in after its first section."""
    sections = [
        Section(
            "Volumes",
            [Markup('Then: <a href="#picture">picture</a>, <a href="#browser">slices</a>.')],
            [volumes.table()],
        ),
        Section("Radius", figures=_histograms(volumes.regions)),
    ]
    render(folder / PAGE, title, PURPOSE, sections, facts, synthetic=origin != "real")
    page = (folder / PAGE).read_text(encoding="utf-8")
    first, end, rest = page.partition("</section>\n")
    parts = (first, end, _picture(folder / PICTURE, volumes), _slices(scan), rest)
    write_text(folder / PAGE, "".join(map(str, parts)))


def _slices(scan: _Scan) -> Markup:
    names = lung_names(scan.lung)
    left, back, head = scan.geometry.origin
    return slice_browser(
        scan.hu,
        Overlay(scan.classes, CALIBRE_NAMES, CALIBRE_COLOURS),
        scan.lung,
        scan.geometry.spacing_zyx,
        origin=(head, back, left),
        lungs=("", names.get(1, ""), names.get(2, "")),
    )


def _picture(path: Path, volumes: VesselVolumes) -> Markup:
    image = base64.b64encode(path.read_bytes()).decode("ascii")
    return Markup(
        '<section id="picture" aria-labelledby="picture-title">\n<h2 id="picture-title">Picture</h2>\n'
        '<figure><img alt="{alt}" style="max-width: 100%; max-height: 90vh" src="data:image/png;base64,{image}">\n'
        "<figcaption>Highest HU along lines from front to back, inside the lungs only; on the right the vessels by "
        "their cross-section, the widest one in front.</figcaption></figure>\n</section>\n"
    ).format(alt=f"The lungs from the front; vessels fill {volumes.regions[-1].tbv_ml:.0f} mL.", image=image)


def _histograms(regions: tuple[RegionVolumes, ...]) -> list[ReportFigure]:
    """Volume and length by radius of each lung, as outlines of bars."""
    edges = np.append(RADIUS_EDGES_MM[:-1], 2 * RADIUS_EDGES_MM[-2] - RADIUS_EDGES_MM[-3])
    limits = " and ".join(f"{limit:g} mm² at {np.sqrt(limit / np.pi):.2f} mm" for limit in LIMITS_MM2)
    lungs = regions[:-1] if len(regions) > 1 else regions
    figures = []
    for field, label, unit in (("histogram_ml", "vessel volume", "mL"), ("histogram_mm", "length of centreline", "mm")):
        lines = {lung.region: np.repeat(getattr(lung, field), 2) for lung in lungs}
        total = sum(sum(getattr(lung, field)) for lung in lungs)
        figures.append(
            ReportFigure(
                curve(np.repeat(edges, 2)[1:-1], lines, "radius of the branch, mm", f"{label}, {unit} per 0.25 mm"),
                f"{label.capitalize()} by radius of the circle with the branch's cross-section; {limits}. "
                f"The last bar: {RADIUS_EDGES_MM[-2]:g} mm and more.",
                f"Histogram of the {label} by radius; {total:.0f} {unit} in all.",
            )
        )
    return figures
