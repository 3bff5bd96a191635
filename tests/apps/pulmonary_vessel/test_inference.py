from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from apps.pulmonary_vessel.grid import scale_hu
from apps.pulmonary_vessel.inference import has_fast_bf16, lung_box, probability, windows
from apps.pulmonary_vessel.inference_config import InferenceConfig
from shared.errors import ConfigError

GRID = (1.0, 0.75, 0.75)
SMALL = InferenceConfig(window=(8, 16, 16), overlap=4, precision="32-true")


class Counted(nn.Module):
    """Says of every voxel whether it is bright; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, ...]] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.asked.append(tuple(image.shape))
        return image * 3


@pytest.fixture
def scan() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 500, (21, 45, 38)).astype(np.int16)


def pointwise(scan: np.ndarray) -> np.ndarray:
    return torch.sigmoid(3 * scale_hu(torch.from_numpy(scan))).numpy()


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 400), st.integers(1, 160), st.integers(0, 40), st.sampled_from([1, 4, 8, 16]))
def test_windows_cover_an_axis(length, largest, overlap, factor):
    spans = windows(length, largest, overlap, factor)
    size = spans[0][1]
    assert size % factor == 0
    assert size <= max(largest, factor)
    assert spans[0][0] == 0
    assert spans[-1][1] == max(length, size)
    for (first, last), (following, _) in itertools.pairwise(spans):
        assert last - first == size
        assert first < following
        assert last - following >= min(overlap, size // 2) - factor


def test_windows_of_a_pointwise_network_join_without_a_seam(scan):
    found = probability(Counted(), scan, GRID, factor=(4, 8, 8), config=SMALL)
    assert found.shape == (1, *scan.shape)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], pointwise(scan), atol=1e-5)


def test_windows_agree_with_the_whole_where_the_network_sees_no_border(scan):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 2, 3, padding=1))
    whole = InferenceConfig(window=(64, 64, 64), precision="32-true")
    smaller = InferenceConfig(window=(12, 24, 24), overlap=10, precision="32-true")
    one, many = (
        probability(network, scan, GRID, factor=(1, 1, 1), outputs=2, config=config) for config in (whole, smaller)
    )
    assert np.abs(one - many).max() < 0.02  # borders of windows have little weight
    assert np.abs(one - many).mean() < 1e-3


def test_only_windows_with_lung_are_looked_at_and_only_the_lung_gets_an_answer(scan):
    lung = np.zeros(scan.shape, np.uint8)
    lung[2:6, 4:9, 4:9] = 1
    lung[15:18, 36:40, 30:34] = 2
    network, everywhere = Counted(), Counted()
    found = probability(network, scan, GRID, lung, factor=(4, 8, 8), config=SMALL)[0]
    probability(everywhere, scan, GRID, factor=(4, 8, 8), config=SMALL)
    assert 0 < len(network.asked) < len(everywhere.asked)
    np.testing.assert_allclose(found[lung > 0], pointwise(scan)[lung > 0], atol=1e-5)
    assert not found[lung == 0].any()


def test_without_any_lung_the_network_is_not_asked(scan):
    network = Counted()
    found = probability(network, scan, GRID, np.zeros(scan.shape, np.uint8), factor=(4, 8, 8), config=SMALL)
    assert not found.any()
    assert not network.asked


def test_another_grid_goes_there_and_back():
    """A smooth volume of thick sections: the answer lies where the scan is."""
    z, y, x = np.indices((12, 60, 50))
    scan = -400 + 300 * np.sin(z / 3.0) * np.cos(y / 8.0) * np.sin(x / 9.0)
    found = probability(Counted(), scan, (4.0, 0.5, 1.5), factor=(4, 8, 8), config=SMALL)[0]
    assert found.shape == scan.shape
    assert np.abs(found - pointwise(scan))[1:-1, 2:-2, 2:-2].max() < 0.05
    network = Counted()
    probability(network, scan[:2], (4.0, 0.5, 1.5), factor=(4, 8, 8), config=SMALL)
    assert network.asked[0][2:] == (8, 16, 16)


def test_a_scan_smaller_than_a_window_is_filled_up():
    scan = np.full((3, 5, 7), -100, np.int16)
    network = Counted()
    found = probability(network, scan, GRID, factor=(8, 8, 8), config=SMALL)
    assert network.asked == [(1, 1, 8, 8, 8)]
    np.testing.assert_allclose(found[0], pointwise(scan), atol=1e-5)


def test_mirrored_passes_are_averaged(scan):
    class Sided(Counted):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            super().forward(image)
            ramp = torch.linspace(-2, 2, image.shape[2])[:, None, None]
            return ramp.expand_as(image)

    config = InferenceConfig(window=(32, 64, 64), mirrored=1, precision="32-true")
    found = probability(Sided(), scan[:16], GRID, factor=(1, 1, 1), config=config)
    np.testing.assert_allclose(found, 0.5, atol=1e-6)


def test_memory_does_not_grow_with_the_slices():
    def peak(slices: int) -> int:
        """Bytes beside the scan and the answer; NumPy's alone, the tensors' sizes are seen below."""
        scan = np.zeros((slices, 48, 48), np.int16)
        held.clear()
        tracemalloc.start()
        answer = probability(watched, scan, (1.5, 0.75, 0.75), factor=(4, 8, 8), config=SMALL)
        most = tracemalloc.get_traced_memory()[1] - answer.nbytes
        tracemalloc.stop()
        return most + max(held)

    held: list[int] = []

    def watched(image: torch.Tensor) -> torch.Tensor:
        held.append(image.untyped_storage().nbytes())
        return image

    assert peak(160) < 1.3 * peak(40)


def test_the_box_is_the_lung_and_a_margin():
    lung = np.zeros((50, 60, 70), bool)
    lung[20:30, 0:5, 40:45] = True
    assert lung_box(lung, lung.shape, (2.0, 1.0, 0.5)) == (slice(15, 35), slice(0, 15), slice(20, 65))
    assert lung_box(None, lung.shape, GRID) == (slice(0, 50), slice(0, 60), slice(0, 70))


def test_arithmetic_of_16_bits_answers_alike(scan):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 1, 3, padding=1))
    answers = [
        probability(network, scan, GRID, factor=(1, 1, 1), config=InferenceConfig(precision=precision))
        for precision in ("32-true", "bf16-mixed")
    ]
    difference = np.abs(answers[0] - answers[1])
    assert 0 < difference.max() < 0.02
    assert isinstance(has_fast_bf16(torch.device("cpu")), bool)


def test_an_overlap_as_large_as_the_window_is_refused():
    with pytest.raises(ConfigError, match="overlap"):
        InferenceConfig(window=(16, 64, 64), overlap=16)
