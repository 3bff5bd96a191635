from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from apps.pulmonary_vessel.grid import interpolation, resample, scale_hu, working_shape


def test_interpolation_to_a_finer_grid_is_that_of_torch():
    volume = torch.rand(5, 7, 6)
    ours = resample(volume, [interpolation(5, 12), interpolation(7, 9), interpolation(6, 6)])
    theirs = functional.interpolate(volume[None, None], (12, 9, 6), mode="trilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(ours, theirs)


def test_interpolation_to_a_coarser_grid_averages_noise():
    noise = torch.randn(3, 400)
    coarse = resample(noise, [interpolation(400, 100)])
    assert coarse.std() < 0.6  # picking every fourth sample would leave it at 1
    torch.testing.assert_close(interpolation(400, 100).sum(dim=1), torch.ones(100))


def test_a_scan_goes_to_the_grid_and_back():
    wave = torch.sin(torch.linspace(0, 6, 30))
    back = resample(resample(wave, [interpolation(30, 75)]), [interpolation(75, 30)])
    assert (back - wave)[2:-2].abs().max() < 0.02


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        ((1.0, 0.75, 0.75), (100, 200, 300)),
        ((1.09, 0.70, 0.82), (100, 200, 300)),  # within a tenth: left alone
        ((5.0, 0.75, 0.6), (500, 200, 240)),
        ((0.001, 0.75, 0.75), (1, 200, 300)),
    ],
)
def test_only_axes_with_another_spacing_change(spacing, shape):
    assert working_shape((100, 200, 300), spacing) == shape


def test_hu_are_scaled_and_clipped():
    scaled = scale_hu(torch.tensor([-3024, -1000, -400, 50, 3000], dtype=torch.int16))
    torch.testing.assert_close(scaled, torch.tensor([-1.04, -1.0, 0.0, 0.75, 5 / 3]))
