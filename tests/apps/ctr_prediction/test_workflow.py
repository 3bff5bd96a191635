"""The command line from a log to a published model and on, and what must not go together is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.special import expit

from apps.ctr_prediction import ClickPredictor
from apps.ctr_prediction.app import APP
from apps.ctr_prediction.experts import networks_in, parts_by
from data_prep.__main__ import main as data_prep
from data_prep.synth import ctr_prediction as synth
from shared.atomic import read_json
from shared.prepared import PreparedSet
from shared.table import read_table
from tests.apps.ctr_prediction.quick import QUICK, ask
from tests.toys import made_sets

ROWS = 1500
TWO = ("--new_campaign.apply", "true", "--new_campaign.network.dim", "4", "--new_campaign.network.deep", "[8]")
"""A network for new campaigns too."""
RATES = ("--features.target_rates", "true", "--features.campaign_crosses", "true")


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log as a user has it, prepared by its schema file."""
    folder = tmp_path_factory.mktemp("workflow")
    synth.write_log(folder / "log.csv", ROWS, seed=2)
    words = ["prepare", "--schema", str(synth.SCHEMA), str(folder / "log.csv"), "--out", str(folder / "set")]
    assert data_prep(words) == 0
    return folder


@pytest.fixture(scope="module")
def left_out(clicks: Path) -> Path:
    """A run with both networks that never saw the second advertiser."""
    split = ("--split.name", "leave-advertiser-out", "--split.test", "1")
    assert ask("train", *QUICK, *TWO, *RATES, *split, "--data", clicks / "set", "--out", clicks / "left_out") == 0
    return clicks / "left_out"


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert ask(*words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_run_is_scored_beside_the_classical_models(clicks: Path, left_out: Path) -> None:
    assert ask("evaluate", left_out, "--resamples", 20) == 0
    metrics = read_json(left_out / "metrics.json")
    assert set(metrics["models"]) == {"network", *APP.baselines}
    assert len({model["n_rows"] for model in metrics["models"].values()}) == 1
    assert "predicted / observed clicks" in metrics["models"]["network"]["metrics"]
    table = read_table(left_out / "predictions.parquet")
    assert set(table["advertiser"]) == {"adv1"}
    assert all("advertiser" in fields.split(",") for fields in table["unseen"])
    page = (left_out / "report.html").read_text(encoding="utf-8")
    for heading in ("Calibration", "Group by group", "Along time", "Cold start", "Living parts", "Sparsity"):
        assert heading in page, heading


def test_rows_of_a_new_campaign_are_answered_by_the_network_for_them(left_out: Path) -> None:
    predictor = ClickPredictor.from_pretrained(left_out)
    rows = pa.concat_tables(PreparedSet(left_out.parent / "set").table("impressions").arrow_batches(ROWS))
    by_known, by_new = (
        expit(np.sum(list(parts_by(network, encoder.encode(rows)).values()), axis=0))
        for encoder, network in zip(predictor.encoders, networks_in(predictor.network), strict=True)
    )
    held_out = np.array(rows["advertiser"].to_pylist()) == "adv1"
    assert 0 < held_out.sum() < ROWS
    found = predictor.predict_batch(rows).sampled_probability
    np.testing.assert_allclose(found, np.where(held_out, by_new, by_known), atol=1e-7)
    assert np.abs(by_new - by_known)[held_out].min() > 0
    assert not any("tags" in column.name for column in predictor.encoders[-1].columns)
    first = int(np.flatnonzero(held_out)[0])
    assert predictor.predict(rows.slice(first, 1).to_pylist()[0]).probability == pytest.approx(
        predictor.predict_batch(rows)[first].probability, abs=1e-7
    )


def test_a_log_that_names_no_campaign_gets_one_network(clicks: Path, tmp_path: Path) -> None:
    columns = yaml.safe_load(synth.SCHEMA.read_text(encoding="utf-8"))["columns"]
    ungrouped = [column for column in columns if column["role"] != "group"]
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump({"columns": ungrouped}), encoding="utf-8")
    words = [
        "prepare",
        "--schema",
        str(tmp_path / "schema.yaml"),
        str(clicks / "log.csv"),
        "--out",
        str(tmp_path / "set"),
    ]
    assert data_prep(words) == 0
    assert ask("train", *QUICK, *TWO, *RATES, "--data", tmp_path / "set", "--out", tmp_path / "run") == 0
    predictor = ClickPredictor.from_pretrained(tmp_path / "run")
    assert len(networks_in(predictor.network)) == len(predictor.encoders) == 1
    assert predictor.predict({"advertiser": "adv1", "device": "ios_safari"}).status == "ok"


def test_the_validation_rows_choose_and_calibrate(clicks: Path, tmp_path: Path) -> None:
    chosen = ("--split.validation", "1", "--fit.monitor", "AUC", "--fit.mode", "max")
    assert ask("train", *QUICK, *TWO, *chosen, "--data", clicks / "set", "--out", tmp_path / "run") == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all({"AUC", "log loss"} <= set(line["metrics"]) for line in lines)
    assert all(len(line["terms"]) == 2 for line in lines)
    card = read_json(tmp_path / "run" / "model" / "card.json")
    assert card["calibration"]["kind"] == "platt"


