"""Chest CT as it is stored by others, to a prepared set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK

from data_prep.__main__ import main
from data_prep.ct_scans import find_scans, patient_of
from data_prep.ct_set import prepare
from data_prep.pulmonary_vessel import PulmonaryVesselConfig
from shared.errors import ConfigError, InputError
from shared.formats.volume import Geometry, image_of, write_volume
from shared.prepared import PreparedSet
from tests.shared.formats.made_dicom import write_slices

GRID = Geometry((10, 8, 6), (0.7, 0.8, 1.25), (-90.0, 12.0, 300.0))
SCAN = np.random.default_rng(0).integers(-1024, 400, GRID.shape).astype(np.int16)
LUNG = np.zeros(GRID.shape, dtype=np.uint8)
LUNG[1:5, 1:7, 1:9] = 1
VESSEL = np.zeros(GRID.shape, dtype=np.uint8)
VESSEL[:, 3, 4] = 1


def put(path: Path, array: npt.NDArray[np.generic] = SCAN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, array, GRID)
    return path


def prepared(tmp_path: Path, *paths: Path, **options: object) -> PreparedSet:
    prepare(list(paths), tmp_path / "set", PulmonaryVesselConfig(**options))
    made = PreparedSet(tmp_path / "set")
    assert made.verify() == []
    return made


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("c009_noncontrast", "c009"),
        ("p1_sharp", "p1"),
        ("ricord1a_left_lung_1p25mm", "ricord1a"),
        ("lungdx_A0001_5mm_kernelB", "lungdx_A0001"),
        ("VESSEL12_21", "VESSEL12_21"),
        ("patient_001", "patient_001"),
        ("ct", "ct"),
    ],
)
def test_what_is_of_one_patient_has_one_name(name: str, patient: str) -> None:
    assert patient_of(name) == patient


def test_names_say_what_belongs_to_a_scan(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    codes = np.where(LUNG, 1 + 5 * (SCAN % 2), 0).astype(np.uint8)
    put(raw / "c009_contrast_ct.nii.gz")
    put(raw / "c009_contrast_label.nii.gz", codes)
    put(raw / "c009_contrast_lung.nii.gz", LUNG)
    for kernel in "BL":
        put(raw / f"anna_left_5mm_kernel{kernel}.nii.gz")
    put(raw / "anna_left_5mm_lungmask.nii.gz", LUNG)
    put(raw / "bert_1p5mm.nrrd")
    put(raw / "bert_1p5mm_silver.nrrd", codes)
    (raw / "bert_points.csv").write_text("i,j,k,x,is_vessel,kind\n3,2,1,0.5,1,vessel\n9,7,5,0.5,0,airway_wall\n")
    made = prepared(tmp_path, raw, licence="CC0-1.0")
    index = made.index
    items = index["item"].tolist()
    assert items == ["anna_left_5mm_kernelB", "anna_left_5mm_kernelL", "bert_1p5mm", "c009_contrast"]
    assert index["patient"].tolist() == ["anna", "anna", "bert", "c009"]
    assert index["pair"].tolist() == ["anna_left_5mm", "anna_left_5mm", "", ""]
    assert index["origin"].tolist() == ["real", "real", "real", "rendering"]
    assert index["contrast"].tolist() == ["unknown", "unknown", "unknown", "contrast"]
    assert index["labelled"].tolist() == [False, False, False, True]
    assert (index["spacing_z"][0], index["spacing_y"][0], index["spacing_x"][0]) == pytest.approx((1.25, 0.8, 0.7))
    assert np.array_equal(made.read("ct", 3), SCAN)
    assert np.array_equal(made.read("labels", 3), codes)
    assert np.array_equal(made.read("lung", 0), LUNG)
    assert not made.read("labels", 0).any()
    assert np.array_equal(made.read("labels", 2), codes)  # kept, though it is no truth
    assert not made.read("lung", 2).any()
    assert made.read("points", 2).tolist() == [[1, 2, 3, 1, 1], [5, 7, 9, 0, 3]]
    assert made.read("points", 0).shape == made.read("centreline", 0).shape == (0, 5)
    assert len(set(made.split("folds").assignment.values())) == 3
    assert not made.manifest.synthetic
    assert made.manifest.licence == "CC0-1.0"


def test_vessel12(tmp_path: Path) -> None:
    raw = tmp_path / "VESSEL12_ExampleScans"
    for name in ("VESSEL12_21", "VESSEL12_22"):
        put(raw / "Scans" / f"{name}.mhd")
        put(raw / "Lungmasks" / f"{name}.mhd", LUNG)
    (raw / "Annotations").mkdir()
    (raw / "Annotations" / "VESSEL12_21_Annotations.csv").write_text("4,3,2,1\n1,1,1,0\n")
    made = prepared(tmp_path, raw)
    assert made.index["item"].tolist() == ["VESSEL12_21", "VESSEL12_22"]
    assert made.read("points", 0).tolist() == [[2, 3, 4, 1, 1], [1, 1, 1, 0, 4]]
    assert made.read("points", 1).shape == (0, 5)
    assert np.array_equal(made.read("lung", 1), LUNG)
    assert not made.index["labelled"].any()


def test_parse2022_knows_arteries_only(tmp_path: Path) -> None:
    for name in ("PA000005", "PA000016"):
        put(tmp_path / "train" / name / "image" / f"{name}.nii.gz")
        put(tmp_path / "train" / name / "label" / f"{name}.nii.gz", VESSEL)
    made = prepared(tmp_path, tmp_path / "train")
    assert made.index["patient"].tolist() == ["PA000005", "PA000016"]
    assert np.array_equal(made.read("artery_vein", 1), VESSEL)
    assert not made.read("labels", 1).any()
    assert not made.index["labelled"].any()


def test_carve14_leaves_out_what_its_readers_left_open(tmp_path: Path) -> None:
    numbers = np.where(VESSEL, 1, 0).astype(np.int16)
    numbers[2:, 3, 4], numbers[1, 1:3, 1] = 2, -999
    put(tmp_path / "raw" / "1.2.840.12.7.mha")
    put(tmp_path / "raw" / "1.2.840.12_fullAnnotations.mha", numbers)
    alone = prepared(tmp_path, tmp_path / "raw")
    assert alone.index["labelled"].all()
    assert np.array_equal(alone.read("labels", 0), 2 * VESSEL)
    assert not alone.read("lung", 0).any()
    put(tmp_path / "raw" / "1.2.840.12_lungmask.mha", LUNG)
    prepare([tmp_path / "raw"], tmp_path / "with lung", PulmonaryVesselConfig())
    labels = PreparedSet(tmp_path / "with lung").read("labels", 0)
    expected = np.where(VESSEL & LUNG, 2, LUNG)
    expected[1, 1:3, 1] = 0
    assert np.array_equal(labels, expected)


def test_dicom_folders_are_scans(tmp_path: Path) -> None:
    write_slices(tmp_path / "raw" / "anna" / "thin", SCAN, tags={"0018|0010": "Ultravist"})
    write_slices(tmp_path / "raw" / "anna" / "thick", SCAN[:3], step=5.0, series="1.2.3")
    write_slices(tmp_path / "raw" / "bert" / "thin", SCAN, tags={"0010|0020": "patient 8"})
    made = prepared(tmp_path, tmp_path / "raw")
    assert made.index["item"].tolist() == ["thick", "anna/thin", "bert/thin"]
    assert made.index["patient"].tolist() == ["patient 7", "patient 7", "patient 8"]
    assert made.index["contrast"].tolist() == ["unknown", "contrast", "unknown"]
    assert made.index["section_mm"].tolist() == [3.0, 3.0, 3.0]
    assert np.array_equal(made.read("ct", 1), SCAN)


def test_a_table_of_scans(tmp_path: Path) -> None:
    put(tmp_path / "a.nrrd")
    put(tmp_path / "masks" / "a.nii.gz", VESSEL)
    put(tmp_path / "masks" / "lung.nii.gz", LUNG)
    put(tmp_path / "masks" / "av.nii.gz", 2 * VESSEL)
    table = tmp_path / "scans.csv"
    table.write_text(
        "path,mask,lung,artery_vein,patient,item,contrast,section_mm\n"
        "a.nrrd,masks/a.nii.gz,masks/lung.nii.gz,masks/av.nii.gz,Anna,first,plain,2.5\n"
        "a.nrrd,,,,Bert,second,,\n"
    )
    made = prepared(tmp_path, table)
    assert made.index["patient"].tolist() == ["Anna", "Bert"]
    assert made.index["labelled"].tolist() == [True, False]
    assert made.index["contrast"].tolist() == ["plain", "unknown"]
    assert made.index["section_mm"][0] == 2.5
    assert np.isnan(made.index["section_mm"][1])
    assert np.array_equal(made.read("labels", 0), np.where(VESSEL & LUNG, 2, LUNG))
    assert np.array_equal(made.read("artery_vein", 0), 2 * VESSEL)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("file\na.nrrd\n", "expected a row for each scan and a column 'path'"),
        ("path,musk\na.nrrd,\n", r"unknown column 'musk'. Did you mean 'mask'"),
        ("path,lung\na.nrrd,b.nrrd\n", "there is no file .*b.nrrd"),
        ("path,mask,labels\na.nrrd,a.nrrd,a.nrrd\n", "not both a 'mask' and 'labels'"),
        ("path,contrast\na.nrrd,yes\n", "contrast is 'yes'"),
        ("path,section_mm\na.nrrd,thin\n", "section_mm is 'thin'"),
        ("path,item\na.nrrd,x\na.nrrd,x\n", "Two scans are named 'x'"),
        ("path,labels\na.nrrd,a.nrrd\n", r"holds numbers from -\d+ to \d+; expected codes 0 to 7"),
        ("path,points\na.nrrd,p.csv\n", "3 points lie outside|is no list of points"),
        ("path,points\na.nrrd,q.csv\n", "1 points lie outside their scan"),
        ("path,points\na.nrrd,r.csv\n", r"of kind 'vesel'. Did you mean 'vessel'"),
    ],
)
def test_a_slip_in_a_table_is_named(tmp_path: Path, text: str, found: str) -> None:
    put(tmp_path / "a.nrrd")
    (tmp_path / "p.csv").write_text("a,b\n1,2\n")
    (tmp_path / "q.csv").write_text("10,2,3,1\n")
    (tmp_path / "r.csv").write_text("i,j,k,is_vessel,kind\n1,2,3,1,vesel\n")
    (tmp_path / "scans.csv").write_text(text)
    with pytest.raises(InputError, match=found):
        prepare([tmp_path / "scans.csv"], tmp_path / "set", PulmonaryVesselConfig())
    assert not (tmp_path / "set").exists()


def test_everything_is_turned_to_standard_axes(tmp_path: Path) -> None:
    """A scan stored from the left to the right, the feet first and so on, with its mask in the usual order."""
    (tmp_path / "raw").mkdir()
    turned = SimpleITK.Flip(SimpleITK.PermuteAxes(image_of(SCAN, GRID), (2, 0, 1)), (True, False, True))
    SimpleITK.WriteImage(turned, str(tmp_path / "raw" / "anna.nii.gz"))
    put(tmp_path / "raw" / "anna_vessels.nii.gz", VESSEL)
    place = np.argwhere(SimpleITK.GetArrayFromImage(turned) == SCAN[1, 2, 3])
    assert len(place) == 1
    k, j, i = place[0]
    (tmp_path / "raw" / "anna_points.csv").write_text(f"i,j,k,is_vessel\n{i},{j},{k},1\n")
    made = prepared(tmp_path, tmp_path / "raw")
    assert np.array_equal(made.read("ct", 0), SCAN)
    assert np.array_equal(made.read("labels", 0), 2 * VESSEL)
    assert made.read("points", 0).tolist() == [[1, 2, 3, 1, 1]]
    assert made.index["spacing_z"][0] == pytest.approx(1.25)
    assert made.split("folds").assignment == {"anna": 0}  # one patient: nothing to train on


def test_patients_can_be_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        put(tmp_path / "raw" / f"{name}.nrrd")
    table = tmp_path / "patients.csv"
    table.write_text("item,patient\na,Anna\nb,Anna\n")
    made = prepared(tmp_path, tmp_path / "raw", patients=table)
    assert made.index["patient"].tolist() == ["Anna", "Anna", "c"]
    table.write_text("item,patient\nd,Anna\n")
    with pytest.raises(InputError, match="names a scan 'd' that is not there"):
        prepare([tmp_path / "raw"], tmp_path / "other", PulmonaryVesselConfig(patients=table))


def test_files_without_a_scan_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no scan in"):
        find_scans(tmp_path)
    put(tmp_path / "anna.nrrd")
    put(tmp_path / "berta_lungmask.nrrd", LUNG)
    with pytest.raises(InputError, match=r"berta_lungmask.nrrd belongs to no scan: there is none named 'berta'"):
        find_scans(tmp_path)
    (tmp_path / "berta_lungmask.nrrd").unlink()
    put(tmp_path / "anna_lung.nrrd", LUNG)
    put(tmp_path / "anna_lungmask.nrrd", LUNG)
    with pytest.raises(InputError, match="two files of one kind"):
        find_scans(tmp_path)


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "anna.nrrd")
    write_volume(tmp_path / "raw" / "anna_lung.nrrd", LUNG, Geometry(GRID.size, GRID.spacing))
    with pytest.raises(InputError, match="not on the grid of its scan"):
        prepare([tmp_path / "raw"], tmp_path / "set", PulmonaryVesselConfig())


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = put(tmp_path / "anna_ct.nii.gz")
    assert main(["prepare", "pulmonary_vessel", str(scan), "--out", str(tmp_path / "set"), "--licence", "CC0-1.0"]) == 0
    assert main(["verify", str(tmp_path / "set")]) == 0
    assert "1 items" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="folds is 1"):
        PulmonaryVesselConfig(folds=1)


@pytest.mark.slow
def test_the_given_scans(tmp_path: Path, real_ct: Path) -> None:
    made = prepared(tmp_path, real_ct / "ct_real")
    assert made.index["patient"].tolist() == ["lungdx_A0001", "lungdx_A0001", "ricord1a", "ts"]
    assert made.index["pair"].tolist()[:2] == ["lungdx_A0001_5mm"] * 2
    points = made.read("points", 2)
    assert points.shape == (38, 5)
    assert np.bincount(points[:, 4].astype(int)).tolist() == [12, 14, 7, 5]
    z, y, x = points[0, :3].astype(int)
    assert made.read("ct", 2)[z, y, x] == -328  # as the table of points has it
