"""The command line from phantoms to a scored run, masks, a report, and any other program's mask scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.image import imread

from apps.pulmonary_vessel.app import APP
from apps.pulmonary_vessel.baselines import BASELINES
from apps.pulmonary_vessel.config import TrainConfig
from apps.pulmonary_vessel.predict import VesselSegmenter
from data_prep.__main__ import main as data_prep
from shared.atomic import read_json
from shared.cli import parse_config
from shared.formats.volume import Geometry, read_labels, write_volume
from shared.table import read_table
from tests.apps.pulmonary_vessel.made_real import write_files
from tests.apps.pulmonary_vessel.made_tubes import SPACING, made_scan
from tests.apps.pulmonary_vessel.quick import QUICK, ask
from tests.shared.formats.made_dicom import write_slices

RECIPES = sorted((APP.folder / "recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled files as a set, a scored run on it, files without labels, and a scan as DICOM."""
    folder = tmp_path_factory.mktemp("workflow")
    (folder / "files").mkdir()
    for number in range(5):
        scan = made_scan(number)
        grid = Geometry.of_array(scan.hu.shape, SPACING)
        write_volume(folder / "files" / f"case{number}.nrrd", scan.hu, grid)
        write_volume(folder / "files" / f"case{number}_label.nrrd", scan.labels, grid)
    assert data_prep(["prepare", "pulmonary_vessel", str(folder / "files"), "--out", str(folder / "set")]) == 0
    assert ask("train", *QUICK, "--data", folder / "set", "--out", folder / "run", "--keep_maps", "true") == 0
    assert ask("evaluate", folder / "run", "--resamples", 20, "--baselines", "false") == 0
    write_files(folder / "real")
    write_slices(folder / "dicom", made_scan(0).hu, step=1.0)
    return folder


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert ask(*words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_the_declared_models_are_those_there_are() -> None:
    assert sorted(APP.baselines) == sorted(BASELINES)


def test_a_run_states_its_threshold_and_whom_it_saw(place: Path) -> None:
    card = read_json(place / "run" / "model" / "card.json")
    assert 0 < card["threshold"] < 1
    held_out = set(read_table(place / "run" / "predictions.parquet")["patient"])
    assert held_out
    assert not held_out & set(card["training_groups"])
    assert len(held_out) + len(card["training_groups"]) == 5
    assert card["output"]["cleaning"] == {"smallest_mm3": 10.0, "seed": None}
    assert card["input"]["inference"]["precision"] == "32-true"


def test_a_scored_run_has_tables_pictures_and_the_maps_that_were_asked_for(place: Path) -> None:
    metrics = read_json(place / "run" / "metrics.json")
    assert {"mean Dice", "mean clDice", "HD95, mm"} <= set(metrics["models"]["network"]["metrics"])
    assert metrics["tables"][0]["caption"].startswith("Beside the challenge")
    outputs = sorted(path.name for path in (place / "run" / "outputs").iterdir())
    assert [name.rpartition(".")[2] for name in outputs] == ["npz", "png"]
    with np.load(place / "run" / "outputs" / outputs[0]) as kept:
        assert kept["probability"].dtype == np.float16
    page = (place / "run" / "report.html").read_text(encoding="utf-8")
    for heading in ("Kinds of scan", "Scans", "Threshold"):
        assert f"{heading}</h2>" in page, heading


def test_a_run_is_scored_on_scans_without_labels(place: Path, tmp_path: Path) -> None:
    words = ["prepare", "pulmonary_vessel", str(place / "real"), "--out", str(tmp_path / "set")]
    assert data_prep(words) == 0
    run = tmp_path / "run"
    assert ask("train", *QUICK, "--data", place / "set", "--out", run) == 0
    words = ("evaluate", run, "--data", tmp_path / "set", "--resamples", 20)
    assert ask(*words) == 0
    metrics = read_json(run / "metrics.json")
    assert set(metrics["models"]) == {"network", *APP.baselines}
    shown = {table["caption"]: table["rows"] for table in metrics["tables"]}
    assert len(shown["At sparse points"]) == len(metrics["models"])
    assert all(row[0] == "real, 16 sparse points in 1 scans" for row in shown["At sparse points"])
    assert metrics["models"]["network"]["metrics"]["mean Dice"]["estimate"] is None


def test_masks_are_written_for_scans_of_every_kind(place: Path, tmp_path: Path, capsys) -> None:
    scans = (place / "dicom", place / "files" / "case1.nrrd", place / "real" / "dotted.nii.gz")
    capsys.readouterr()
    assert ask("predict", *scans, "--model", place / "run", "--out", tmp_path / "masks", "--json", "true") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(answer["mask"]).name for answer in told] == [
        "dicom_vessels.nii.gz", "case1_vessels.nii.gz", "dotted_vessels.nii.gz",
    ]  # fmt: skip
    segmenter = VesselSegmenter.from_pretrained(place / "run")
    for path, answer in zip(scans, told, strict=True):
        expected = segmenter.predict(path)
        found = read_labels(answer["mask"], expected.geometry)
        np.testing.assert_array_equal(found, expected.mask)
        assert answer["volumes_ml"] == expected.volumes_ml
    assert ask("predict", scans[1], "--model", place / "run", "--out", tmp_path / "one.nrrd") == 0
    assert "one.nrrd" in capsys.readouterr().out
    assert (tmp_path / "one.nrrd").is_file()


