"""What the contract suite must know of the vessel segmenter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from data_prep.lung_phantom.phantom import render
from data_prep.synth import pulmonary_vessel
from tests.contract.case import ContractCase, broken_arrays, calls, odd_arrays

SPACING = [1.5, 1.0, 1.0]
SHAPE = (24, 40, 40)


def crop(seed: int, depth: int = SHAPE[0]) -> npt.NDArray[np.int16]:
    """A part of a phantom's lung with the chest wall."""
    z, y, x = SPACING
    return render(seed, (depth, *SHAPE[1:]), (z, y, x)).ct


NO_SPACING = st.sampled_from([None, (1.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, float("nan")), (1.0, 1.0, 90.0), "mm", 1.0])
NO_THRESHOLD = st.sampled_from([-0.1, 1.1, float("nan"), "half", True])
NO_LUNG = st.sampled_from([np.ones((2, 2, 2)), np.ones(3), "no such file.nii.gz", 3.5])
WRONG_CALLS = (
    NO_SPACING.map(lambda spacing: {"spacing": spacing})
    | NO_THRESHOLD.map(lambda threshold: {"spacing": SPACING, "threshold": threshold})
    | NO_LUNG.map(lambda lung: {"spacing": SPACING, "lung_mask": lung})
)

CASE = ContractCase(
    make_data=lambda folder: pulmonary_vessel.write_phantoms(folder, 6, 3, shape=SHAPE, workers=1),
    smoke=("--config", "smoke"),
    inputs=lambda: [crop(seed, SHAPE[0] + 2 * seed) for seed in range(3)],
    keywords={"spacing": SPACING},
    broken=calls(broken_arrays(SHAPE), spacing=SPACING) | st.tuples(st.just(crop(0)), WRONG_CALLS),
    odd=calls(odd_arrays(SHAPE), spacing=SPACING),
    by_heart=("--network.filters", "[8,16]"),
)
