"""What training does to a patch so that a network learns anatomy and not one scanner, protocol or patient position.

In the order of nature: the patient's position, the section's thickness, the kernel, noise, the
scanner's calibration. Labels change with the first only.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from apps.pulmonary_vessel.grid import DARKEST_HU, interpolation, resample
from apps.pulmonary_vessel.sampling import Patch
from apps.pulmonary_vessel.training_config import AugmentConfig

__all__ = ["augment"]

AIR_HU = -1000.0
SHARPENED = (-0.7, 0.9)
"""Part of a voxel's distance from its smoothed surroundings that another kernel adds: it smooths below 0."""
GRAINED = 0.5
"""Share of the added noises that are smoothed, as a soft kernel's are."""
SECTIONS = (2, 5)
"""Slices that a thick section averages."""


def augment(rng: np.random.Generator, patch: Patch, config: AugmentConfig) -> Patch:
    """A patch as another scanner might have seen another patient.

    Args:
        rng: everything drawn depends on it alone.
        patch: cubic in its slice, or it is not turned.
        config: how often and how strongly.
    """
    if config.mirrored:
        patch = _placed(rng, patch)
    hu = patch.hu
    if rng.random() < config.thick:
        hu = _thick_sections(hu, int(rng.integers(SECTIONS[0], SECTIONS[1] + 1)))
    if rng.random() < config.kernel:
        hu = hu + rng.uniform(*SHARPENED) * (hu - smoothed(hu, axes=(1, 2)))
    if rng.random() < config.noisy:
        hu = hu + rng.uniform(0, config.noise_hu) * _noise(rng, hu)
    scale, offset = config.calibration
    hu = AIR_HU + (hu - AIR_HU) * (1 + rng.uniform(-scale, scale)) + rng.uniform(-offset, offset)
    return patch._replace(hu=hu.clamp(min=DARKEST_HU))


def _placed(rng: np.random.Generator, patch: Patch) -> Patch:
    """Mirrored along axes, and turned in the slice where that is square."""
    axes = [axis for axis in range(3) if rng.random() < 0.5]
    swapped = rng.random() < 0.5 and patch.hu.shape[1] == patch.hu.shape[2]
    placed = (field.flip(axes) for field in patch)
    return Patch(*(field.transpose(1, 2).contiguous() if swapped else field for field in placed))


def _thick_sections(hu: Tensor, slices: int) -> Tensor:
    """Averaged over sections of `slices`, then interpolated back, as a thick scan is on the working grid."""
    depth = hu.shape[0]
    thick = max(1, depth // slices)
    return resample(hu, [interpolation(thick, depth) @ interpolation(depth, thick), None, None])


def smoothed(hu: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The mean of three voxels, 1/4, 1/2, 1/4, along each axis; (z, y, x) in and out."""
    for axis in axes:
        n = hu.shape[axis]
        pads = [0] * 6
        pads[2 * (2 - axis)] = pads[2 * (2 - axis) + 1] = 1
        wide = functional.pad(hu[None, None], pads, mode="replicate")[0, 0]
        hu = 0.5 * hu + 0.25 * (wide.narrow(axis, 0, n) + wide.narrow(axis, 2, n))
    return hu


def _noise(rng: np.random.Generator, hu: Tensor) -> Tensor:
    """Noise of standard deviation 1, white or grained, in the shape of `hu`."""
    noise = torch.from_numpy(rng.standard_normal(hu.shape, dtype=np.float32))
    if rng.random() < GRAINED:
        noise = smoothed(noise, axes=(0, 1, 2))
    return noise / noise.std().clamp(min=1e-6)