def test_what_cannot_be_segmented_is_one_sentence(place: Path, tmp_path: Path, capsys) -> None:
    scan = place / "files" / "case1.nrrd"
    asked = ("--model", place / "run")
    assert "nowhere" in refusal(capsys, "predict", tmp_path / "nowhere", *asked)
    assert "HU" in refusal(capsys, "predict", place / "files" / "case1_label.nrrd", *asked)
    assert "case1_vessels" in refusal(capsys, "predict", scan, scan, *asked, "--out", tmp_path / "masks")
    assert "one scan" in refusal(capsys, "predict", scan, scan, *asked, "--lung_mask", scan)
    (place / "dicom" / "slice007.dcm").rename(tmp_path / "slice007.dcm")
    try:
        assert "lacks about 1 slices" in refusal(capsys, "predict", place / "dicom", *asked)
    finally:
        (tmp_path / "slice007.dcm").rename(place / "dicom" / "slice007.dcm")


def test_a_report_is_written_for_the_models_mask_and_for_any_other(place: Path, tmp_path: Path, capsys) -> None:
    scan = place / "real" / "dotted.nii.gz"
    lung = ("--lung_mask", place / "real" / "dotted_lungmask.nii.gz")
    assert ask("report", scan, "--model", place / "run", *lung, "--out", tmp_path / "own", "--origin", "phantom") == 0
    numbers = read_json(tmp_path / "own" / "report.json")
    assert numbers["origin"] == "phantom"
    truth = place / "files" / "case2_label.nrrd"
    grid = Geometry.of_array(made_scan(2).hu.shape, SPACING)
    write_volume(tmp_path / "mask.nii.gz", (read_labels(truth, grid) == 2).astype(np.uint8), grid)
    words = ("--mask", tmp_path / "mask.nii.gz", "--out", tmp_path / "other")
    assert ask("report", place / "files" / "case2.nrrd", *words) == 0
    regions = read_json(tmp_path / "other" / "report.json")["regions"]
    labels = made_scan(2).labels
    assert regions[-1]["tbv_ml"] == pytest.approx((labels == 2).sum() * 0.5625 / 1000, rel=0.2)
    assert {"report.html", "mip.png", "vessels.ply"} <= {path.name for path in (tmp_path / "other").iterdir()}
    np.save(tmp_path / "noise.npy", np.full((20, 20, 20), 30))
    words = ("report", tmp_path / "noise.npy", "--spacing", "[1,1,1]", "--model", place / "run")
    assert "--lung_mask" in refusal(capsys, *words, "--out", tmp_path / "none")


