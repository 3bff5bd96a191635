"""What the contract suite must know of this toy."""

import numpy as np

from tests.contract.case import ContractCase, broken_arrays, calls, odd_arrays
from tests.toys.made_sets import rectangles

CASE = ContractCase(
    make_data=rectangles,
    smoke=("--fit.epochs", "2"),
    inputs=lambda: [np.random.default_rng(n).normal(size=(16 + n, 24)) for n in range(4)],
    broken=calls(broken_arrays((16, 24))),
    odd=calls(odd_arrays((16, 24))),
)