@pytest.mark.slow
def test_from_a_log_to_a_published_model_and_on(clicks: Path, tmp_path: Path, capsys) -> None:
    recipe = (*QUICK, *TWO, *RATES, "--data", clicks / "set")
    grid = ("--out", tmp_path / "grid", "--seeds", "[0]", "--baselines", "false")
    assert ask("crossval", *recipe, *grid) == 0
    final = ("--split.test", "null", "--calibration", tmp_path / "grid", "--out", tmp_path / "final")
    assert ask("train", *recipe, *final) == 0
    words = ("card", "--model", tmp_path / "final", "--crossval", tmp_path / "grid", "--publish", tmp_path / "mine")
    assert ask(*words) == 0
    card = read_json(tmp_path / "mine" / "card.json")
    assert (card["status"], card["calibration"]["kind"], card["research_only"]) == ("published", "platt", False)
    assert set(card["network"]) == {"known", "new"}
    capsys.readouterr()
    _ask_about_the_log(clicks / "log.csv", tmp_path, capsys)
    assert ask("update", clicks / "log.csv", "--model", tmp_path / "mine", "--out", tmp_path / "updated") == 0
    _export(tmp_path / "updated", tmp_path / "network.onnx")


def _ask_about_the_log(log: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers as text, as JSON and as parquet are the same."""
    words = ("predict", log, "--model", folder / "mine", "--keys", "[id,advertiser]")
    assert ask(*words) == 0
    shown = capsys.readouterr().out.splitlines()
    assert ask(*words, "--json", "true") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ask(*words, "--out", folder / "answers.parquet") == 0
    kept = pq.read_table(folder / "answers.parquet").to_pylist()
    assert len(shown) == len(told) == len(kept) == ROWS
    for line, answer, row in zip(shown, told, kept, strict=True):
        assert f"  id {row['id']}  advertiser {row['advertiser']}  p(click) {row['probability']:.6f}" in line
        assert {name: answer[name] for name in row} == row
        assert answer["file"] == str(log)


def _export(model: Path, path: Path) -> None:
    assert ask("export", "--model", model, "--out", path) == 0
    names = [node.name for node in onnxruntime.InferenceSession(path).get_inputs()]
    assert names == list(ClickPredictor.from_pretrained(model).input_names)
    assert {"ids", "dense", "new_ids", "new_dense"} <= set(names)


def test_a_log_without_clicks_teaches_nothing(clicks: Path, tmp_path: Path, capsys) -> None:
    log = pa.concat_tables(synth.rows(400))
    pq.write_table(log.filter(pc.equal(log["click"], 0)), tmp_path / "log.parquet")
    words = ["prepare", "--schema", str(synth.SCHEMA), str(tmp_path / "log.parquet"), "--out", str(tmp_path / "set")]
    assert data_prep(words) == 0
    error = refusal(capsys, "train", *QUICK, "--data", tmp_path / "set", "--out", tmp_path / "run")
    assert "None of the training rows are clicks" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("preset", ["best", "best_notags", "paper"])
def test_every_preset_trains(clicks: Path, tmp_path: Path, preset: str) -> None:
    small = ("--fit.epochs", "1", "--fit.accelerator", "cpu", "--fit.progress", "false")
    later = ("--split.name", "later", "--split.test", "test")
    assert ask("train", "--config", preset, *small, *later, "--data", clicks / "set", "--out", tmp_path / "run") == 0
    predictor = ClickPredictor.from_pretrained(tmp_path / "run")
    assert ("tags" in predictor.features) == (preset != "best_notags")
    assert len(predictor.encoders) == (1 if preset == "paper" else 2)
    assert predictor.check_golden() <= predictor.golden_tolerance


def test_leaks_are_no_features_unless_they_are_forced(clicks: Path, tmp_path: Path, capsys) -> None:
    words = ("train", *QUICK, "--data", clicks / "set", "--out", tmp_path / "run")
    error = refusal(capsys, *words, "--features.include", "[pay_price,domain]")
    assert re.search("'pay_price' cannot be a feature.*features.forced", error)
    assert "pay_prise" in refusal(capsys, *words, "--features.exclude", "[pay_prise]")
    assert not (tmp_path / "run").exists()
    assert ask(*words, "--features.include", "[domain]", "--features.forced", "[pay_price]") == 0
    assert ClickPredictor.from_pretrained(tmp_path / "run").features == ("domain", "pay_price")


def test_what_is_missing_is_named(clicks: Path, left_out: Path, tmp_path: Path, capsys) -> None:
    log = clicks / "log.csv"
    assert "'ids'" in refusal(capsys, "predict", log, "--model", left_out, "--keys", "[ids]")
    assert "found 2 files" in refusal(capsys, "predict", log, log, "--model", left_out, "--out", tmp_path / "a.parquet")
    (tmp_path / "other.csv").write_text("colour\nred\n")
    assert "other.csv" in refusal(capsys, "predict", tmp_path / "other.csv", "--model", left_out)
    made_sets.clicks(tmp_path / "toy")
    assert "no table" in refusal(capsys, "train", *QUICK, "--data", tmp_path / "toy", "--out", tmp_path / "run")
