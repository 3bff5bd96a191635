"""The surface of the vessels as a mesh in the patient's coordinates, coloured by calibre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import trimesh
from matplotlib import colors
from skimage.measure import marching_cubes

from apps.pulmonary_vessel.report.mip import CALIBRE_COLOURS
from shared.atomic import atomic_path
from shared.errors import ConfigError, InputError
from shared.formats.volume_geometry import Geometry

__all__ = ["SUFFIXES", "vessel_surface", "write_surface"]

SUFFIXES = (".ply", ".stl")
"""PLY keeps the colours and is a third of the size of STL."""


def vessel_surface(classes: npt.NDArray[np.uint8], geometry: Geometry) -> trimesh.Trimesh:
    """Marching cubes (Lorensen and Cline 1987) around the vessels; closed, its faces pointing outwards.

    The mask is neither smoothed nor thinned out: a vessel one voxel wide stays in one piece, though it looks thinner
    than it is. Measure volumes on the mask. (Lewiner's later variant is not closed: it leaves edges with four faces.)

    Args:
        classes: (z, y, x) on the axes of `geometry`; 0 where there is no vessel, else the calibre from 1.
        geometry: where the voxels lie in the patient.

    Returns:
        Vertices in mm: L, P, S, as DICOM and 3D Slicer have them.

    Raises:
        InputError: there is no vessel.
    """
    if not classes.any():
        raise InputError("The mask holds no vessel, so there is no surface.")
    margin = np.pad(classes, 1)
    right_handed = float(np.linalg.det(np.reshape(geometry.direction, (3, 3)))) > 0
    # from z,y,x to x,y,z a right hand becomes a left one, which turns faces inside out
    side = "descent" if right_handed else "ascent"
    index, faces, _, _ = marching_cubes(margin > 0, 0.5, method="lorensen", gradient_direction=side)
    # a vertex lies half-way between a voxel inside and one outside; one of them has a calibre
    ends = (np.floor(index).astype(np.intp), np.ceil(index).astype(np.intp))
    calibre = np.maximum(*(margin[tuple(end.T)] for end in ends))
    mesh = trimesh.Trimesh(geometry.point_of(index - 1.0), faces, process=False)
    palette = np.round([255 * np.array(colors.to_rgba(colour)) for colour in CALIBRE_COLOURS]).astype(np.uint8)
    mesh.visual.vertex_colors = palette[calibre - 1]
    return mesh


def write_surface(path: Path, mesh: trimesh.Trimesh) -> None:
    """Write a mesh as binary PLY or STL, atomically. Raises ConfigError for another suffix."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"A surface is written as {' or '.join(SUFFIXES)}; {path.name} is neither.")
    with atomic_path(path) as temporary:
        mesh.export(temporary, file_type=path.suffix[1:])
