"""Chest CT scans to a prepared set, one at a time (see `pulmonary_vessel` for what is read)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.ct_fields import CODES, FIELDS
from data_prep.ct_scans import Scan, Truth, find_scans, patient_of, stem_of
from data_prep.ct_table import read_patients, read_points, read_scans
from data_prep.pulmonary_vessel import SOURCE, PulmonaryVesselConfig
from shared.errors import InputError
from shared.formats.volume import Geometry, Volume, read_labels, read_volume
from shared.prepared import PreparedWriter
from shared.progress import counted
from shared.splits import Split, make_group_folds

__all__ = ["prepare", "scan_fields"]

_VESSEL, _LUNG = CODES["vessel"], CODES["lung"]
_CARVE14_OPEN = -999
_MADE_UP = ("rendering", "phantom")

Fields = dict[str, npt.NDArray[Any]]


def prepare(paths: Sequence[Path], out: Path, config: PulmonaryVesselConfig) -> None:
    """Prepare chest CT scans with what is known of their vessels.

    Args:
        paths: folders, CSV tables of scans, or single volumes.
        out: folder to create.
        config: how to deal them.

    Raises:
        InputError: no scan, two of one name, a file that cannot be read or is not on its scan's grid.
        ConfigError: `out` is not empty.
    """
    scans = [scan for path in paths for scan in _scans(Path(path))]
    _refuse_twice(scans)
    if config.patients is not None:
        named = read_patients(config.patients, [scan.item for scan in scans])
        scans = [replace(scan, patient=named.get(scan.item, scan.patient)) for scan in scans]
    patients = []
    with PreparedWriter(
        out,
        name=SOURCE.name,
        title=SOURCE.title,
        source=", ".join(Path(path).name for path in paths),
        licence=config.licence or "not stated",
        groups=("patient",),
        synthetic=all(scan.origin in _MADE_UP for scan in scans),
        created_by=__name__,
    ) as writer:
        for spec in FIELDS:
            writer.declare(spec)
        for scan in counted(scans, "scans"):
            volume = read_volume(scan.path)
            fields = scan_fields(scan, volume)
            columns = _columns(scan, volume)
            columns["labelled"] = scan.kind not in ("silver", "arteries") and bool(fields["labels"].any())
            patients.append(str(columns["patient"]))
            writer.add(fields, **columns)
        writer.add_split(_folds(patients, config))


def _scans(path: Path) -> list[Scan]:
    if path.suffix.lower() == ".csv":
        return read_scans(path)
    if path.is_dir():
        return find_scans(path)
    return [Scan(path, item=stem_of(path), patient=patient_of(stem_of(path)))]


def _refuse_twice(scans: Sequence[Scan]) -> None:
    seen: dict[str, Path] = {}
    for scan in scans:
        if scan.item in seen:
            raise InputError(
                f"Two scans are named {scan.item!r}: {seen[scan.item]} and {scan.path}. Name them in a table (item)."
            )
        seen[scan.item] = scan.path


def scan_fields(scan: Scan, volume: Volume) -> Fields:
    """The fields of one item (`ct_fields.FIELDS`), on standard axes. Raises InputError where files do not fit."""
    grid = volume.geometry
    lung = _mask(scan.lung, grid)
    if lung is None and scan.kind == "labels" and scan.truth is not None:
        lung = _labels_in(scan.truth, grid) > 0
    vessels = np.zeros(grid.shape, dtype=np.uint8)
    if scan.artery_vein is not None:
        vessels = _coded(read_labels(scan.artery_vein, grid), 2, scan.artery_vein)
    elif scan.kind == "arteries" and scan.truth is not None:
        vessels = (_mask(scan.truth, grid) > 0).astype(np.uint8)
    fields: Fields = {
        "ct": np.rint(volume.hu).astype(np.int16),
        "labels": _labels(scan.truth, scan.kind, lung, grid),
        "artery_vein": vessels,
        "lung": np.zeros(grid.shape, dtype=np.uint8) if lung is None else lung.astype(np.uint8),
    }
    return {
        **{name: np.ascontiguousarray(grid.to_standard(array)) for name, array in fields.items()},
        "points": _points(scan.points, grid),
        "centreline": np.zeros((0, 5), dtype=np.float32),
    }


def _mask(path: Path | None, grid: Geometry) -> Any:
    return None if path is None else read_labels(path, grid) != 0


def _labels_in(path: Path, grid: Geometry) -> npt.NDArray[np.uint8]:
    return _coded(read_labels(path, grid), max(CODES.values()), path)


def _coded(values: npt.NDArray[np.int16], largest: int, path: Path) -> npt.NDArray[np.uint8]:
    if values.min() < 0 or values.max() > largest:
        raise InputError(f"{path} holds numbers from {values.min()} to {values.max()}; expected codes 0 to {largest}.")
    return values.astype(np.uint8)


def _labels(path: Path | None, kind: Truth, lung: Any, grid: Geometry) -> npt.NDArray[np.uint8]:
    """Codes of `labels`: nothing beyond the lung where one is given, and nothing where nothing is known."""
    if path is None or kind == "arteries":
        return np.zeros(grid.shape, dtype=np.uint8)
    if kind in ("labels", "silver"):
        codes = _labels_in(path, grid)
        return codes if lung is None else np.where(lung, np.maximum(codes, _LUNG), 0).astype(np.uint8)
    values = read_labels(path, grid)
    inside = np.zeros(grid.shape, dtype=bool) if lung is None else lung & (values != _CARVE14_OPEN)
    labels = np.where(inside, _LUNG, 0).astype(np.uint8)
    labels[(values > 0) & (inside | (lung is None))] = _VESSEL
    return labels


def _points(path: Path | None, grid: Geometry) -> npt.NDArray[np.float32]:
    """Points moved to standard axes. Raises InputError where one lies outside the scan."""
    if path is None:
        return np.zeros((0, 5), dtype=np.float32)
    points = read_points(path)
    points[:, :3] = np.rint(grid.standard.index_of(grid.point_of(points[:, :3])))
    outside = (points[:, :3] < 0) | (points[:, :3] >= np.array(grid.standard.shape))
    if outside.any():
        raise InputError(f"{path}: {outside.any(axis=1).sum()} points lie outside their scan.")
    return points.astype(np.float32)


def _columns(scan: Scan, volume: Volume) -> dict[str, Any]:
    z, y, x = volume.geometry.standard_spacing
    return {
        "item": scan.item,
        "patient": scan.patient or volume.patient or scan.item,
        "origin": scan.origin,
        "contrast": scan.contrast or volume.contrast,
        "spacing_z": z,
        "spacing_y": y,
        "spacing_x": x,
        "section_mm": volume.section_mm if scan.section_mm is None else scan.section_mm,
        "noise_hu": math.nan,
        "pair": scan.pair,
    }


def _folds(patients: Sequence[str], config: PulmonaryVesselConfig) -> Split:
    """Patients dealt to folds; one patient alone is fold 0, to be scored on."""
    different = sorted(set(patients))
    if len(different) < 2:
        return Split("folds", "patient", dict.fromkeys(different, 0), "one patient: to be scored on, not trained on")
    index: Mapping[str, npt.NDArray[Any]] = {"patient": np.array(patients, dtype=object)}
    return make_group_folds(
        index, "patient", min(config.folds, len(different)), stratify=None, seed=config.seed, name="folds"
    )
