"""Named splits: which fold or role each group of rows belongs to, kept as a small file beside the data.

A split deals the values of one column, never rows by position, so that it stays true when items are added or dropped.
One that puts a declared group (a patient, a speaker) on two sides must say so: its name starts with "leaky-" and it
lists the group in `cuts`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from shared.atomic import read_json, write_json
from shared.errors import ConfigError, InputError
from shared.split_config import SplitConfig
from shared.table import Table, require

__all__ = [
    "LEAKY",
    "TRAIN",
    "Split",
    "SplitCheck",
    "SplitConfig",
    "check_split",
    "make_group_folds",
    "role_values",
    "roles",
]

LEAKY = "leaky-"
"""How the name of a split begins that cuts a group."""
TRAIN = "train"
"""The role of training rows in a split of roles; in one of folds every fold that is not held out trains."""

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Split:
    """One way to deal a set into folds (numbers) or roles (words)."""

    name: str
    """Names the file and the `--split.name` of every verb."""
    column: str
    """Column of the index (or of a table) whose values are dealt."""
    assignment: Mapping[str, int | str]
    """Value of the column, as text -> fold number, or role such as "train", "val", "test"."""
    description: str = ""
    """One sentence for a reader: who is kept apart from whom."""
    cuts: tuple[str, ...] = ()
    """Groups that lie on both sides on purpose."""

    def __post_init__(self) -> None:
        if not _FILE_NAME.fullmatch(self.name):
            raise InputError(
                f"A split's name is a file name of letters, digits, '.', '_' and '-'; found {self.name!r}."
            )
        if self.name.startswith(LEAKY) != bool(self.cuts):
            raise InputError(
                f"Split {self.name!r} lists {list(self.cuts)} as cut: a split that cuts a group, and only such a one, "
                f"has a name that starts with {LEAKY!r} and names the group in `cuts`."
            )
        if not self.assignment:
            raise InputError(f"Split {self.name!r} assigns nothing: map values of {self.column!r} to folds or roles.")
        if not all(isinstance(value, str) for value in self.assignment):
            raise InputError(f"The values that split {self.name!r} assigns must be text, as in JSON: use str(value).")
        if {type(fold) for fold in self.assignment.values()} not in ({int}, {str}):
            raise InputError(
                f"Split {self.name!r} must assign fold numbers (int) throughout, or role names throughout."
            )

    @property
    def folds(self) -> tuple[int | str, ...]:
        """The fold numbers or roles, sorted."""
        return tuple(sorted(set(self.assignment.values())))

    def of(self, index: Table) -> npt.NDArray[np.object_]:
        """The fold number or role of each row, (n,) object. Raises InputError where a value is not assigned."""
        require(index, self.column)
        try:
            dealt = [self.assignment[str(value)] for value in index[self.column].tolist()]
        except KeyError as error:
            raise InputError(
                f"Split {self.name!r} does not assign {self.column} {error}: every value needs a fold or role."
            ) from error
        return np.array(dealt, dtype=object)

    def write(self, folder: Path) -> Path:
        """Write `folder`/NAME.json (`folder` is the folder splits/ of a set) and return its path."""
        path = Path(folder) / f"{self.name}.json"
        write_json(path, {**asdict(self), "cuts": list(self.cuts)})
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The split in a file. Raises InputError where there is none, or it is damaged or breaks a rule."""
        try:
            stored: dict[str, Any] = read_json(path)
            return cls(**{**stored, "cuts": tuple(stored.get("cuts", ()))})
        except FileNotFoundError as error:
            raise InputError(f"There is no split file {path}.") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no split file: {error}") from error


class SplitCheck:
    """Watches rows go by, all at once or as a stream, and remembers on which side each declared group was seen.

    Args:
        split: to be checked.
        groups: columns that the split must not cut; those it lists in `cuts` are left alone.
    """

    def __init__(self, split: Split, groups: Sequence[str]) -> None:
        self.split = split
        self._sides: dict[str, dict[Any, int | str]] = {group: {} for group in groups if group not in split.cuts}

    def see(self, table: Table) -> None:
        """Take the next rows. Raises InputError that names a group on two sides, or a value without a side."""
        folds = self.split.of(table)
        for group, sides in self._sides.items():
            require(table, group)
            for value, fold in zip(table[group].tolist(), folds, strict=True):
                if sides.setdefault(value, fold) != fold:
                    raise InputError(
                        f"Split {self.split.name!r} cuts {group} {value!r}: its rows are in {sides[value]!r} and in "
                        f"{fold!r}. Deal by {group!r}, or name the split {LEAKY + self.split.name!r} and list "
                        f"{group!r} in its cuts."
                    )


