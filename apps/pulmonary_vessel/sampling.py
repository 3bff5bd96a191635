"""Training patches, cut from the scans of a prepared set around what is to be learnt there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from apps.pulmonary_vessel.grid import SPACING_MM, interpolation, resample, working_shape
from apps.pulmonary_vessel.training_config import PatchConfig
from shared.errors import InputError
from shared.prepared import PreparedSet

__all__ = ["AIRWAY", "FISSURE", "LUMEN", "NODULE", "OPACITY", "VESSEL", "WALL", "Patch", "PatchSampler"]

VESSEL, LUMEN, WALL, NODULE, FISSURE, OPACITY = 2, 3, 4, 5, 6, 7
"""Label codes; 0 is outside the lung, 1 lung with nothing else in it."""
AIRWAY = (LUMEN, WALL)
PROBES = 8192
"""Voxels looked at in the search for one of a kind: a scan need not be read whole for that."""
SHIFT = 0.25
"""The voxel that was searched for lies up to this part of the patch away from its middle."""

Rows = npt.NDArray[np.integer[Any]]
Box = tuple[slice, slice, slice]


class Patch(NamedTuple):
    """A piece of a scan on the working grid."""

    hu: Tensor
    """(z, y, x) float32 HU."""
    codes: Tensor
    """(z, y, x) uint8 label codes; 0 also where the scan ends."""
    artery_vein: Tensor
    """(z, y, x) uint8: 1 artery, 2 vein, 0 neither or unknown."""


class PatchSampler:
    """Draws patches.

    Args:
        prepared: with the fields `ct`, `labels` and `artery_vein` and the spacing in the index.
        rows: scans to cut from, all labelled.
        config: size of the patches, and what lies in their middle.

    Raises:
        InputError: a scan without labels is among the rows.
    """

    def __init__(self, prepared: PreparedSet, rows: Rows, config: PatchConfig) -> None:
        self.prepared, self.rows, self.config = prepared, rows, config
        index = prepared.index
        self.spacing = np.stack([index[f"spacing_{axis}"] for axis in "zyx"], axis=1).astype(float)
        unlabelled = rows[~index["labelled"][rows].astype(bool)]
        if len(unlabelled):
            raise InputError(
                f"{len(unlabelled)} of the {len(rows)} scans have no labels to learn from, "
                f"{index['item'][unlabelled[0]]!r} among them: leave them out of the split."
            )
        wanted = {(VESSEL,): config.vessel, AIRWAY: config.airway, (NODULE,): config.nodule}
        wanted |= {(FISSURE,): config.fissure, (OPACITY,): config.opacity}
        self.kinds: list[tuple[int, ...]] = [*wanted, ()]
        self.shares = np.array([*wanted.values(), max(0.0, 1 - sum(wanted.values()))])

    def draw(self, rng: np.random.Generator) -> Patch:
        """A patch of any scan, with a voxel of a drawn kind near its middle."""
        row = int(rng.choice(self.rows))
        kind = self.kinds[rng.choice(len(self.kinds), p=self.shares / self.shares.sum())]
        centre = _voxel(rng, self.prepared.read("labels", row), kind)
        return self.cut(row, self._box(rng, row, centre))

    def cut(self, row: int, box: Box) -> Patch:
        """A box of a scan on the working grid; air, label 0, where it reaches beyond the scan."""
        hu, codes, artery_vein = (
            _read(self.prepared.read(field, row), box, fill)
            for field, fill in (("ct", -1024), ("labels", 0), ("artery_vein", 0))
        )
        size = self.config.size
        if hu.shape == size:
            return Patch(hu.float(), codes, artery_vein)
        matrices = [None if old == new else interpolation(old, new) for old, new in zip(hu.shape, size, strict=True)]
        vessel = resample((codes == VESSEL).float(), matrices) > 0.5
        codes, artery_vein = _nearest(codes, size), _nearest(artery_vein, size)
        codes = torch.where(vessel, VESSEL, torch.where(codes == VESSEL, 1, codes)).to(torch.uint8)
        return Patch(resample(hu.float(), matrices), codes, artery_vein * vessel)

    def _box(self, rng: np.random.Generator, row: int, centre: npt.NDArray[np.int64]) -> Box:
        """The scan's own voxels of a patch near `centre`, inside the scan where that is large enough."""
        shape = np.array(self.prepared.read("labels", row).shape)
        size = self._own_size(row)
        start = centre - size // 2 + np.round(size * rng.uniform(-SHIFT, SHIFT, 3)).astype(int)
        start = np.where(shape > size, np.clip(start, 0, shape - size), (shape - size) // 2)
        z, y, x = (slice(int(first), int(first + n)) for first, n in zip(start, size, strict=True))
        return z, y, x

    def _own_size(self, row: int) -> npt.NDArray[np.int64]:
        """Voxels (z, y, x) of the scan that make a patch."""
        size, spacing = np.array(self.config.size), self.spacing[row]
        kept = np.array(working_shape((1000,) * 3, spacing)) == 1000
        return np.where(kept, size, np.maximum(1, np.round(size * SPACING_MM / spacing))).astype(int)


def _voxel(rng: np.random.Generator, labels: npt.NDArray[np.uint8], kind: Sequence[int]) -> npt.NDArray[np.int64]:
    """(3,) a voxel of one of the codes; of the lung where none was met, anywhere where there is no lung."""
    probes = rng.integers(0, labels.shape, (PROBES, 3))
    met = labels[tuple(probes.T)]
    for accepted in (np.isin(met, kind), met > 0, np.ones(PROBES, dtype=bool)):
        if accepted.any():
            return probes[rng.choice(np.flatnonzero(accepted))]
    raise AssertionError("unreachable: the last condition accepts all")


def _read(field: npt.NDArray[Any], box: Box, fill: int) -> Tensor:
    """The box of an array, filled where it reaches beyond."""
    inside = tuple(slice(max(0, side.start), side.stop) for side in box)
    missing = [(max(0, -side.start), max(0, side.stop - n)) for side, n in zip(box, field.shape, strict=True)]
    piece = torch.from_numpy(np.array(field[inside]))
    return functional.pad(piece, [n for pair in reversed(missing) for n in pair], value=fill)


def _nearest(codes: Tensor, size: Sequence[int]) -> Tensor:
    """Codes at the nearest voxel."""
    picks = [((torch.arange(new) + 0.5) * old / new).long() for old, new in zip(codes.shape, size, strict=True)]
    return codes[picks[0]][:, picks[1]][:, :, picks[2]]
