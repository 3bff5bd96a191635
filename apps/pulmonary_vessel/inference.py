"""A network led over a whole scan, with memory that does not grow with the number of slices.

The scan's lung box is brought to the working grid one slab of windows at a time, the slab's windows are averaged with
Gaussian weights, and every finished slice is brought back to the scan's grid at once. Beside the scan itself and the
answer, nothing of the scan's size is ever held.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from apps.pulmonary_vessel.grid import interpolation, resample, scale_hu, working_shape
from apps.pulmonary_vessel.inference_config import InferenceConfig

__all__ = ["has_fast_bf16", "lung_box", "probability"]

FloatArray = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]
Span = tuple[int, int]

MARGIN_MM = 10.0
"""Context around the lung box."""
SIGMA = 0.125
"""Standard deviation of the Gaussian weights as a part of the window, as nnU-Net has it."""
LEAST_WEIGHT = 0.01
"""Of a window's border, for each axis: where the scan ends, the border is all there is."""


def probability(
    network: Callable[[Tensor], Tensor],
    hu: npt.NDArray[Any],
    spacing_mm: Sequence[float],
    lung: npt.NDArray[Any] | None = None,
    *,
    factor: Sequence[int],
    outputs: int = 1,
    config: InferenceConfig | None = None,
    device: str | torch.device = "cpu",
) -> FloatArray:
    """Probability of each output at each voxel of a scan.

    Args:
        network: (1, 1, z, y, x) scaled HU -> (1, outputs, z, y, x) logits; a module in evaluation mode, or a function
            around another runtime.
        hu: (z, y, x) HU of any number type; not changed.
        spacing_mm: (z, y, x).
        lung: (z, y, x), above 0 in the lung; without it the whole scan is looked at.
        factor: sizes of a window are multiples of these (z, y, x).
        outputs: channels that the network gives.
        config: window, overlap, precision.
        device: where the network computes.

    Returns:
        (outputs, z, y, x) float32 on the scan's own grid, 0 outside the lung.
    """
    config = config or InferenceConfig()
    box = lung_box(lung, hu.shape, spacing_mm)
    inside = None if lung is None else lung[box]
    scan = _Scan(hu[box], inside, spacing_mm)
    answer = np.zeros((outputs, *hu.shape), dtype=np.float32)
    with torch.inference_mode():
        slices = _finished_slices(_Passes(network, config, torch.device(device)), scan, outputs, factor, config)
        for z, found in enumerate(_on_own_grid(slices, scan)):
            answer[:, box[0].start + z, box[1], box[2]] = found if inside is None else found * (inside[z] > 0)
    return answer


def lung_box(lung: npt.NDArray[Any] | None, shape: Sequence[int], spacing_mm: Sequence[float]) -> Box:
    """The smallest box around the lung, and `MARGIN_MM` more where the scan has it; everything where there is none."""
    sides = []
    for axis, (n, spacing) in enumerate(zip(shape, spacing_mm, strict=True)):
        others = tuple(other for other in range(3) if other != axis)
        found = np.arange(n) if lung is None else np.flatnonzero((lung > 0).any(axis=others))
        if not len(found):
            found = np.arange(n)
        margin = math.ceil(MARGIN_MM / spacing)
        sides.append(slice(max(0, int(found[0]) - margin), min(n, int(found[-1]) + 1 + margin)))
    z, y, x = sides
    return z, y, x


def has_fast_bf16(device: torch.device) -> bool:
    """Whether arithmetic in bf16 is faster than in 32 bit: GPUs, and processors with AVX512-BF16 or AMX."""
    if device.type != "cpu":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test is not None and test() for test in tests)


class _Scan:
    """The box of a scan, with the interpolation of each axis to the working grid and back."""

    def __init__(self, hu: npt.NDArray[Any], lung: npt.NDArray[Any] | None, spacing_mm: Sequence[float]) -> None:
        self.hu, self.lung = hu, lung
        self.shape = working_shape(hu.shape, spacing_mm)
        pairs = list(zip(hu.shape, self.shape, strict=True))
        self.forward = [interpolation(own, grid) if own != grid else None for own, grid in pairs]
        self.back = [interpolation(grid, own) if own != grid else None for own, grid in pairs]

    def image(self, first: int, last: int) -> Tensor:
        """Slices `first` to `last` of the working grid, scaled; (slices, y, x) float32."""
        along = self.forward[0]
        if along is None:
            (low, high), rows = (first, last), None
        else:
            low, high = _support(along[first:last])
            rows = along[first:last, low:high]
        piece = torch.from_numpy(np.asarray(self.hu[low:high], dtype=np.float32))
        return scale_hu(resample(piece, [rows, *self.forward[1:]]))

    def has_lung(self, spans: Sequence[Span]) -> bool:
        """Whether a window of the working grid has lung in it."""
        if self.lung is None:
            return True
        own = (
            slice(first * n // size, -(-last * n // size))
            for (first, last), n, size in zip(spans, self.lung.shape, self.shape, strict=True)
        )
        return bool((self.lung[tuple(own)] > 0).any())


@dataclass(frozen=True)
class _Passes:
    """The network on one window, in the chosen arithmetic, mirrored where asked for."""

    network: Callable[[Tensor], Tensor]
    config: InferenceConfig
    device: torch.device

    def __call__(self, window: Tensor) -> Tensor:
        """(z, y, x) scaled HU to (outputs, z, y, x) probabilities, float32 on the CPU."""
        precision = self.config.precision
        fast = has_fast_bf16(self.device) if precision == "auto" else precision == "bf16-mixed"
        image = window.to(self.device)[None, None]
        total = torch.zeros(())
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=fast):
            for axes in [[], *([2 + axis] for axis in range(self.config.mirrored))]:
                found = torch.sigmoid(self.network(image.flip(axes) if axes else image).float())
                total = total + (found.flip(axes) if axes else found)[0].cpu()
        return total / (1 + self.config.mirrored)


