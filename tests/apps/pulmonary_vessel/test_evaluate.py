"""Scored scans as a table: labels, silver masks, sparse points, pairs, and thresholds chosen apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from apps.pulmonary_vessel.cleaning_config import CleaningConfig
from apps.pulmonary_vessel.data import PreparedScan, check_set, held_back, read_scans
from apps.pulmonary_vessel.error_picture import outcomes
from apps.pulmonary_vessel.evaluate import CHOICE, METRICS, REPORTED, Scoring, chosen_threshold, scored
from apps.pulmonary_vessel.result_tables import tables
from data_prep.__main__ import main as data_prep
from shared.errors import ConfigError, InputError
from shared.metrics.dense import MEAN_DICE
from shared.prepared import PreparedSet
from shared.results import NETWORK, labelled
from shared.table import Table, take
from tests.apps.pulmonary_vessel.made_real import EACH, write_files
from tests.apps.pulmonary_vessel.made_scans import prepared as tubes
from tests.apps.pulmonary_vessel.made_tubes import SPACING, made_scan
from tests.toys import made_sets

AS_IS = CleaningConfig(smallest_mm3=0.0)


def bright(hu: npt.NDArray[np.generic], _: object, lung: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Brightness from -1000 to 200 HU as a probability: air 0, vessels 0.87."""
    return (np.clip((hu.astype(np.float32) + 1000) / 1200, 0, 1) * (lung > 0)).astype(np.float32)


def phantom(seed: int, origin: str = "phantom") -> PreparedScan:
    scan = made_scan(seed)
    facts = {"item": f"{origin} {seed}", "patient": f"{origin} {seed}", "origin": origin, "contrast": "plain"}
    facts |= {"section_mm": 1.5, "noise_hu": 30.0, "spacing_z": SPACING[0], "pair": ""}
    points = np.zeros((0, 5), np.float32)
    return PreparedScan(np.asarray(scan.hu), np.asarray(scan.lung), scan.labels, "labels", points, SPACING, facts)


@pytest.fixture(scope="module")
def table() -> Table:
    return Scoring(bright, 0.65, AS_IS).table(map(phantom, range(3)))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("real")
    write_files(folder / "files")
    assert data_prep(["prepare", "pulmonary_vessel", str(folder / "files"), "--out", str(folder / "set")]) == 0
    return PreparedSet(folder / "set")


def test_each_scan_has_a_row_at_every_threshold_and_one_is_the_models_own(table: Table) -> None:
    assert sorted(set(table["threshold"].tolist())) == sorted({*REPORTED, 0.65})
    assert table["chosen"].sum() == 3
    own = scored(table)
    assert own["threshold"].tolist() == [0.65] * 3
    assert 0.8 < MEAN_DICE(own) <= 1
    assert np.isfinite(own["skeleton"]).all()
    assert np.isnan(take(table, ~table["chosen"])["skeleton"]).all()
    values = {metric.name: metric(own) for metric in METRICS}
    assert values["fissure called vessel"] < 0.5
    assert sum(np.isfinite(value) for value in values.values()) > len(values) - 2


def test_counts_are_those_of_the_finished_mask() -> None:
    scans = [phantom(0)]
    rough, clean = (
        scored(Scoring(bright, 0.35, CleaningConfig(smallest_mm3=size)).table(scans)) for size in (0.0, 5.0)
    )
    assert clean["components"] < rough["components"]
    assert clean["fp"] <= rough["fp"]


def test_a_threshold_is_the_best_of_those_that_all_scans_have(table: Table) -> None:
    dice = {step: MEAN_DICE(take(table, table["threshold"] == step)) for step in REPORTED}
    assert chosen_threshold(take(table, table["threshold"] != 0.65)) == max(dice, key=lambda step: dice[step])
    finer = Scoring(bright, CHOICE[0], AS_IS, CHOICE, shapes=False).table([phantom(3)])
    assert len(finer["threshold"]) == len(CHOICE)
    assert chosen_threshold(finer) in CHOICE


