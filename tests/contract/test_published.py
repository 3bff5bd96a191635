"""A published model's card is complete, and its figures are those of the predictions that lie beside it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.atomic import sha256_of
from shared.card import Card
from shared.contract import App, load
from shared.errors import ConfigError
from shared.pretrained import names
from shared.publish import ITEM, OUT_OF_FOLD, card_metrics
from shared.table import read_table
from tests.contract.case import APPS
from tests.contract.subject import Subject, command

pytestmark = pytest.mark.filterwarnings("ignore:.*research only")

SHIPPED = [(app, name) for app in APPS.values() for name in names(app.folder / "pretrained")]


def assert_card_is_whole(app: App, folder: Path) -> Card:
    """Complete and published, with the out-of-fold predictions that it names beside it."""
    card = Card.read(folder / "card.json")
    card.validate()
    assert card.status == "published"
    assert card.app == app.package
    assert app.primary_metric in card.metrics
    assert card.oof["file"] == OUT_OF_FOLD
    assert card.oof["sha256"] == sha256_of(folder / OUT_OF_FOLD)
    assert f"python -m {app.package} " in card.oof["command"]
    return card


def assert_same_figures(stated: Mapping[str, Any], computed: Mapping[str, Any], *, but: tuple[str, ...] = ()) -> None:
    """Every metric has the same entries, up to another machine's rounding; those named in `but` are not compared."""
    assert stated.keys() == computed.keys()
    for name, entry in stated.items():
        expected = {key: value for key, value in computed[name].items() if key not in but}
        assert {key: value for key, value in entry.items() if key not in but} == pytest.approx(expected, abs=1e-9), name


def test_a_fresh_publication_is_true(subject: Subject) -> None:
    card = assert_card_is_whole(subject.app, subject.published)
    assert_same_figures(card.metrics, card_metrics(subject.app, read_table(subject.published / OUT_OF_FOLD)))
    predictor = subject.predictor_class.from_pretrained(subject.published)
    predictor.check_golden()
    assert predictor.card.name == subject.published.name
    assert subject.app.package in command(subject.app, "card", "--model", subject.published).done().out


def test_published_predictions_hold_nothing_else(subject: Subject) -> None:
    columns = set(read_table(subject.published / OUT_OF_FOLD))
    allowed = {ITEM, "seed", subject.app.resampling_unit, *load(subject.app.experiment).published_columns}
    assert columns == allowed


def test_a_publication_needs_figures_of_the_same_recipe(subject: Subject, tmp_path: Path) -> None:
    words = ("card", "--model", subject.final, "--publish", tmp_path / "best")
    assert "--crossval" in command(subject.app, *words).refused()
    run = subject.run.parent / "grid"
    assert (subject.published.parent, run.is_dir()) == (run.parent, True)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("env.json", "metrics.json", "predictions.parquet"):
        (other / name).write_bytes((run / name).read_bytes())
    text = (run / "config.yaml").read_text().replace("epochs: 2", "epochs: 3")
    (other / "config.yaml").write_text(text)
    assert "another recipe" in command(subject.app, *words, "--crossval", other).refused()
    assert not (tmp_path / "best").exists()


def test_a_run_that_held_rows_out_is_published_with_its_own_figures(subject: Subject, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(subject.run, run, ignore=shutil.ignore_patterns("metrics.json", "predictions.parquet"))
    words = ("card", "--model", run, "--publish", tmp_path / "own")
    assert "evaluate" in command(subject.app, *words).refused()
    command(subject.app, "evaluate", run, "--baselines", "false", "--resamples", 20).done()
    assert "--crossval" in command(subject.app, *words, "--crossval", subject.run.parent / "grid").refused()
    command(subject.app, *words).done()
    card = assert_card_is_whole(subject.app, tmp_path / "own")
    assert "are the ones that were scored" in card.protocol
    table = read_table(tmp_path / "own" / OUT_OF_FOLD)
    assert_same_figures(card.metrics, card_metrics(subject.app, table))
    assert not set(table[subject.app.resampling_unit].astype(str)) & set(card.training_groups)


def test_an_app_without_models_says_so(subject: Subject) -> None:
    if subject.predictor_class.available():
        assert subject.predictor_class.from_pretrained().card.name == subject.predictor_class.available()[0]
    else:
        with pytest.raises(ConfigError, match="none"):
            subject.predictor_class.from_pretrained()


shipped = pytest.mark.parametrize(("app", "name"), SHIPPED, ids=[f"{app.name}/{name}" for app, name in SHIPPED])


@shipped
def test_a_shipped_model_is_whole_and_states_what_its_predictions_give(app: App, name: str) -> None:
    folder = app.folder / "pretrained" / name
    card = assert_card_is_whole(app, folder)
    computed = card_metrics(app, read_table(folder / OUT_OF_FOLD), resamples=2)
    assert_same_figures(card.metrics, computed, but=("low", "high", "undefined"))
    load(app.predictor).from_pretrained(name).check_golden()


@pytest.mark.slow
@shipped
def test_a_shipped_models_intervals_are_those_of_its_predictions(app: App, name: str) -> None:
    folder = app.folder / "pretrained" / name
    assert_same_figures(Card.read(folder / "card.json").metrics, card_metrics(app, read_table(folder / OUT_OF_FOLD)))
