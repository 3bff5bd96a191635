"""Phantoms as a prepared set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.synth.pulmonary_vessel import grid_of, phantom_of, prepare, write_phantoms
from shared.errors import ConfigError
from shared.prepared import PreparedSet

SHAPE = (24, 40, 40)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    write_phantoms(folder, 6, 1, shape=SHAPE, workers=1)
    return PreparedSet(folder)


def test_the_set_is_whole_and_says_what_it_is(made: PreparedSet) -> None:
    assert made.verify() == []
    assert made.manifest.synthetic
    assert made.manifest.groups == ("patient",)
    assert len(made) == 6
    assert set(made.index["origin"]) == {"phantom"}
    assert set(made.index["contrast"]) <= {"plain", "contrast"}
    assert list(made.index["patient"][:2]) == ["phantom 100000", "phantom 100001"]


def test_fields_share_the_grid(made: PreparedSet) -> None:
    for row in range(len(made)):
        labels = made.read("labels", row)
        assert made.read("ct", row).shape == labels.shape == made.read("artery_vein", row).shape == SHAPE
        np.testing.assert_array_equal(made.read("lung", row), labels > 0)
        assert made.read("points", row).shape == (0, 5)
        assert made.read("centreline", row).shape[1] == 5


def test_every_fold_has_phantoms_and_no_person_is_in_two(made: PreparedSet) -> None:
    folds = made.split("folds").of(made.index)
    assert set(folds) == set(range(5))
    assert len(set(made.index["patient"])) == len(made)


def test_a_phantom_does_not_depend_on_its_set(made: PreparedSet) -> None:
    np.testing.assert_array_equal(phantom_of(100_003, SHAPE).ct, made.read("ct", 3))


def test_several_processes_make_the_same_set(made: PreparedSet, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "set", 6, 1, shape=SHAPE, workers=2)
    assert PreparedSet(tmp_path / "set").manifest.files == made.manifest.files


def test_grids_are_those_of_clinical_scans() -> None:
    thick = 0
    for number in range(40):
        shape, spacing = grid_of(number)
        extent = np.array(shape) * spacing
        assert np.all((extent > 90) & (extent < 190))
        assert 0.58 <= spacing[1] == spacing[2] <= 0.88
        thick += spacing[0] > 2.9
    assert 1 <= thick <= 8


def test_too_few_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 5"):
        prepare(tmp_path / "set", 4)