def test_patients_are_held_back_evenly_and_never_all(tmp_path: Path) -> None:
    set_of_nine = tubes(tmp_path / "nine", 9, shape=(8, 16, 16))
    rows = np.arange(9)
    back = held_back(set_of_nine, rows, 2)
    assert np.flatnonzero(back).tolist() == [2, 6]
    assert held_back(set_of_nine, rows, 100).sum() == 3
    assert held_back(set_of_nine, rows[:2], 8).sum() == 1
    with pytest.raises(ConfigError, match="validation"):
        held_back(set_of_nine, rows[:1], 1)


def test_a_set_of_something_else_is_refused(tmp_path: Path) -> None:
    made_sets.volumes(tmp_path / "toy")
    with pytest.raises(InputError, match="no set of chest CT"):
        check_set(PreparedSet(tmp_path / "toy"))


def test_scans_without_labels_have_points_pairs_and_silver_masks(real: PreparedSet) -> None:
    check_set(real)
    found = Scoring(bright, 0.65, AS_IS).table(read_scans(real, range(len(real))))
    own = scored(found)
    by_item = {str(name): place for place, name in enumerate(own["item"])}
    dotted, ruled = by_item["dotted"], by_item["ruled"]
    assert own["points"][dotted] == 4 * EACH
    assert own["points_right"][dotted] == 3 * EACH
    assert own["points_airway_wall_marked"][dotted] == EACH  # as bright as vessels here
    assert own["point_pairs"][dotted] == 3 * EACH * EACH
    assert own["points_vessel_marked"][dotted] == EACH
    assert own["points_fissure"][dotted] == EACH
    second = by_item["twice_kernelB"]
    assert own["pair_tp"][second] > 0.8 * (own["pair_tp"] + own["pair_fp"])[second]
    assert np.isnan(own["pair_tp"][by_item["twice_kernelA"]])
    assert np.isnan(own["tp"]).all()
    silver = take(found, found["chosen"].astype(bool) & (found["truth"] == "silver"))
    assert silver["item"].tolist() == ["ruled"]
    assert MEAN_DICE(silver) > 0.7
    assert np.isnan(own["points"][ruled])
    captions = [shown.caption for shown in tables(labelled(found, NETWORK))]
    assert captions == ["At sparse points", "Two reconstructions of one acquisition", "Against masks made by a rule"]


def test_lungs_that_did_not_come_with_a_scan_are_found(real: PreparedSet) -> None:
    row = real.index["item"].tolist().index("ruled")
    assert not real.read("lung", row).any()
    scan = next(read_scans(real, [row]))
    assert scan.lung.any()
    assert not scan.labels[scan.lung == 0].any()


def test_every_line_says_what_kind_of_scan_it_is(table: Table) -> None:
    renderings = Scoring(bright, 0.65, AS_IS).table([phantom(4, "rendering")])
    both = {name: np.concatenate([table[name], renderings[name]]) for name in table}
    shown = {made.caption.partition(":")[0]: made for made in tables(labelled(both, NETWORK))}
    assert [row[0] for row in shown["Beside the challenge"].rows][:2] == ["phantom", "rendering"]
    assert shown["Beside the challenge"].rows[-1][3].startswith("0.70 to 0.85")
    assert "ISICDM" in shown["Beside the challenge"].rows[-1][0]
    assert all(row[0].startswith("phantom, ") for row in shown["By contrast, section and noise"].rows)
    assert [row[0] for row in shown["Scan by scan"].rows][-1] == "rendering 4 (rendering)"


def test_outcomes_tell_what_was_marked_wrongly() -> None:
    labels = np.array([[[0, 1, 2, 2, 4, 3, 6]]], np.uint8)
    mask = np.array([[[1, 0, 1, 0, 1, 0, 1]]], np.uint8)
    np.testing.assert_array_equal(outcomes(mask, labels), [[[0, 0, 1, 2, 4, 0, 3]]])
