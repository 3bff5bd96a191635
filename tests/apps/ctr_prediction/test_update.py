"""Learning on from rows whose clicks are known: one pass online is one epoch offline, and saving changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pytest
import torch

from apps.ctr_prediction.config import ReadingConfig, TrainConfig
from apps.ctr_prediction.networks.network_config import NetworkConfig
from apps.ctr_prediction.online import OnlineTraining
from apps.ctr_prediction.optimisers.optimiser_config import OptimiserConfig
from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.train import ClickExperiment
from data_prep.synth import ctr_prediction as synth
from shared.atomic import read_json
from shared.errors import ConfigError, InputError
from shared.fit import fit
from shared.fit_config import FitConfig
from shared.split_config import SplitConfig
from tests.apps.ctr_prediction.quick import QUICK, ask

FTRL = ("--optimiser.name", "ftrl", "--split.test", "null")


def experiment(data: Path, *, sparse: bool = True) -> ClickExperiment:
    """Everything trained by FTRL, in the order of the log, without anything drawn."""
    return ClickExperiment(
        TrainConfig(
            data=data,
            out=data.parent / "unused",
            split=SplitConfig(test=None),
            network=NetworkConfig(dim=4, cross_layers=2, deep=(16,), sparse=sparse),
            optimiser=OptimiserConfig(name="ftrl"),
            reading=ReadingConfig(batch_rows=64, shuffle_rows=None),
            fit=FitConfig(epochs=1, accelerator="cpu", progress=False),
        )
    )


def log_of(one: ClickExperiment) -> pa.Table:
    return pa.concat_tables(one.tables_of("train"))


def fresh(data: Path, *, sparse: bool = True) -> ClickPredictor:
    """An untrained model of the same start each time."""
    one = experiment(data, sparse=sparse)
    torch.manual_seed(0)
    return one.bare_predictor(one.network())


def weights(predictor: ClickPredictor) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in predictor.network.state_dict().items()}


def assert_same_bits(one: ClickPredictor, other: ClickPredictor) -> None:
    torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=0)
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays["ftrl"].items():
        np.testing.assert_array_equal(array.ravel(), other.arrays["ftrl"][name].ravel())


@pytest.mark.parametrize("sparse", [True, False])
def test_one_pass_online_is_one_epoch_offline(made_set: Path, tmp_path: Path, sparse: bool) -> None:
    offline = experiment(made_set, sparse=sparse)
    torch.manual_seed(0)
    network = offline.network()
    task = offline.task(network)
    result = fit(task, network, offline.config.fit, tmp_path / "fit")
    trained = offline.predictor(result.model, None)
    online = fresh(made_set, sparse=sparse)
    before = weights(online)
    log = log_of(offline)
    online.update(log, log["click"])
    torch.testing.assert_close(weights(online), weights(trained), rtol=0, atol=1e-6)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in weights(online).items())
    assert trained.arrays["ftrl"].keys() == online.arrays["ftrl"].keys()
    for name, array in trained.arrays["ftrl"].items():
        np.testing.assert_allclose(online.arrays["ftrl"][name], array, rtol=0, atol=1e-6)


def test_a_log_in_pieces_of_whole_batches_is_the_log(made_set: Path) -> None:
    whole, pieces = fresh(made_set), fresh(made_set)
    log = log_of(experiment(made_set))
    whole.update(log, log["click"].to_pylist())
    for first in range(0, len(log), 640):
        part = log.slice(first, 640)
        pieces.update(part.to_pandas(), part["click"].to_numpy().astype(bool))
    assert_same_bits(pieces, whole)


def test_a_model_saved_and_loaded_goes_on_as_if_it_never_was(made_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert ask("train", *QUICK, *FTRL, "--data", made_set, "--out", folder) == 0
    never, saved = (ClickPredictor.from_pretrained(folder) for _ in range(2))
    later = pa.concat_tables(synth.rows(900, seed=3))
    halves = [(part, part["click"].to_numpy()) for part in (later.slice(0, 450), later.slice(450))]
    never.update(*halves[0])
    saved.update(*halves[0])
    saved.save_pretrained(tmp_path / "between")
    loaded = ClickPredictor.from_pretrained(tmp_path / "between")
    assert_same_bits(loaded, never)
    never.update(*halves[1])
    loaded.update(*halves[1])
    assert_same_bits(loaded, never)
    np.testing.assert_array_equal(loaded.predict_batch(later).probability, never.predict_batch(later).probability)
    assert saved.to("cpu") is saved
    saved.update(*halves[1])
    assert_same_bits(saved, never)


def test_weights_of_another_epoch_keep_their_signs_with_the_memory(made_set: Path) -> None:
    """Of a non-zero weight FTRL remembers sign(w) l1; the best epoch's weights may come with the last one's memory."""
    predictor = fresh(made_set)
    log = log_of(experiment(made_set)).slice(0, 640)
    predictor.update(log, log["click"])
    (own,) = [array for name, array in predictor.arrays["ftrl"].items() if "vectors" in name and "held" in name]
    (vectors,) = [tensor for name, tensor in predictor.network.named_parameters() if "vectors" in name]
    with torch.no_grad():
        vectors.neg_()
    online = OnlineTraining(predictor.network, predictor.card, predictor.arrays["ftrl"])
    held = next(array for name, array in online.state().items() if "vectors" in name and "held" in name)
    zero = vectors.detach().numpy() == 0
    assert zero.any()
    np.testing.assert_array_equal(held[zero], own[zero])
    np.testing.assert_allclose(held[~zero], 0.1 * np.sign(vectors.detach().numpy()[~zero]), rtol=1e-6)


def test_learning_lowers_the_loss_on_what_was_learnt(made_set: Path) -> None:
    predictor = fresh(made_set)
    log = log_of(experiment(made_set))
    clicks = log["click"].to_numpy()

    def loss() -> float:
        p = predictor.predict_batch(log).sampled_probability
        return float(-np.mean(np.log(np.where(clicks == 1, p, 1 - p))))

    before = loss()
    predictor.update(log, clicks)
    assert loss() < before - 0.01


def test_a_model_that_adam_trained_cannot_be_updated(made_set: Path, tmp_path: Path, capsys) -> None:
    assert ask("train", *QUICK, "--optimiser.name", "adam", "--data", made_set, "--out", tmp_path / "run") == 0
    predictor = ClickPredictor.from_pretrained(tmp_path / "run")
    with pytest.raises(ConfigError, match="trained by adam"):
        predictor.update([{"domain": "d1"}], [1])
    synth.write_log(tmp_path / "log.csv", 200)
    capsys.readouterr()
    assert ask("update", tmp_path / "log.csv", "--model", tmp_path / "run", "--out", tmp_path / "more") == 2
    assert "trained by adam" in capsys.readouterr().err
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("clicks", [[1], [1, 2], [1, None], [0.5, 1], ["1", "0"], [[1, 0]], 1])
def test_clicks_that_are_none_are_refused(made_set: Path, clicks: object) -> None:
    predictor = fresh(made_set)
    before = weights(predictor)
    with pytest.raises(InputError, match="a click of 0 or 1 for each of 2 rows"):
        predictor.update([{"domain": "d1"}, {"domain": "d2"}], clicks)  # type: ignore[arg-type]
    torch.testing.assert_close(weights(predictor), before, rtol=0, atol=0)


def test_the_verb(made_run: Path, tmp_path: Path, capsys) -> None:
    first, second = (synth.write_log(tmp_path / name, 400, seed=5) for name in ("first.csv", "second.parquet"))
    words = ("update", first, second, "--model", made_run, "--out", tmp_path / "updated")
    assert ask(*words) == 0
    assert "updated on 800 impressions" in capsys.readouterr().out
    card = read_json(tmp_path / "updated" / "card.json")
    assert (card["status"], card["name"], card["metrics"], card["oof"]) == ("run", "updated", {}, {})
    assert "800 further impressions; not scored since" in card["protocol"]
    updated, expected = (ClickPredictor.from_pretrained(tmp_path / "updated"), ClickPredictor.from_pretrained(made_run))
    for _ in range(2):
        log = pa.concat_tables(synth.rows(400, seed=5))
        expected.update(log, log["click"])
    assert_same_bits(updated, expected)
    assert ask("predict", first, "--model", tmp_path / "updated", "--out", tmp_path / "answers.parquet") == 0
    assert ask("evaluate", tmp_path / "updated") == 2


def test_the_verb_names_a_wrong_column_and_a_wrong_value(made_run: Path, tmp_path: Path, capsys) -> None:
    log = next(synth.rows(200, seed=5)).drop_columns(["tags"])
    pcsv.write_csv(log.rename_columns(["clicks" if n == "click" else n for n in log.column_names]), tmp_path / "a.csv")
    words = ("update", tmp_path / "a.csv", "--model", made_run, "--out", tmp_path / "updated")
    capsys.readouterr()
    assert ask(*words) == 2
    assert "a.csv has no column 'click'. Did you mean 'clicks'? " in capsys.readouterr().err
    assert ask(*words, "--label", "device") == 2
    assert "expected a label: 0 or 1" in capsys.readouterr().err
    assert not (tmp_path / "updated").exists()
    assert ask(*words, "--label", "clicks") == 0
