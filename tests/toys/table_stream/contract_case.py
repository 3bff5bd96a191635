"""What the contract suite must know of this toy."""

from hypothesis import strategies as st

from tests.contract.case import ContractCase, calls
from tests.toys.made_sets import clicks

NO_CODES = st.one_of(st.none(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
NO_ROWS = st.sampled_from([None, 3, [], {}, {"user": 1}, {"ad": 1}, "no such file.json", [("user", 1), ("ad", 2)]])

CASE = ContractCase(
    make_data=clicks,
    smoke=("--fit.epochs", "2"),
    inputs=lambda: [{"user": user, "ad": 2 * user, "not used": "x"} for user in range(5)],
    broken=calls(NO_ROWS | st.fixed_dictionaries({"user": st.integers(), "ad": NO_CODES})),
    odd=calls(st.fixed_dictionaries({"user": st.integers(), "ad": st.integers()})),
)
