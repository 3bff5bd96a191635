"""Named splits: what they refuse, how folds are made, what each role gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigError, InputError
from shared.splits import Split, SplitCheck, SplitConfig, check_split, make_group_folds, role_values, roles


def table(**columns: list) -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype=object) for name, values in columns.items()}


FOLDS = Split("folds", "patient", {"a": 0, "b": 1, "c": 2})
ROLES = Split("official", "patient", {"a": "train", "b": "val", "c": "test", "d": "unused"})
INDEX = table(patient=["a", "a", "b", "c", "c"])


def test_of_gives_the_fold_of_each_row_and_numbers_are_matched_as_text() -> None:
    assert FOLDS.of(INDEX).tolist() == [0, 0, 1, 2, 2]
    assert Split("folds", "day", {"20131021": 0}).of({"day": np.array([20131021])}).tolist() == [0]


def test_a_value_without_a_side_is_named() -> None:
    with pytest.raises(InputError, match="does not assign patient 'z'"):
        FOLDS.of(table(patient=["a", "z"]))


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no column 'patient'.*'patients'"):
        FOLDS.of(table(patients=["a"]))


def test_files_keep_everything(tmp_path: Path) -> None:
    leaky = Split("leaky-random", "item", {"x": 0, "y": 1}, "at random", ("patient",))
    assert [Split.read(split.write(tmp_path)) for split in (FOLDS, ROLES, leaky)] == [FOLDS, ROLES, leaky]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../x"}, "file name"),
        ({"name": "leaky-x"}, "leaky-"),
        ({"cuts": ["patient"]}, "leaky-"),
        ({"assignment": {}}, "assigns nothing"),
        ({"assignment": {"a": 0, "b": "test"}}, "throughout"),
        ({"assignment": {"a": 0.5}}, "throughout"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    path = FOLDS.write(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(InputError, match=message):
        Split.read(path)


def test_damaged_and_absent_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"name": "fo')
    with pytest.raises(InputError, match=r"cut\.json is no split file"):
        Split.read(tmp_path / "cut.json")
    with pytest.raises(InputError, match="There is no split file"):
        Split.read(tmp_path / "none.json")


def test_a_silent_cut_is_refused_with_an_example() -> None:
    index = table(patient=["a", "a", "b"], item=["1", "2", "3"])
    silent = Split("random", "item", {"1": 0, "2": 1, "3": 1})
    with pytest.raises(InputError, match=r"cuts patient 'a'.*'leaky-random'"):
        check_split(silent, index, ["patient"])
    check_split(Split("leaky-random", "item", silent.assignment, cuts=("patient",)), index, ["patient"])
    check_split(Split("folds", "patient", {"a": 0, "b": 1}), index, ["patient"])


def test_a_cut_is_seen_across_the_pieces_of_a_stream() -> None:
    check = SplitCheck(Split("days", "day", {"1": "train", "2": "test"}), ["user"])
    check.see({"day": np.array([1, 1]), "user": np.array([7, 8])})
    with pytest.raises(InputError, match="cuts user 8"):
        check.see({"day": np.array([2]), "user": np.array([8])})


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from("xyz")), min_size=12, max_size=60), st.integers(2, 3))
def test_group_folds_never_cut_a_group_and_assign_every_one(rows: list[tuple[int, str]], n_folds: int) -> None:
    rows += [(group, "x") for group in range(n_folds)]
    index = table(group=[group for group, _ in rows], cls=[cls for _, cls in rows])
    split = make_group_folds(index, "group", n_folds, stratify="cls", seed=3, name="folds")
    check_split(split, index, ["group"])
    assert set(split.of(index)) <= set(range(n_folds))
    assert split == make_group_folds(index, "group", n_folds, stratify="cls", seed=3, name="folds")


def test_group_folds_spread_the_classes() -> None:
    index = table(patient=[f"p{i}" for i in range(40)], cls=["rare"] * 8 + ["common"] * 32)
    split = make_group_folds(index, "patient", 4, stratify="cls", seed=0, name="folds")
    assert [int((split.of(index)[:8] == fold).sum()) for fold in range(4)] == [2, 2, 2, 2]
    even = make_group_folds(index, "patient", 4, stratify=None, seed=0, name="folds")
    assert [int((even.of(index) == fold).sum()) for fold in range(4)] == [10, 10, 10, 10]


def test_folds_that_cannot_be_made_are_refused() -> None:
    index = table(patient=["a", "b", "c"], cls=["x", "y", "z"])
    with pytest.raises(InputError, match="found 3"):
        make_group_folds(index, "patient", 4, stratify="cls", seed=0, name="folds")
    with pytest.raises(InputError, match="as many rows"):
        make_group_folds(index, "patient", 3, stratify="cls", seed=0, name="folds")
    with pytest.raises(ConfigError, match="at least 2"):
        make_group_folds(index, "patient", 1, stratify="cls", seed=0, name="folds")


@pytest.mark.parametrize(
    ("config", "train", "validation", "test"),
    [
        (SplitConfig(), [2, 3, 4], [], [0, 1]),
        (SplitConfig(test=2, validation=1), [0, 1], [2], [3, 4]),
        (SplitConfig(test=None), [0, 1, 2, 3, 4], [], []),
    ],
)
def test_roles_of_folds(config: SplitConfig, train: list[int], validation: list[int], test: list[int]) -> None:
    got = roles(FOLDS, INDEX, config)
    assert {role: rows.tolist() for role, rows in got.items()} == {
        "train": train, "validation": validation, "test": test,
    }  # fmt: skip


def test_roles_of_words_train_on_train_only() -> None:
    index = table(patient=["a", "b", "c", "d"])
    got = roles(ROLES, index, SplitConfig("official", test="test", validation="val"))
    assert {role: rows.tolist() for role, rows in got.items()} == {"train": [0], "validation": [1], "test": [2]}
    assert roles(ROLES, index, SplitConfig("official", test="test"))["train"].tolist() == [0]


def test_role_values_are_the_filter_of_a_stream() -> None:
    values = role_values(ROLES, SplitConfig("official", test="test"))
    assert values == {"train": ("a",), "validation": (), "test": ("c",)}


@pytest.mark.parametrize(
    ("split", "config", "message"),
    [
        (FOLDS, SplitConfig(test=7), "split.test is 7, and split 'folds' has 0, 1, 2"),
        (ROLES, SplitConfig(), "--split.test"),
        (FOLDS, SplitConfig(test=1, validation=1), "both 1"),
        (Split("two", "patient", {"a": 0, "b": 1}), SplitConfig(test=0, validation=1), "nothing to train on"),
        (Split("odd", "patient", {"a": "training", "b": "test"}), SplitConfig(test="test"), "have the role 'train'"),
    ],
)
def test_settings_that_do_not_fit_the_split_are_refused(split: Split, config: SplitConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        roles(split, INDEX, config)
