from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.ecg_databases import find_databases
from data_prep.ecg_patients import ONE_PATIENT, patient_of, read_groups
from shared.errors import ConfigError, InputError


def record(folder: Path, name: str, header: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text(header or f"{name} 1 250 1000\n{name}.dat 16 200/mV 16 0 0 0 0 ECG\n")


@pytest.mark.parametrize(
    "folder",
    ["vfdb", "physionet.org/files/vfdb/1.0.0", "mit-bih-malignant-ventricular-ectopy-database-1.0.0"],
)
def test_downloads_are_known_by_the_database_s_short_name(tmp_path: Path, folder: str) -> None:
    record(tmp_path / folder, "418")
    record(tmp_path / folder, "419")
    record(tmp_path / folder / "older", "x_418")
    (database,) = find_databases([tmp_path])
    assert database.name == "vfdb"
    assert [path.name for path in database.records()] == ["418", "419"]


def test_databases_side_by_side_can_be_chosen(tmp_path: Path) -> None:
    for name in ("vfdb", "cudb", "mine"):
        record(tmp_path / name, "r")
    assert [database.name for database in find_databases([tmp_path])] == ["cudb", "mine", "vfdb"]
    assert [database.name for database in find_databases([tmp_path], ("mine",))] == ["mine"]
    with pytest.raises(ConfigError, match="Did you mean 'cudb'"):
        find_databases([tmp_path], ("cudbb",))


def test_segments_are_no_records_of_their_own(tmp_path: Path) -> None:
    record(tmp_path / "db", "long", "# a comment\nlong/2 1 250 2000\npart1 1000\npart2 1000\n")
    record(tmp_path / "db", "part1")
    record(tmp_path / "db", "part2")
    assert [path.name for path in find_databases([tmp_path])[0].records()] == ["long"]


def test_wrong_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        find_databases([tmp_path / "gone"])
    with pytest.raises(InputError, match=r"no WFDB header \(\.hea\)"):
        find_databases([tmp_path])
    record(tmp_path / "a" / "vfdb", "r")
    record(tmp_path / "b" / "vfdb", "r")
    with pytest.raises(InputError, match="Two folders hold a database 'vfdb'"):
        find_databases([tmp_path])


def test_records_of_one_patient_share_a_name() -> None:
    assert patient_of("vfdb", "419", {}) == patient_of("vfdb", "418", {}) == "v418"
    assert patient_of("cudb", "cu24", {}) == "c22"
    assert patient_of("mitdb", "202", {}) == "m201"
    assert patient_of("mitdb", "100", {}) == "m100"
    assert patient_of("mine", "100", {}) == "mine-100"
    assert {group.evidence for group in ONE_PATIENT if group.db == "mitdb"} == {"documented"}


def test_a_table_of_patients_comes_first(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("db,record,patient\nmine,1,anna\nmine,2,anna\nvfdb,418,bert\n")
    groups = read_groups(tmp_path / "groups.csv")
    assert [patient_of("mine", name, groups) for name in ("1", "2", "3")] == ["anna", "anna", "mine-3"]
    assert patient_of("vfdb", "418", groups) == "bert"
    (tmp_path / "plain.csv").write_text("record,patient\n1,carl\n")
    assert patient_of("any", "1", read_groups(tmp_path / "plain.csv")) == "carl"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("record,patent\n1,a\n", "Did you mean 'patent'"),
        ("", "has no 'record'"),
        ("record,patient\n1,\n", "without a record or"),
    ],
)
def test_a_bad_table_of_patients_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_groups(tmp_path / "groups.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_groups(tmp_path / "gone.csv")
