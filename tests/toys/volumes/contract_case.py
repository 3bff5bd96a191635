"""What the contract suite must know of this toy."""

import numpy as np

from tests.contract.case import ContractCase, broken_arrays, calls, odd_arrays
from tests.toys.made_sets import volumes

CASE = ContractCase(
    make_data=volumes,
    smoke=("--fit.epochs", "2"),
    inputs=lambda: [np.random.default_rng(n).normal(size=(5, 6, 7 + n)) for n in range(3)],
    broken=calls(broken_arrays((5, 6, 7))),
    odd=calls(odd_arrays((5, 6, 7))),
)
