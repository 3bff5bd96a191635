"""The right lung and the left one: apart as they are, or parted where they touch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from apps.pulmonary_vessel.lung_mask.coarse import Coarse, Mask, eroded

__all__ = ["RIGHT_LEFT", "numbered"]

Pieces = npt.NDArray[np.signedinteger[Any]]

RIGHT_LEFT = ("right", "left")

_SHARED_WIDTH = 0.35
"""Two parts belong to two lungs where they share less than this of the narrower one's width."""
_EROSIONS_MM = (2.0, 4.0, 6.0, 9.0)
_SECOND_SHARE = 0.02
"""A piece may be the other lung, or the strip of it in view, where it is at least this large beside the first."""
_PIECES = 6
"""As many of the largest pieces are looked at."""
_TOUCHING = 0.25
"""Two lungs touch where the face between them is smaller than this share of the smaller one's volume, to the 2/3."""


def numbered(lungs: Mask, scan: Coarse) -> npt.NDArray[np.uint8]:
    """Number the lungs: 1 for the right one (low x), 2 for the left one; 1 for all where one lung alone is in view.

    Args:
        lungs: on the grid of `scan`, axes towards head, back and left.
        scan: its grid.
    """
    if not lungs.any():
        return lungs.astype(np.uint8)
    pieces, _ = ndimage.label(lungs)
    right_left = _opposite(pieces)
    if right_left is not None:
        return np.where(lungs, _nearest(pieces, right_left, scan), 0).astype(np.uint8)
    for radius in _EROSIONS_MM:  # lungs touch in front of the heart and behind it
        pieces, _ = ndimage.label(eroded(lungs, radius, scan.spacing))
        right_left = _opposite(pieces)
        if right_left is not None:
            parted = np.where(lungs, _nearest(pieces, right_left, scan), 0).astype(np.uint8)
            if _touch_little(parted, scan):
                return parted
    return lungs.astype(np.uint8)


def _opposite(pieces: Pieces) -> tuple[int, int] | None:
    """The largest piece and the largest that lies beside it, the one with lower x first."""
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    order = np.argsort(sizes)[::-1][:_PIECES]
    first, *others = [int(piece) + 1 for piece in order if sizes[piece] >= max(1, _SECOND_SHARE * sizes.max())] or [0]
    for second in others:
        spans = [np.percentile(np.nonzero(pieces == piece)[2], (5, 95)) for piece in (first, second)]
        shared = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
        if shared < _SHARED_WIDTH * min(float(np.ptp(span)) for span in spans):
            return (first, second) if spans[0][0] < spans[1][0] else (second, first)
    return None


def _nearest(pieces: Pieces, right_left: tuple[int, int], scan: Coarse) -> npt.NDArray[np.uint8]:
    """The number of the nearer one of two pieces, everywhere."""
    right, left = (pieces == piece for piece in right_left)
    places = ndimage.distance_transform_edt(
        ~(right | left), sampling=scan.spacing, return_distances=False, return_indices=True
    )
    return (right + 2 * left).astype(np.uint8)[tuple(places)]


def _touch_little(numbers: npt.NDArray[np.uint8], scan: Coarse) -> bool:
    """Whether the face between the two numbers is small beside them: lungs touch, and a lung cut in two is cut wide."""
    face_cm2 = 0.0
    for axis, step in enumerate(scan.spacing):
        near, far = np.delete(numbers, -1, axis), np.delete(numbers, 0, axis)
        area = 10 * scan.voxel_ml / step  # ml / mm is 1000 mm2, or 10 cm2
        face_cm2 += area * np.count_nonzero(near * far == 2)
    smaller_ml = scan.voxel_ml * min(np.count_nonzero(numbers == number) for number in (1, 2))
    return bool(face_cm2 < _TOUCHING * smaller_ml ** (2 / 3))
