"""The `score` verb: any mask file against a reference, by the same measures as the app's own models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from apps.pulmonary_vessel.measures.counts import KINDS, VESSEL, counts
from apps.pulmonary_vessel.measures.scores import SCORES
from apps.pulmonary_vessel.verb_config import ScoreConfig
from shared.atomic import write_json
from shared.contract import App
from shared.errors import InputError
from shared.formats.volume import Geometry, read_grid, read_labels

__all__ = ["score"]

LUNG = 1
CODES = (VESSEL, *KINDS.values())
"""What a reference with codes may hold beside 0."""


def score(app: App, config: ScoreConfig) -> None:
    """Print every score that the reference allows.

    Raises:
        InputError: a file cannot be read, lies on another grid, or holds no vessel or unknown codes.
    """
    del app
    grid = read_grid(config.reference)
    labels, region = _reference(config, grid)
    marked = read_labels(config.mask, grid)
    mask = np.isin(marked, config.vessel) if config.vessel else marked != 0
    turn = grid.to_standard
    table = counts(np.ascontiguousarray(turn(mask)), np.ascontiguousarray(turn(labels)), grid.standard_spacing, (1.0,))
    found = {metric.name: metric(table) for metric in SCORES}
    for metric in SCORES:
        if np.isfinite(found[metric.name]):
            print(f"{metric.name + (', %' if metric.percent else ''):<42} {metric.format(found[metric.name])}")
    print(f"Scored: {region}, {int((labels > 0).sum())} voxels, {int((labels == VESSEL).sum())} of them vessel.")
    if config.out is not None:
        plain = {name: float(column[0]) for name, column in table.items() if column.dtype.kind == "f"}
        scores = {name: value if np.isfinite(value) else None for name, value in found.items()}
        known = {name: value if np.isfinite(value) else None for name, value in plain.items()}
        files = {"mask": str(config.mask), "reference": str(config.reference)}
        write_json(config.out, {**files, "region": region, "scores": scores, "counts": known})


def _reference(config: ScoreConfig, grid: Geometry) -> tuple[npt.NDArray[Any], str]:
    """Codes on the reference's grid, 0 where nothing is scored, and the region in words."""
    truth = read_labels(config.reference, grid)
    if config.holds == "mask":
        labels, region = np.where(truth != 0, VESSEL, LUNG).astype(np.uint8), "the whole scan"
    else:
        unknown = sorted(set(np.unique(truth).tolist()) - {0, *CODES})
        if unknown:
            raise InputError(f"{config.reference} holds {unknown}; expected the codes {sorted((0, *CODES))}.")
        labels, region = truth.astype(np.uint8), "codes above 0"
    if config.lung is not None:
        inside = read_labels(config.lung, grid) != 0
        labels, region = np.where(inside, np.maximum(labels, LUNG), 0).astype(np.uint8), f"inside {config.lung.name}"
    if not (labels == VESSEL).any():
        hint = " It seems to hold codes: --holds codes." if config.holds == "mask" and (truth > 1).any() else ""
        raise InputError(f"{config.reference} marks no vessel where it is scored.{hint}")
    if config.holds == "mask" and truth.max() > 1:
        raise InputError(
            f"{config.reference} holds numbers up to {truth.max()}: with codes of tissues say --holds codes, else make "
            "it a mask of 0 and 1."
        )
    return labels, region
