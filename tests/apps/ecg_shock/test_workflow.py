"""What must not go together is refused: figures of other settings, of other data, or of rows already seen."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.ecg_shock import ShockAdvisor
from apps.ecg_shock.config import TrainConfig
from apps.ecg_shock.model import ShockNet
from apps.ecg_shock.residual import ResidualNet
from apps.ecg_shock.train import ShockExperiment
from data_prep.ecg_set import ECG_FIELD
from data_prep.synth import ecg_shock
from shared.atomic import read_json
from shared.prepared import FieldSpec, PreparedWriter
from shared.splits import make_group_folds
from tests.apps.ecg_shock.quick import QUICK, ask

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    ecg_shock.prepare(folder, items=60)
    return folder


@pytest.fixture(scope="module")
def grid(made: Path) -> Path:
    folder = made.parent / "grid"
    assert ask("crossval", *QUICK, "--data", made, "--out", folder, "--seeds", "[0]", "--baselines", "false") == 0
    return folder


@pytest.fixture(scope="module")
def final(made: Path, grid: Path) -> Path:
    folder = made.parent / "final"
    words = ("--data", made, "--out", folder, "--split.test", "null", "--calibration", grid)
    assert ask("train", *QUICK, *words) == 0
    return folder


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert ask(*words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_grid_keeps_its_settings(made: Path, grid: Path, capsys) -> None:
    words = ("crossval", "--config", "smoke", "--data", made, "--out", grid, "--seeds", "[0]", "--baselines", "false")
    assert "fit.epochs" in refusal(capsys, *words, "--fit.epochs", "3")


def test_a_grid_validates_on_the_next_fold(made: Path, tmp_path: Path) -> None:
    words = (*QUICK, "--data", made, "--out", tmp_path / "g", "--seeds", "[0]", "--baselines", "false")
    assert ask("crossval", *words, "--split.validation", "0", "--fit.monitor", "cross-entropy") == 0
    assert "the fold after the held-out one" in read_json(tmp_path / "g" / "metrics.json")["protocol"]


def test_publishing(made: Path, grid: Path, final: Path, tmp_path: Path, capsys) -> None:
    publish = ("card", "--publish", tmp_path / "mine", "--crossval")
    assert ask(*publish, grid, "--model", final) == 0
    card = read_json(tmp_path / "mine" / "card.json")
    assert card["status"] == "published"
    assert card["oof"]["manifest_hash"] == read_json(grid / "env.json")["data_manifest_hash"]
    assert card["calibration"]["kind"] == "platt"


def test_publishing_a_run_that_held_rows_out_is_refused(made: Path, grid: Path, tmp_path: Path, capsys) -> None:
    assert ask("train", *QUICK, "--data", made, "--out", tmp_path / "run") == 0
    words = ("card", "--model", tmp_path / "run", "--publish", tmp_path / "mine", "--crossval", grid)
    assert "train on every fold" in refusal(capsys, *words)
    assert not (tmp_path / "mine").exists()


def test_publishing_with_figures_of_other_data_is_refused(final: Path, tmp_path: Path, capsys) -> None:
    ecg_shock.prepare(tmp_path / "other", items=60, seed=5)
    words = ("--out", tmp_path / "grid", "--seeds", "[0]", "--baselines", "false")
    assert ask("crossval", *QUICK, "--data", tmp_path / "other", *words) == 0
    words = ("card", "--model", final, "--publish", tmp_path / "mine", "--crossval", tmp_path / "grid")
    assert "another prepared set" in refusal(capsys, *words)


def test_calibration_is_not_fitted_on_held_out_rows(made: Path, grid: Path, tmp_path: Path, capsys) -> None:
    words = ("train", *QUICK, "--data", made, "--out", tmp_path / "run", "--calibration", grid)
    assert "--split.test null" in refusal(capsys, *words)


def test_nothing_is_scored_on_patients_it_was_trained_on(made: Path, final: Path, capsys) -> None:
    assert "nothing is held out" in refusal(capsys, "evaluate", final)
    assert "trained on every patient" in refusal(capsys, "evaluate", final, "--data", made, "--baselines", "false")


def own_strips(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the fifteen-line example of data_prep/README.md on made-up text files."""
    monkeypatch.chdir(folder)
    rng = np.random.default_rng(0)
    with Path("strips.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("file", "patient", "rhythm", "shock"))
        for number in range(40):
            shock = number % 2
            rate = 5.0 if shock else 1.2
            np.savetxt(f"{number}.txt", np.sin(2 * np.pi * rate * np.arange(1250) / 250) + 0.1 * rng.normal(size=1250))
            table.writerow((f"{number}.txt", f"p{number // 4}", "flutter" if shock else "steady", shock))
    text = (REPOSITORY / "data_prep" / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example
    exec(compile(example[1], "README", "exec"), {})
    return folder / "our_strips"


def test_own_data_go_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strips = own_strips(tmp_path, monkeypatch)
    assert ask("train", *QUICK, "--data", strips, "--out", tmp_path / "run") == 0
    assert ask("evaluate", tmp_path / "run", "--baselines", "false", "--resamples", "20") == 0
    assert "flutter" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


RESIDUAL = ("--network.architecture", "residual", "--network.filters", "[4,6]", "--network.kernels", "[15,5]")


@pytest.fixture
def with_noise(tmp_path: Path) -> Path:
    """Ten patients, each with 10 s of a slow rhythm, 10 s of a fast one, and 10 s that are marked as noise."""
    folder, rng, time = tmp_path / "noisy", np.random.default_rng(0), np.arange(2500) / 250
    slow, fast = (np.sin(2 * np.pi * hertz * time) for hertz in (1.2, 5.0))
    about = {"title": "t", "source": "s", "licence": "CC0-1.0", "synthetic": True}
    index: dict[str, list[str]] = {"patient": [], "cls": []}
    with PreparedWriter(folder, name="noisy", groups=("patient",), **about) as writer:
        writer.declare(ECG_FIELD)
        for patient, place in itertools.product((f"p{number}" for number in range(10)), range(6)):
            cls, target, heart = (("N_NSR", 0, slow), ("S_VF", 1, fast), ("X_NOISE", -1, 0 * time))[place // 2]
            ecg = heart[place % 2 * 1250 :][:1250] + (2.0 if target < 0 else 0.1) * rng.normal(size=1250)
            labels = {"db": "made up", "record": patient, "rhythm": cls, "cls": cls, "target": target}
            about_row = {"item": f"{patient}/{place}", "patient": patient, "start_s": 5.0 * place, **labels}
            writer.add({"ecg": ecg[:, None].astype(np.float32)}, sampling_rate=250.0, **about_row)
            index["patient"].append(patient)
            index["cls"].append(cls)
        columns = {name: np.array(values) for name, values in index.items()}
        writer.add_split(make_group_folds(columns, "patient", 5, stratify="cls", seed=0, name="folds"))
    return folder


def test_a_network_that_learns_noise_goes_all_the_way(with_noise: Path, tmp_path: Path) -> None:
    noise = ("--augment.apply", "true", "--draws.noise_marked", "2", "--draws.noise_only", "2")
    assert ask("train", *QUICK, *RESIDUAL, *noise, "--data", with_noise, "--out", tmp_path / "run") == 0
    advisor = ShockAdvisor.from_pretrained(tmp_path / "run")
    assert isinstance(advisor.network, ResidualNet)
    assert (advisor.network.filters, advisor.network.kernels) == ((4, 6), (15, 5))
    assert advisor.card.abstention["rules"][0]["kind"] == "unreadable"
    assert advisor.to_onnx(tmp_path / "network.onnx") < 1e-4
    ecg = np.random.default_rng(1).normal(size=2000).cumsum() / 20
    streamed = advisor.stream(250.0).push(ecg)
    alone = [advisor.predict(ecg, 250.0, start_s=start_s, duration_s=5) for start_s in (0.0, 1.0, 2.0, 3.0)]
    assert [decision.to_dict() for decision in streamed] == [decision.to_dict() for decision in alone]


def test_a_network_that_learns_no_noise_has_no_rule_for_it(made: Path, tmp_path: Path) -> None:
    assert ask("train", *QUICK, *RESIDUAL, "--data", made, "--out", tmp_path / "run") == 0
    card = read_json(tmp_path / "run" / "model" / "card.json")
    assert "unreadable" not in {rule["kind"] for rule in card["abstention"]["rules"]}


def test_the_network_starts_from_the_seed_alone(made: Path, tmp_path: Path) -> None:
    """Describing a model must draw no weights, or figures that were published could not be had again."""
    experiment = ShockExperiment(TrainConfig(data=made, out=tmp_path / "unused"))
    torch.manual_seed(3)
    found = experiment.network().state_dict()
    torch.manual_seed(3)
    for name, expected in ShockNet().state_dict().items():
        torch.testing.assert_close(found[name], expected, rtol=0, atol=0)


def test_a_refused_training_leaves_no_folder(made: Path, tmp_path: Path, capsys) -> None:
    words = ("train", *QUICK, "--data", made, "--out", tmp_path / "run")
    assert "nosuch" in refusal(capsys, *words, "--split.name", "nosuch")
    assert not (tmp_path / "run").exists()
    assert ask(*words) == 0


def test_another_set_is_scored_without_the_run_s_own(made: Path, final: Path, tmp_path: Path) -> None:
    """A model outlives the folder it was trained on; only the classical models must be fitted there again."""
    moved = tmp_path / "moved"
    shutil.copytree(final, moved)
    config = (moved / "config.yaml").read_text(encoding="utf-8").replace(str(made), str(tmp_path / "gone"))
    (moved / "config.yaml").write_text(config, encoding="utf-8")
    strangers = tmp_path / "strangers"
    with PreparedWriter(
        strangers, name="strangers", title="t", source="s", licence="CC0-1.0", groups=("patient",)
    ) as to:
        to.declare(FieldSpec("ecg", "ragged", "float32", (None, None), "mV"))
        for number in range(8):
            ecg = np.random.default_rng(number).normal(0, 0.3, (1250, 1)).astype(np.float32)
            row = {"item": f"i{number}", "patient": f"stranger{number}", "cls": "own", "target": number % 2}
            to.add({"ecg": ecg}, sampling_rate=250.0, **row)
    assert ask("evaluate", moved, "--data", strangers, "--baselines", "false", "--resamples", "20") == 0
    metrics = read_json(moved / "metrics.json")
    assert metrics["models"]["network"]["n_rows"] == 8
    assert "left out, because the run was trained on them: 0" in metrics["protocol"]
