"""What the contract suite must know of this toy."""

import numpy as np
from hypothesis import strategies as st

from tests.contract.case import ContractCase, broken_arrays, calls, odd_arrays
from tests.toys.made_sets import volumes

SCAN = np.random.default_rng(0).normal(size=(5, 6, 7))
WRONG_SPACING = st.sampled_from([(SCAN, {"spacing_mm": spacing}) for spacing in ((1.0, 2.0), (1.0, 0.0, 1.0), None)])

CASE = ContractCase(
    make_data=volumes,
    smoke=("--fit.epochs", "2"),
    inputs=lambda: [np.random.default_rng(n).normal(size=(5, 6, 7 + n)) for n in range(3)],
    broken=calls(broken_arrays((5, 6, 7))) | WRONG_SPACING,
    odd=calls(odd_arrays((5, 6, 7))),
)
