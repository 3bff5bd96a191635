"""`compare`: the recipes are what they say, each is trained once, and the figures are those of the predictions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.ctr_prediction.app import APP
from apps.ctr_prediction.comparison import compare as module
from apps.ctr_prediction.comparison.compare import side_by_side
from apps.ctr_prediction.comparison.recipes import Recipe, families, known_recipes
from data_prep.synth import ctr_prediction
from shared.atomic import read_json
from shared.cli import main
from shared.metrics.binary import AUC
from shared.table import read_table, take

DCN = {"dcn_adagrad", "dcn_adam", "dcn_ftml", "dcn_ftrl", "dcn_ftrl_adam"}
TINY = """
network: {dim: 2, cross_layers: 1, deep: [4]}
reading: {batch_rows: 128}
fit: {epochs: 1}
"""
RATE = "constant rate by group"


def shipped() -> dict[str, Recipe]:
    known = known_recipes(APP.folder)
    places = ("--data", "set", "--out", "out")
    return {name: Recipe.read(name, known, places, ()) for name in known}


def test_the_optimisers_train_one_network() -> None:
    found = {frozenset(recipe.name for recipe in family) for family in families(shipped().values())}
    assert found == {frozenset(DCN), frozenset({"best", "dense"})}


def test_what_makes_a_network_sparse_is_l1_alone() -> None:
    recipes = shipped()
    assert recipes["dense"].flags(recipes["best"].settings) == "--optimiser.l1 0.1, --optimiser.spare_start true"


def test_every_recipe_says_how_long_it_is_trained() -> None:
    assert [name for name, recipe in shipped().items() if recipe.settings["fit.epochs"] > 10] == []


def test_a_fingerprint_changes_with_what_is_learnt_and_not_with_the_place() -> None:
    known = known_recipes(APP.folder)
    read = partial(Recipe.read, "lr", known)
    one = read(("--data", "set", "--out", "out"), ()).fingerprint
    assert read(("--data", "elsewhere", "--out", "other"), ()).fingerprint == one
    assert read(("--data", "set", "--out", "out"), ("tags",)).fingerprint != one


def test_a_part_that_others_do_not_have_is_unknown_in_their_rows() -> None:
    joined = side_by_side([{"item": np.arange(2), "part_deep": np.ones(2)}, {"item": np.arange(3)}])
    assert joined["item"].tolist() == [0, 1, 0, 1, 2]
    assert np.isnan(joined["part_deep"].astype(float)).tolist() == [False, False, True, True, True]


Ask = Callable[..., int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared set and two recipes for one tiny network."""
    folder = tmp_path_factory.mktemp("compare")
    ctr_prediction.prepare(folder / "set", items=1500)
    (folder / "ftrl.yaml").write_text(TINY + "optimiser: {name: ftrl}\n")
    (folder / "adam.yaml").write_text(TINY + "optimiser: {name: adam, lr_dense: 0.01}\n")
    return folder


def words(folder: Path, out: Path, *more: object, recipes: str = "ftrl, adam") -> list[str]:
    named = [f"{folder / name}.yaml" for name in recipes.split(", ")]
    given = ("--data", folder / "set", "--out", out, "--recipes", f"[{', '.join(named)}]", "--baselines", f"[{RATE}]")
    return ["compare", *map(str, (*given, "--resamples", 20, "--seeds", "[0, 1]", *more))]


LATER = ("--split.name", "later", "--holdout", "test")


@pytest.fixture(scope="module")
def compared(folder: Path) -> Path:
    """The two recipes on the later days."""
    assert main(APP, words(folder, folder / "later", *LATER)) == 0
    return folder / "later"


def table_of(folder: Path, words: str) -> dict[str, dict[str, str]]:
    (table,) = [one for one in read_json(folder / "compare.json")["tables"] if one["caption"].startswith(words)]
    return {row[0]: dict(zip(table["header"], row, strict=True)) for row in table["rows"]}