def test_any_mask_is_scored_against_any_reference(place: Path, tmp_path: Path, capsys) -> None:
    reference = place / "files" / "case3_label.nrrd"
    labels = made_scan(3).labels
    grid = Geometry.of_array(labels.shape, SPACING)
    theirs = np.where(labels == 2, 1, 0).astype(np.uint8)
    theirs[labels == 4] = 2  # arteries 1, and what it took for veins
    write_volume(tmp_path / "theirs.nii.gz", theirs, grid)
    words = ("score", tmp_path / "theirs.nii.gz", reference, "--holds", "codes")
    capsys.readouterr()
    assert ask(*words, "--vessel", "[1]", "--out", tmp_path / "exact.json") == 0
    assert "codes above 0" in capsys.readouterr().out
    exact = read_json(tmp_path / "exact.json")
    assert exact["scores"]["mean Dice"] == exact["scores"]["mean clDice"] == 1
    assert ask(*words, "--out", tmp_path / "both.json") == 0
    both = read_json(tmp_path / "both.json")["scores"]
    assert both["airway wall called vessel"] == 1
    assert both["mean Dice"] < 1
    assert "--holds codes" in refusal(capsys, "score", tmp_path / "theirs.nii.gz", reference)
    write_volume(tmp_path / "mask.nrrd", (labels == 2).astype(np.uint8), grid)
    write_volume(tmp_path / "lung.nrrd", (labels > 0).astype(np.uint8), grid)
    plain = ("score", tmp_path / "theirs.nii.gz", tmp_path / "mask.nrrd", "--lung", tmp_path / "lung.nrrd")
    assert ask(*plain, "--out", tmp_path / "plain.json") == 0
    assert read_json(tmp_path / "plain.json")["scores"]["mean Dice"] == pytest.approx(both["mean Dice"])


def test_runs_stand_side_by_side(place: Path, tmp_path: Path, capsys) -> None:
    other = ("--cleaning.smallest_mm3", "0", "--fit.epochs", "1", "--out", place / "uncleaned")
    assert ask("train", *QUICK, "--data", place / "set", *other) == 0
    words = ("compare", place / "run", place / "uncleaned", "--out", tmp_path / "compared.json")
    assert "not scored" in refusal(capsys, *words)
    assert ask("evaluate", place / "uncleaned", "--resamples", 20, "--baselines", "false") == 0
    assert ask(*words, "--picture", tmp_path / "errors.png") == 0
    assert imread(tmp_path / "errors.png")[..., :3].max() > 0.9
    assert "no picture" in refusal(capsys, *words, "--picture", tmp_path / "errors.png", "--scan", "nobody")
    figures, differences = read_json(tmp_path / "compared.json")["tables"]
    assert [row[:2] for row in figures["rows"]] == [
        ["run", "the recipe"], ["uncleaned", "--fit.epochs 1, --cleaning.smallest_mm3 0.0"],
    ]  # fmt: skip
    assert [row[0] for row in differences["rows"]] == ["uncleaned"]
    assert "told apart" in refusal(capsys, "compare", place / "run", place / "run", "--out", tmp_path / "c.json")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_resolves_and_is_its_name(path: Path, tmp_path: Path) -> None:
    words = ["--config", str(path), "--data", str(tmp_path), "--out", str(tmp_path)]
    config = parse_config(TrainConfig, words, prog=path.stem)
    assert config.fit.epochs == 10
    assert all(size % factor == 0 for size, factor in zip(config.task.patches.size, config.network.factor, strict=True))
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["network"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["best", "paper"])
def test_every_preset_trains(place: Path, tmp_path: Path, preset: str) -> None:
    small = ("--task.patches.batches", "1", "--task.patches.size", "[32,32,32]", "--task.validation_patches", "1")
    words = (*small, "--fit.epochs", "1", "--fit.accelerator", "cpu", "--fit.progress", "false")
    assert ask("train", "--config", preset, *words, "--data", place / "set", "--out", tmp_path / "run") == 0
    segmenter = VesselSegmenter.from_pretrained(tmp_path / "run")
    assert segmenter.check_golden() <= segmenter.golden_tolerance
