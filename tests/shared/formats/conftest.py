from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest


@pytest.fixture
def wave() -> npt.NDArray[np.float64]:
    """Ten seconds at 250 Hz, two leads, in mV, with five missing samples in the first."""
    times = np.arange(2500) / 250.0
    signal = np.stack([np.sin(2 * np.pi * 1.3 * times), 0.5 * np.cos(2 * np.pi * 2.1 * times)], axis=1)
    signal[100:105, 0] = np.nan
    return signal
