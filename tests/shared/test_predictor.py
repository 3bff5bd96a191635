"""The predictor base on a toy: round trip, damage, names, golden outputs, batches, threads."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from shared.card import FORMAT_VERSION, Card
from shared.checkpoint import load_weights, save_weights
from shared.errors import CheckpointError, ConfigError, InputError
from tests.shared.test_card import card as complete_card
from tests.shared.toy_predictor import BatchingToneDetector, Net, Tone, ToneDetector

TRACE = np.cos(np.arange(120) / 5)
FILES = ("card.json", "weights.safetensors", "golden.npz", "words.txt")


def detector(kind: type[ToneDetector] = ToneDetector, **changes: Any) -> ToneDetector:
    """A fresh, untrained predictor as a training would make it."""
    torch.manual_seed(7)
    card = complete_card(app="tests.tone", network={"channels": 4}, **changes)
    return kind(card, Net(4), arrays={"ood": {"mean": np.array(0.25), "weight": np.ones(3, np.float32) / 3}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    detector().save_pretrained(tmp_path / "paper")
    return tmp_path / "paper"


def test_round_trip_keeps_answers_card_arrays_and_files(tmp_path: Path) -> None:
    fresh = detector()
    fresh.words = ("silence", "note")
    written = fresh.save_pretrained(tmp_path / "paper")
    loaded = ToneDetector.from_pretrained(tmp_path / "paper")
    assert loaded.predict(TRACE).to_dict() == fresh.predict(TRACE).to_dict()
    assert loaded.words == ("silence", "note")
    assert loaded.arrays["ood"]["mean"] == 0.25
    assert loaded.card == written
    assert loaded.classes == ("no shock", "shock")
    assert loaded.card.parameters == 4 * 9 + 4 + 4 + 1
    assert set(written.files) == {"golden.npz", "words.txt"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper"], "no temporary folder is left"


def test_saving_a_loaded_model_again_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    ToneDetector.from_pretrained(folder).save_pretrained(tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def test_half_precision_is_half_the_size_and_proven_as_stored(folder: Path, tmp_path: Path) -> None:
    detector(half=True).save_pretrained(tmp_path / "half")
    loaded = ToneDetector.from_pretrained(tmp_path / "half")
    stored = load_weights(tmp_path / "half" / "weights.safetensors")
    assert stored["network.conv.weight"].dtype == torch.float16
    assert all(parameter.dtype == torch.float32 for parameter in loaded.network.parameters())
    np.testing.assert_array_equal(loaded.arrays["ood"]["weight"], np.ones(3, np.float32) / 3)
    assert loaded.check_golden() == 0.0
    difference = loaded.predict(TRACE).probability - detector().predict(TRACE).probability
    assert 0 < abs(difference) < 1e-3


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "bit-flipped", "missing"])
def test_a_damaged_file_is_refused(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content) if damage == "bit-flipped" else bytes(content[: len(content) // 2]))
    if damage == "missing":
        path.unlink()
    # A folder without a card is no model at all, which is a wrong name rather than damage.
    expected = ConfigError if damage == "missing" and name == "card.json" else CheckpointError
    with pytest.raises(expected, match=r"paper"):
        ToneDetector.from_pretrained(folder)


def test_another_apps_model_is_refused(folder: Path) -> None:
    class Other(ToneDetector):
        app = "tests.other"

    with pytest.raises(CheckpointError, match=r"model of tests\.tone, a model of tests\.other was expected"):
        Other.from_pretrained(folder)


def test_a_newer_format_is_refused(folder: Path) -> None:
    dataclasses.replace(Card.read(folder / "card.json"), format_version=FORMAT_VERSION + 1).write(folder / "card.json")
    with pytest.raises(CheckpointError, match="update it"):
        ToneDetector.from_pretrained(folder)


def test_a_file_outside_the_folder_is_refused(folder: Path) -> None:
    card = Card.read(folder / "card.json")
    dataclasses.replace(card, files={**card.files, "../secret": "0" * 64}).write(folder / "card.json")
    with pytest.raises(CheckpointError, match="secret"):
        ToneDetector.from_pretrained(folder)


@pytest.mark.parametrize("network", [{"channels": 5}, {"channels": 4, "depth": 2}, {}])
def test_a_card_that_fits_no_network_is_refused(folder: Path, network: dict[str, int]) -> None:
    dataclasses.replace(Card.read(folder / "card.json"), network=network).write(folder / "card.json")
    with pytest.raises(CheckpointError):
        ToneDetector.from_pretrained(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    digest = save_weights(folder / "weights.safetensors", {"network.conv.weight": torch.zeros(4, 1, 9)})
    dataclasses.replace(Card.read(folder / "card.json"), weights_sha256=digest).write(folder / "card.json")
    with pytest.raises(CheckpointError, match=r"missing.*conv\.bias"):
        ToneDetector.from_pretrained(folder)


def test_names_best_first_run_folders_and_unknown_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToneDetector, "root", tmp_path)
    assert ToneDetector.available() == ()
    with pytest.raises(ConfigError, match="come with the app: none"):
        ToneDetector.from_pretrained()
    for name in ("artful", "best", "paper"):
        detector(name=name).save_pretrained(tmp_path / name)
    shutil.copytree(tmp_path / "paper", tmp_path / ".paper.0123abcd")  # what a killed save_pretrained leaves
    assert ToneDetector.available() == ("best", "artful", "paper")
    assert ToneDetector.from_pretrained().card.name == "best"
    assert ToneDetector.from_pretrained("paper").card.name == "paper"
    detector(name="mine").save_pretrained(tmp_path / "run" / "model")
    assert ToneDetector.from_pretrained(tmp_path / "run").card.name == "mine"
    assert ToneDetector.from_pretrained(str(tmp_path / "run")).card.name == "mine"
    with pytest.raises(ConfigError, match=r"'papper'\. Did you mean 'paper'\? .*best, artful, paper"):
        ToneDetector.from_pretrained("papper")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no model"):
        ToneDetector.from_pretrained(tmp_path / "empty")


def test_golden_outputs_prove_the_answers(folder: Path) -> None:
    loaded = ToneDetector.from_pretrained(folder)
    assert loaded.check_golden() == 0.0
    with torch.no_grad():
        loaded.network.head.bias.add_(0.01)
    assert loaded.check_golden(tolerance=0.1) == pytest.approx(0.01, rel=0.1)
    with pytest.raises(CheckpointError, match="differs from the golden outputs"):
        loaded.check_golden(folder)
    with pytest.raises(ConfigError, match=r"golden\.npz"):
        detector().check_golden()


def test_golden_results_prove_what_follows_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = ToneDetector.from_pretrained(folder)
    monkeypatch.setattr(ToneDetector, "golden_results", lambda self: [self.predict(np.sin(np.arange(100.0)), gain=3.0)])
    with pytest.raises(CheckpointError, match="golden"):
        loaded.check_golden()
    monkeypatch.setattr(ToneDetector, "golden_results", lambda self: [])
    assert loaded.check_golden(tolerance=float("inf")) == float("inf")


def test_single_and_batch_agree_whatever_the_sizes() -> None:
    rng = np.random.default_rng(0)
    traces = [rng.standard_normal(length) for length in (64, 80, 64, 64, 90, 64, 64)]
    single = detector(BatchingToneDetector)
    batch = single.predict_batch(traces, gain=0.5)
    assert [result.probability for result in batch] == pytest.approx(
        [single.predict(trace, gain=0.5).probability for trace in traces], abs=1e-6
    )
    looped = detector().predict_batch(traces, gain=0.5)
    assert [result.probability for result in looped] == pytest.approx([r.probability for r in batch], abs=1e-6)
    assert single.predict_batch([]) == []


def test_a_batch_names_the_item_that_is_wrong_and_passes_no_unknown_keyword() -> None:
    with pytest.raises(InputError, match=r"Item 1 of the batch.*\(2, 3\)"):
        detector().predict_batch([TRACE, np.ones((2, 3))])
    with pytest.raises(TypeError, match="gian"):
        detector().predict_batch([TRACE], gian=2.0)


def test_threads_share_one_predictor() -> None:
    shared = detector()
    expected = shared.predict(TRACE).probability
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: shared.predict(TRACE).probability, range(40)))
    assert answers == [expected] * 40


def test_loading_leaves_the_random_state_alone(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    ToneDetector.from_pretrained(folder).save_pretrained(folder)
    assert torch.equal(torch.rand(2), expected)


def test_inference_needs_no_gradients_and_eval_mode() -> None:
    network = nn.Sequential(Net(4), nn.Dropout(0.9)).train()
    predictor = ToneDetector(detector().card, network)
    (first,), (second,) = predictor.forward(torch.ones(1, 1, 64)), predictor.forward(torch.ones(1, 1, 64))
    assert torch.equal(first, second)
    assert not first.requires_grad


def test_an_unknown_device_is_a_setting_that_is_wrong(folder: Path) -> None:
    assert ToneDetector.from_pretrained(folder, device="cpu").device == torch.device("cpu")
    with pytest.raises(ConfigError, match="'gpu'"):
        ToneDetector.from_pretrained(folder, device="gpu")


def test_nothing_is_saved_with_an_incomplete_card_or_over_other_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="licence_weights"):
        detector(licence_weights="").save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("dear diary")
    with pytest.raises(ConfigError, match="holds no model"):
        detector().save_pretrained(tmp_path / "notes")
    assert (tmp_path / "notes" / "diary.txt").read_text() == "dear diary"


def test_a_failed_save_leaves_the_older_model_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(ToneDetector, "golden_results", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        detector(threshold=0.9).save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(list(folder.parent.iterdir())) == 1


def test_research_only_weights_warn_once(tmp_path: Path) -> None:
    detector(name="restricted", research_only=True).save_pretrained(tmp_path / "model")
    with pytest.warns(UserWarning, match="research only"):
        ToneDetector.from_pretrained(tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ToneDetector.from_pretrained(tmp_path / "model")


def test_results_are_read_only_and_plain() -> None:
    scores = np.array([0.5, np.nan], np.float32)
    result = Tone(0.25, scores, status="undecided", reason="in between", model="paper 1")
    with pytest.raises(ValueError, match="read-only"):
        result.spectrum[0] = 1.0
    scores[0] = 0.75  # the giver's own array stays writable
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == {
        "status": "undecided",
        "reason": "in between",
        "model": "paper 1",
        "probability": 0.25,
        "spectrum": [0.75, None],
        "span": [0.0, 1.0],
    }
    with pytest.raises(ValueError, match="contradict"):
        Tone(0.25, scores, reason="in between", model="paper 1")


def test_loading_is_fast(folder: Path) -> None:
    ToneDetector.from_pretrained(folder)
    start = time.process_time()
    for _ in range(5):
        ToneDetector.from_pretrained(folder)
    assert (time.process_time() - start) / 5 < 0.1


def test_the_result_base_needs_no_torch() -> None:
    program = "import shared.result, shared.card, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