def test_all_models_are_scored_on_the_same_rows(compared: Path) -> None:
    models = read_json(compared / "compare.json")["models"]
    assert set(models) == {"ftrl", "adam", RATE}
    assert len({model["n_rows"] for model in models.values()}) == 1
    assert len(models["ftrl"]["repeats"]) == 2
    page = (compared / "compare.html").read_text(encoding="utf-8")
    for title in ("Results", "Optimisers", "Model against model", "Living parts", "Sparsity", "Recipes"):
        assert f"{title}</h2>" in page


def test_figures_are_means_over_the_seeds(compared: Path) -> None:
    rows = read_table(compared / "predictions.parquet")
    own = take(rows, rows["model"] == "adam")
    areas = [AUC(take(own, own["seed"] == seed)) for seed in (0, 1)]
    line = table_of(compared, "All models")["adam"]
    assert line["AUC"].startswith(f"{np.mean(areas):.4f} ")
    assert line["of each seed"] == f"{min(areas):.4f} to {max(areas):.4f}"
    assert line["weights not zero, %"] != "-"
    assert float(line["training, s"]) >= 0
    assert table_of(compared, "All models")[RATE]["weights not zero, %"] == "-"


def test_optimisers_are_told_by_what_differs(compared: Path) -> None:
    lines = table_of(compared, "One network under several optimisers")
    assert list(lines) == ["ftrl", "adam"]
    assert "--optimiser.name adam, --optimiser.lr_dense 0.01" in lines["adam"]["how"]
    assert "--network" not in lines["adam"]["how"]
    assert lines["ftrl"]["minus ftrl"] == ""
    assert lines["adam"]["minus ftrl"][0] in "+-"


def test_who_beats_whom_is_told_in_a_sentence(compared: Path) -> None:
    (table,) = [
        one for one in read_json(compared / "compare.json")["tables"] if one["caption"].startswith("Against each")
    ]
    assert table["note"].startswith("By the pooled AUC ftrl ")
    assert [row[0] for row in table["rows"]] == ["adam", RATE]