def check_split(split: Split, index: Table, groups: Sequence[str]) -> None:
    """Raise InputError, with an example, where a split cuts one of `groups` without saying so."""
    SplitCheck(split, groups).see(index)


def make_group_folds(index: Table, group: str, n_folds: int, stratify: str | None, seed: int, name: str) -> Split:
    """Deal whole groups into folds that are alike in size and in the classes they hold (StratifiedGroupKFold).

    Args:
        index: columns `group` and `stratify`.
        group: column whose values stay whole.
        n_folds: number of folds, 2 or more.
        stratify: column of classes; None balances sizes only.
        seed: of the shuffling.
        name: of the split.

    Raises:
        InputError: there are fewer groups than folds.
        ConfigError: fewer than two folds are asked for.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    require(index, group, *([stratify] if stratify else []))
    groups = np.array([str(value) for value in index[group].tolist()], dtype=object)
    found = len(set(groups))
    if n_folds < 2:
        raise ConfigError(f"A split needs at least 2 folds, found {n_folds}.")
    if found < n_folds:
        raise InputError(
            f"{n_folds} folds need as many values of {group!r}, found {found}: ask for fewer folds (prepare: --folds)."
        )
    classes = np.array([str(value) for value in index[stratify].tolist()] if stratify else [""] * len(groups))
    if np.unique(classes, return_counts=True)[1].max() < n_folds:
        raise InputError(f"No value of {stratify!r} has as many rows as there are folds ({n_folds}): ask for fewer.")
    dealer = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    assignment: dict[str, int | str] = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for fold, (_, held_out) in enumerate(dealer.split(groups, classes, groups)):
            assignment |= dict.fromkeys(groups[held_out], fold)
    alike = f", alike in {stratify!r}" if stratify else ""
    return Split(name, group, dict(sorted(assignment.items())), f"{n_folds} folds by {group!r}{alike}, seed {seed}")


def _role_folds(split: Split, config: SplitConfig) -> dict[str, set[int | str]]:
    """The folds or roles of the split that serve as "train", "validation" and "test"."""
    known = ", ".join(map(str, split.folds))
    for option, fold in (("test", config.test), ("validation", config.validation)):
        if fold is not None and fold not in split.folds:
            raise ConfigError(
                f"split.{option} is {fold!r}, and split {split.name!r} has {known}: "
                f"say, for example, --split.{option} {split.folds[-1]}."
            )
    if config.test is not None and config.test == config.validation:
        raise ConfigError(f"split.test and split.validation are both {config.test!r}: hold out two different parts.")
    held_out = {config.validation, config.test} - {None}
    of_words = isinstance(split.folds[0], str)
    training = (set(split.folds) & {TRAIN} if of_words else set(split.folds)) - held_out
    if not training:
        raise ConfigError(
            f"Split {split.name!r} leaves nothing to train on: it has {known}, held out are {held_out}"
            + (f"; training rows have the role {TRAIN!r}." if of_words else ".")
        )
    return {
        TRAIN: training,
        "validation": set() if config.validation is None else {config.validation},
        "test": set() if config.test is None else {config.test},
    }


def role_values(split: Split, config: SplitConfig) -> dict[str, tuple[str, ...]]:
    """The values of the split's column in "train", "validation" and "test": the filter on a stream (`batches(where=)`).

    Raises ConfigError where `config` names a fold or role that the split has not, or leaves nothing to train on.
    """
    return {
        role: tuple(value for value, fold in split.assignment.items() if fold in folds)
        for role, folds in _role_folds(split, config).items()
    }


def roles(split: Split, index: Table, config: SplitConfig) -> dict[str, npt.NDArray[np.int64]]:
    """The row numbers of "train", "validation" and "test", ascending.

    In a split of folds, every fold that is not held out trains. In a split of roles, the rows of role "train" do.
    What is None in `config` has no rows.

    Raises:
        ConfigError: `config` names a fold or role that the split has not, or leaves nothing to train on.
        InputError: the split does not assign a value of the index.
    """
    role_folds = _role_folds(split, config)
    dealt = split.of(index).tolist()
    return {
        role: np.array([row for row, fold in enumerate(dealt) if fold in folds], dtype=np.int64)
        for role, folds in role_folds.items()
    }