class _Slab:
    """Weighted sums over the slices that coming windows still reach."""

    def __init__(self, outputs: int, shape: Sequence[int]) -> None:
        self.total, self.weights = torch.zeros((outputs, *shape)), torch.zeros(tuple(shape))

    def add(self, found: Tensor, weight: Tensor, y: Span, x: Span) -> None:
        """What was found in a window, (outputs, z, y, x), with its weights (z, y, x)."""
        self.total[:, :, slice(*y), slice(*x)] += found * weight
        self.weights[:, slice(*y), slice(*x)] += weight

    def finished(self, n: int) -> Iterator[Tensor]:
        """The means of the first `n` slices, (outputs, y, x) each; they make room for as many new ones."""
        for z in range(n):
            yield self.total[:, z] / self.weights[z].clamp(min=LEAST_WEIGHT**3)
        self.total = torch.cat([self.total[:, n:], torch.zeros_like(self.total[:, :n])], dim=1)
        self.weights = torch.cat([self.weights[n:], torch.zeros_like(self.weights[:n])])


def _finished_slices(
    passes: _Passes, scan: _Scan, outputs: int, factor: Sequence[int], config: InferenceConfig
) -> Iterator[Tensor]:
    """The slices of the working grid in order, (outputs, y, x) each; 0 where no window with lung has been."""
    spans = [windows(*side) for side in zip(scan.shape, config.window, [config.overlap] * 3, factor, strict=True)]
    size = [side[0][1] for side in spans]
    weight = _gaussian(size)
    depth, rows, columns = scan.shape
    padded = [max(n, window) for n, window in zip(scan.shape, size, strict=True)]
    slab = _Slab(outputs, [size[0], *padded[1:]])
    for (first, last), following in zip(spans[0], [*(span[0] for span in spans[0][1:]), depth], strict=True):
        image = _filled(scan.image(first, min(last, depth)), [size[0], *padded[1:]])
        for y, x in itertools.product(*spans[1:]):
            if scan.has_lung(((first, last), y, x)):
                slab.add(passes(image[:, slice(*y), slice(*x)]), weight, y, x)
        for found in slab.finished(following - first):
            yield found[:, :rows, :columns]


def _on_own_grid(slices: Iterator[Tensor], scan: _Scan) -> Iterator[FloatArray]:
    """Slices of the working grid as slices of the scan's own, (outputs, y, x) each."""
    along = scan.back[0]
    if along is None:
        for found in slices:
            yield resample(found, scan.back[1:]).numpy()
        return
    held: deque[Tensor] = deque()
    start = 0  # of `held`, on the working grid
    for row in along:
        low, high = _support(row[None])
        while start + len(held) < high:
            held.append(next(slices))
        while start < low:
            held.popleft()
            start += 1
        mixed = torch.tensordot(row[low:high], torch.stack(list(itertools.islice(held, high - low))), dims=1)
        yield resample(mixed, scan.back[1:]).numpy()


def windows(length: int, largest: int, overlap: int, factor: int) -> list[Span]:
    """Windows of one size, a multiple of `factor`, over an axis; as few as `largest` allows, then as small as they can.

    Args:
        length: of the axis; one window reaches beyond it where it is shorter than a window.
        largest: size of a window, rounded down to a multiple of `factor`.
        overlap: least number of voxels that neighbours share, half a window at most.
        factor: see above.
    """
    largest = max(factor, largest // factor * factor)
    if length <= largest:
        return [(0, -(-length // factor) * factor)]
    overlap = min(overlap, largest // 2)
    n = math.ceil((length - overlap) / (largest - overlap))
    size = min(largest, -(-math.ceil((length + (n - 1) * overlap) / n) // factor) * factor)
    starts = [round(k * (length - size) / (n - 1)) for k in range(n)]
    return [(start, start + size) for start in starts]


def _gaussian(size: Sequence[int]) -> Tensor:
    """(z, y, x) weights of a window: its middle has seen most of its surroundings."""
    weight = torch.ones(())
    for n in size:
        distance = (torch.arange(n) + 0.5) / n - 0.5
        weight = weight[..., None] * torch.exp(-((distance / SIGMA) ** 2) / 2).clamp(min=LEAST_WEIGHT)
    return weight


def _filled(image: Tensor, size: Sequence[int]) -> Tensor:
    """The last value of each axis goes on up to `size`."""
    missing = [wanted - n for wanted, n in zip(size, image.shape, strict=True)]
    if not any(missing):
        return image
    pads = [n for amount in reversed(missing) for n in (0, amount)]
    return functional.pad(image[None, None], pads, mode="replicate")[0, 0]


def _support(rows: Tensor) -> Span:
    """First and last + 1 of the columns in which a row is not 0."""
    used = (rows > 0).any(dim=0).nonzero()
    return int(used[0]), int(used[-1]) + 1
