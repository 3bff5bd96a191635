"""The grey values of a lung cut out of its scan, ready for derivatives at the lung voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from shared.errors import InputError

__all__ = ["MARGIN_MM", "WINDOW_HU", "LungField", "Spacing"]

Spacing = tuple[float, float, float]
"""Distance of neighbouring voxels in mm along z, y, x."""
FloatArray = npt.NDArray[np.float32]

WINDOW_HU = (-1000.0, 200.0)
"""Grey values are clipped to this: below is padding, above are contrast medium, calcium and ribs."""
MARGIN_MM = 8.0
"""Grey values this far around the lung are kept, where the scan has them, so that smoothing sees what is there."""


@dataclass(frozen=True, eq=False)
class LungField:
    """A lung in its bounding box, with what surrounds it.

    The surroundings keep their own values: a vessel goes on beyond the hilum, and beside the bright chest wall the grey
    values of the lung bend upwards, which no filter for bright lines answers to.
    """

    hu: FloatArray
    """(Z, Y, X) grey values of the box, the margin, and a rim of one voxel, clipped to `WINDOW_HU`."""
    spacing: Spacing
    """mm along z, y, x."""
    inside: npt.NDArray[np.int64]
    """(n,) flat positions of the lung voxels in `hu`, ascending; never on its border."""
    lung: npt.NDArray[np.bool_]
    """The lung mask on the grid of the scan."""

    @classmethod
    def cut(cls, hu: npt.NDArray[Any], spacing: Spacing, lung: npt.NDArray[Any]) -> Self:
        """Cut the lung out of a scan.

        Args:
            hu: (z, y, x) HU of any number type.
            spacing: mm along z, y, x.
            lung: the same shape, non-zero in the lung.

        Raises:
            InputError: shapes differ, or no voxel is lung.
        """
        mask = np.asarray(lung) != 0
        if mask.shape != np.shape(hu) or mask.ndim != 3:
            raise InputError(f"Scan and lung mask need one grid z, y, x; found {np.shape(hu)} and {mask.shape}.")
        found = find_objects(mask.view(np.uint8))
        if not found:
            raise InputError("The lung mask is empty: there is no voxel to look for vessels in.")
        more = (round(MARGIN_MM / step) for step in spacing)
        box = tuple(slice(max(side.start - m, 0), side.stop + m) for side, m in zip(found[0], more, strict=True))
        grey = np.clip(np.asarray(hu)[box], *WINDOW_HU).astype(np.float32)
        return cls(np.pad(grey, 1, mode="edge"), spacing, np.flatnonzero(np.pad(mask[box], 1)), mask)

    def on_scan(self, values: npt.NDArray[np.float32]) -> FloatArray:
        """Values (n,) of the lung voxels on the grid of the scan, 0 outside the lung."""
        volume = np.zeros(self.lung.shape, np.float32)
        volume[self.lung] = values
        return volume
