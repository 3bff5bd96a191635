from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.ecg_set import prepare
from data_prep.ecg_shock import EcgShockConfig
from data_prep.synth import ecg_shock as synth
from shared.errors import ConfigError, InputError
from shared.formats.wfdb import read_record
from shared.prepared import PreparedSet
from shared.splits import check_split

ITEMS = 48


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six made-up patients, each with eight stretches of one rhythm."""
    return synth.write_records(tmp_path_factory.mktemp("raw") / "made", items=ITEMS, seed=3)


@pytest.fixture(scope="module")
def prepared(records: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    out = tmp_path_factory.mktemp("set") / "made"
    prepare([records], out, EcgShockConfig(folds=3, seed=1))
    return PreparedSet(out)


def test_windows_are_the_record_s_samples_at_its_own_rate(prepared: PreparedSet, records: Path) -> None:
    index = prepared.index
    assert len(prepared) == ITEMS == len(set(index["item"]))
    assert set(index["sampling_rate"]) == {250.0, 360.0}
    for row in (0, 17, ITEMS - 1):
        start, duration = float(index["start_s"][row]), float(index["duration_s"][row])
        recording = read_record(records / str(index["record"][row]), None, start, duration)
        ecg = prepared.read("ecg", row)
        assert ecg.dtype == np.float32
        assert ecg.shape == (round(5.0 * float(index["sampling_rate"][row])), 2)
        assert np.array_equal(ecg, recording.signal)
    assert index["item"][0] == "made/s00/000002.500"
    assert index["lead_names"][0] == "ECG1,ECG2"


def test_every_rhythm_gets_its_class_and_target(prepared: PreparedSet) -> None:
    index = prepared.index
    found = set(zip(index["rhythm"], index["cls"], index["target"], strict=True))
    assert found == {
        ("N", "N_NSR", 0),
        ("AFIB", "N_ONR", 0),
        ("T", "N_ONR", 0),
        ("ASYS", "N_ASYS", 0),
        ("VF", "S_VF", 1),
        ("VT", "S_VT", 1),
    }


def test_folds_keep_patients_whole_and_the_leaky_split_says_that_it_does_not(prepared: PreparedSet) -> None:
    assert set(prepared.splits) == {"folds", "leaky-random"}
    folds, leaky = prepared.split("folds"), prepared.split("leaky-random")
    check_split(folds, prepared.index, ("patient",))
    assert folds.folds == (0, 1, 2)
    assert np.array_equal(folds.of(prepared.index), prepared.index["fold"])
    assert leaky.cuts == ("patient",)
    patients = {
        (patient, fold) for patient, fold in zip(prepared.index["patient"], leaky.of(prepared.index), strict=True)
    }
    assert len(patients) > 2 * len(set(prepared.index["patient"]))
    assert set(Counter(leaky.assignment.values()).values()) == {ITEMS // 3}


def test_the_set_is_sound_and_says_what_it_is(prepared: PreparedSet) -> None:
    assert prepared.verify() == []
    manifest = prepared.manifest
    assert manifest.groups == ("patient",)
    assert manifest.licence == "made: not stated"
    assert manifest.citation == ""
    assert [field.unit for field in manifest.fields] == ["mV"]


def test_the_licence_is_what_is_known_of_each_database(records: Path, tmp_path: Path) -> None:
    def licence(out: str, **settings: str) -> str:
        prepare([tmp_path / "raw"], tmp_path / out, EcgShockConfig(folds=3, **settings))
        return PreparedSet(tmp_path / out).manifest.licence

    shutil.copytree(records, tmp_path / "raw" / "vfdb")
    assert licence("one") == "ODC-By-1.0"
    assert "PhysioNet" in PreparedSet(tmp_path / "one").manifest.citation
    shutil.copytree(records, tmp_path / "raw" / "mine")
    assert licence("two") == "ODC-By-1.0; mine: not stated"
    assert licence("three", licence="CC0-1.0") == "CC0-1.0"


@pytest.mark.parametrize(("window_s", "step_s", "each"), [(2.0, None, 2), (2.0, 1.0, 4), (4.0, 0.5, 3), (5.0, 5.0, 1)])
def test_any_length_and_step_inside_one_rhythm(
    records: Path, tmp_path: Path, window_s: float, step_s: float | None, each: int
) -> None:
    prepare([records], tmp_path / "out", EcgShockConfig(window_s=window_s, step_s=step_s, folds=2))
    index = PreparedSet(tmp_path / "out").index
    rhythms = Counter(rhythm for rhythm in index["rhythm"] if rhythm != "NOISE")
    assert sum(rhythms.values()) == each * ITEMS
    assert np.allclose(index["duration_s"].astype(float), window_s, atol=0.003)


def test_tables_beside_the_databases_give_folds_second_readings_and_rhythms(records: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in records.glob("*.hea"))
    shutil.copytree(records, tmp_path / "raw" / "made")
    folds = {name: number % 2 for number, name in enumerate(names)}
    rows = "".join(f"made,{name},{fold}\n" for name, fold in folds.items())
    (tmp_path / "raw" / "records.csv").write_text(f"db,record,fold\n{rows}")
    (tmp_path / "raw" / "made" / "s00.atr").unlink()
    (tmp_path / "raw" / "intervals.csv").write_text("db,record,start,end,rhythm\nmade,s00,625,4375,NONVF\n")
    (tmp_path / "raw" / "second_reader_8s.csv").write_text(
        "db,record,mark,start_s,end_s\n"
        "made,s00,C,0,3.5\nmade,s00,(VF,6.4,14.4\nmade,s00,X,10.5,11.6\nmade,s00,C,15,16\nother,s00,C,0,20\n"
    )
    prepare([tmp_path / "raw"], tmp_path / "out", EcgShockConfig())
    index = PreparedSet(tmp_path / "out").index
    assert np.array_equal(index["fold"], [folds[name] for name in index["record"]])
    first = (index["record"] == "s00") & (index["rhythm"] != "UNLABELLED")
    assert index["start_s"][first].tolist() == [2.5, 7.5, 12.5]
    assert set(index["cls"][first]) == {"U_NONVF"}
    assert index["reader2"][first].tolist() == ["VF", "X", "VF"]


def test_records_of_one_patient_stay_together_by_a_table(records: Path, tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("record,patient\ns00,anna\ns01,anna\ns02,anna\n")
    prepare([records], tmp_path / "out", EcgShockConfig(folds=2, groups=tmp_path / "groups.csv"))
    index = PreparedSet(tmp_path / "out").index
    assert set(index["patient"]) == {"anna", "made-s03", "made-s04", "made-s05"}
    assert len(set(index["fold"][index["patient"] == "anna"])) == 1


def test_what_cannot_be_prepared_is_refused(records: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="as long as a window"):
        prepare([records], tmp_path / "out", EcgShockConfig(window_s=10.0))
    with pytest.raises(ConfigError, match="no database 'cudb'"):
        prepare([records], tmp_path / "out", EcgShockConfig(databases=("cudb",)))
    with pytest.raises(InputError, match="fewer folds"):
        prepare([records], tmp_path / "out", EcgShockConfig(folds=9))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"window_s": 1.9}, {"window_s": 11.0}, {"step_s": 0.0}, {"folds": 1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        EcgShockConfig(**wrong)  # type: ignore[arg-type]


def test_a_synthetic_set_says_so_and_repeats_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        synth.prepare(tmp_path / name, items=24, seed=5)
    first, second = PreparedSet(tmp_path / "a"), PreparedSet(tmp_path / "b")
    assert first.manifest.synthetic
    assert len(first) == 24
    assert first.manifest.files == second.manifest.files
    assert set(first.index["target"]) == {0, 1}
    synth.prepare(tmp_path / "c", items=24, seed=6)
    assert PreparedSet(tmp_path / "c").manifest.files != first.manifest.files
    with pytest.raises(ConfigError, match="at least 24"):
        synth.prepare(tmp_path / "d", items=3)
