"""Every app from data to card through the command line, and one clear line for each of the user's mistakes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shared.atomic import read_json
from tests.contract.subject import Subject, command

REPOSITORY = Path(__file__).resolve().parents[2]
RUN_FILES = ("config.yaml", "env.json", "log.jsonl", "last.ckpt", "best.safetensors")
MODEL_FILES = ("card.json", "weights.safetensors", "golden.npz")
RESULT_FILES = ("predictions.parquet", "metrics.json", "report.html")


def test_train_leaves_a_whole_run(subject: Subject) -> None:
    assert [name for name in RUN_FILES if not (subject.run / name).is_file()] == []
    assert [name for name in MODEL_FILES if not (subject.run / "model" / name).is_file()] == []
    env = read_json(subject.run / "env.json")
    assert env["app"] == subject.app.package
    assert len(env["data_manifest_hash"]) == 64
    assert {"commit", "device", "versions"} <= set(env)
    epochs = [json.loads(line) for line in (subject.run / "log.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert len(epochs) >= 2, "a smoke training has two epochs, or it could not be interrupted between them"


@pytest.fixture
def scored(subject: Subject, tmp_path: Path) -> Path:
    """A copy of the run to evaluate: other test processes may read the original."""
    return Path(shutil.copytree(subject.run, tmp_path / "scored"))


def test_evaluate_scores_the_network_and_all_baselines_on_the_same_rows(subject: Subject, scored: Path) -> None:
    command(subject.app, "eval", scored, "--resamples", 50).done()
    assert [name for name in RESULT_FILES if not (scored / name).is_file()] == []
    metrics = read_json(scored / "metrics.json")
    assert set(metrics["models"]) == {"network", *subject.app.baselines}
    assert len({model["n_rows"] for model in metrics["models"].values()}) == 1
    assert subject.app.primary_metric in metrics["models"]["network"]["metrics"]
    page = (scored / "report.html").read_text(encoding="utf-8")
    assert subject.app.title.replace("&", "&amp;") in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", ""), "a report asks the network for nothing"


def test_evaluate_scores_what_another_set_has_unseen(subject: Subject, scored: Path) -> None:
    words = ("evaluate", scored, "--data", subject.data, "--baselines", "false", "--resamples", 20)
    command(subject.app, *words).done()
    whole = read_json(scored / "metrics.json")
    assert whole["protocol"].startswith("All rows of")
    command(subject.app, "evaluate", scored, "--baselines", "false", "--resamples", 20).done()
    held_out = read_json(scored / "metrics.json")
    assert whole["models"]["network"]["n_rows"] >= held_out["models"]["network"]["n_rows"] > 0


def test_a_run_on_all_rows_has_nothing_to_be_scored_on(subject: Subject, tmp_path: Path) -> None:
    subject.train(tmp_path / "all", "--split.test", "null").done()
    assert "nothing is held out" in command(subject.app, "evaluate", tmp_path / "all").refused()


def test_predict_prints_one_json_object_a_line(subject: Subject, tmp_path: Path) -> None:
    path = subject.input_file(tmp_path)
    words = subject.predict_words(path, path)
    shown = subprocess.run(
        [sys.executable, "-m", subject.app.package, *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=True, env={**os.environ},
    ).stdout  # fmt: skip
    first, second = (json.loads(line) for line in shown.splitlines())
    assert first == second
    assert {"status", "reason", "model"} <= set(first)


def test_predict_tells_a_person_too(subject: Subject, tmp_path: Path) -> None:
    path = subject.input_file(tmp_path)
    words = subject.predict_words(path)
    words[words.index("--json") + 1] = "false"
    assert str(path) in command(subject.app, *words).done().out


def test_export_writes_onnx_or_says_that_it_cannot(subject: Subject, tmp_path: Path) -> None:
    outcome = command(subject.app, "export", "--model", subject.run, "--out", tmp_path / "network.onnx")
    if subject.app.onnx_core is None:
        assert "cannot be written as ONNX" in outcome.refused()
    else:
        assert subject.app.onnx_core in outcome.done().out
        assert (tmp_path / "network.onnx").stat().st_size > 0


def test_card_is_shown(subject: Subject) -> None:
    shown = command(subject.app, "card", "--model", subject.run).done().out
    assert subject.app.package in shown
    assert "made-up data" in shown


def test_settings_printed_are_settings_read(subject: Subject, tmp_path: Path) -> None:
    shown = command(subject.app, "train", *subject.flags(tmp_path / "run"), "--print_config").done().out
    (tmp_path / "settings.yaml").write_text(shown)
    again = command(subject.app, "train", "--config", tmp_path / "settings.yaml", "--print_config").done().out
    assert yaml.safe_load(again) == yaml.safe_load(shown)
    assert yaml.safe_load(shown)["out"] == str(tmp_path / "run")


MISTAKES = {
    "unknown flag": (("--fit.epohcs", "3"), "fit.epochs"),
    "unknown key in a file": (("--config", "unknown.yaml"), "fit.epochs"),
    "wrong type": (("--fit.epochs", "many"), "fit.epochs"),
    "impossible value": (("--fit.epochs", "0"), "fit.epochs"),
    "missing settings file": (("--config", "nowhere.yaml"), "nowhere.yaml"),
    "missing data": (("--data", "nowhere"), "nowhere"),
    "unknown split": (("--split.name", "fodls"), "folds"),
    "unknown fold": (("--split.test", "77"), "77"),
}


@pytest.mark.parametrize(("words", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_training_is_one_line(
    subject: Subject, words: tuple[str, ...], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("unknown.yaml").write_text("fit:\n  epohcs: 3\n")
    assert hint in subject.train(tmp_path / "run", *words).refused()
    assert not (tmp_path / "run" / "last.ckpt").exists()


def test_a_mistake_in_the_other_verbs_is_one_line(subject: Subject, tmp_path: Path) -> None:
    app = subject.app
    assert "nowhere" in command(app, "evaluate", tmp_path / "nowhere").refused()
    assert "nowhere" in command(app, *subject.predict_words("nowhere.npy")).refused()
    assert "nowhere" in command(app, "card", "--model", "nowhere").refused()
    assert "'evaluate'" in command(app, "evalaute").refused()
    assert "data" in command(app, "train").refused()
    assert command(app).code == 2


def test_a_run_is_not_overwritten(subject: Subject) -> None:
    assert "--resume" in subject.train(subject.run).refused()


def test_a_damaged_input_file_is_named(subject: Subject, tmp_path: Path) -> None:
    whole = subject.input_file(tmp_path)
    contents = {
        "cut": whole.read_bytes()[: whole.stat().st_size // 2],
        "empty": b"",
        "text": b"hello\n",
        "bytes": bytes(256),
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}{whole.suffix}"
        path.write_bytes(content)
        assert path.name in command(subject.app, *subject.predict_words(path)).refused()