def test_living_parts_and_zeros_are_those_of_each_recipe(compared: Path) -> None:
    parts = table_of(compared, "How far each part")
    assert set(parts) == {"ftrl", "adam"}
    assert {"wide", "cross", "deep"} <= set(parts["ftrl"])
    assert set(table_of(compared, "Non-zero weights against AUC: the network of ftrl")) == {"ftrl", "adam"}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were trained since."""
    found: list[str] = []
    train = module.train_run

    def watched(experiment: Any) -> Any:
        found.append(experiment.config.out.parent.name)
        return train(experiment)

    monkeypatch.setattr(module, "train_run", watched)
    return found


def test_only_what_is_not_done_is_done(folder: Path, tmp_path: Path, trained: list[str]) -> None:
    alone = ("--baselines", "[]", "--seeds", "[0]")
    assert main(APP, words(folder, tmp_path, *LATER, *alone, recipes="ftrl")) == 0
    assert len(trained) == 1
    assert main(APP, words(folder, tmp_path, *LATER, *alone)) == 0
    assert [name.partition(",")[0] for name in trained] == ["model=ftrl", "model=adam"]
    (next(tmp_path.glob("cells/model=adam*")) / "done.json").unlink()  # as a process leaves it that was killed
    assert main(APP, words(folder, tmp_path, *LATER, *alone)) == 0
    assert [name.partition(",")[0] for name in trained[2:]] == ["model=adam"]


def test_a_changed_recipe_is_trained_anew(folder: Path, tmp_path: Path, trained: list[str]) -> None:
    recipe = tmp_path / "one.yaml"
    for rate in (0.01, 0.02):
        recipe.write_text(TINY + f"optimiser: {{name: adam, lr_dense: {rate}}}\n")
        asked = ("--data", folder / "set", "--out", tmp_path / "out", "--recipes", f"[{recipe}]", "--seeds", "[0]")
        told = [*LATER, "--baselines", "[]", "--resamples", 20]
        assert main(APP, ["compare", *map(str, (*asked, *told))]) == 0
    assert len(set(trained)) == 2
    assert read_json(tmp_path / "out" / "compare.json")["recipes"]["one"]["optimiser.lr_dense"] == 0.02


def test_what_was_queued_and_is_not_asked_any_more_is_not_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(experiment: Any) -> Any:
        raise KeyboardInterrupt

    alone = (*LATER, "--baselines", "[]", "--seeds", "[0]")
    with monkeypatch.context() as patch:
        patch.setattr(module, "train_run", stopped)
        assert main(APP, words(folder, tmp_path, *alone)) == 130
    assert main(APP, words(folder, tmp_path, *alone, recipes="adam")) == 0
    assert [place.parent.name[:10] for place in tmp_path.glob("cells/*/done.json")] == ["model=adam"]
    assert main(APP, words(folder, tmp_path, *alone)) == 0
    assert len(list(tmp_path.glob("cells/*/done.json"))) == 2


def test_excluded_columns_are_seen_by_nobody(folder: Path, tmp_path: Path) -> None:
    alone = ("--exclude", "[tags]", "--seeds", "[0]")
    assert main(APP, words(folder, tmp_path, *LATER, *alone, recipes="ftrl")) == 0
    card = read_json(next(tmp_path.glob("cells/model=ftrl*")) / "run" / "model" / "card.json")
    assert "domain" in {column["name"] for column in card["input"]["columns"]}
    assert "tags" not in {column["name"] for column in card["input"]["columns"]}
    assert "without the columns tags" in read_json(tmp_path / "compare.json")["protocol"]


def test_every_fold_in_turn(folder: Path, tmp_path: Path) -> None:
    assert main(APP, words(folder, tmp_path, "--seeds", "[0]", "--baselines", "[]", recipes="ftrl")) == 0
    rows = read_table(tmp_path / "predictions.parquet")
    folds = np.unique(rows["fold"]).tolist()
    assert len(folds) > 2
    assert len(np.unique(rows["item"])) == len(rows["item"]) == 1500
    areas = [AUC(take(rows, rows["fold"] == fold)) for fold in folds]
    assert table_of(tmp_path, "All models")["ftrl"]["mean over folds"] == f"{np.mean(areas):.4f}"


MISTAKES = {
    "a name": (("--recipes", "[dcn_ftlr]"), "'dcn_ftrl'"),
    "a classical model": (("--baselines", "[LR-FRTL]"), "'LR-FTRL'"),
    "a column": (("--exclude", "[tgas]"), "'tags'"),
    "a reference": (("--reference", "fltr"), "'ftrl'"),
    "a role": (("--holdout", "tset"), "test"),
    "no role": (("--holdout", "null"), "--holdout test"),
    "a split": (("--split.name", "latre"), "'later'"),
    "twice the same": (("--recipes", "[lr, lr]"), "different"),
    "no seed": (("--seeds", "[]"), "--seeds"),
}


@pytest.mark.parametrize(("mistake", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mistake: tuple[str, ...], hint: str
) -> None:
    assert main(APP, words(folder, tmp_path / "out", *LATER, *mistake)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert hint in line
    assert not (tmp_path / "out").exists()


def test_settings_of_a_recipe_that_have_no_meaning_here(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for setting, hint in (
        ("fit: {monitor: AUC}", "fit.monitor"),
        ("optimizer: {l1: 1}", "optimiser"),
        ("resume: true", "resume"),
    ):
        (tmp_path / "odd.yaml").write_text(setting)
        assert main(APP, words(folder, tmp_path / "out", *LATER, "--recipes", f"[{tmp_path / 'odd.yaml'}]")) == 2
        told = capsys.readouterr().err
        assert "odd.yaml" in told
        assert hint in told


def test_a_folder_holds_one_comparison(folder: Path, compared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(APP, words(folder, compared, *LATER, "--exclude", "[tags]")) == 2
    assert "exclude" in capsys.readouterr().err
