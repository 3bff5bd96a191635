"""`search`: the stages at a tiny size; a folder holds one search, which may grow but never turn into another."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from apps.ecg_shock.app import APP
from apps.ecg_shock.paper_search import search as module
from apps.ecg_shock.paper_search.architectures import Architecture, draw
from apps.ecg_shock.paper_search.candidates import DURATIONS_S, RESULT, described
from apps.ecg_shock.paper_search.search_report import budget, depth_comparison, depth_sentence, write_findings
from data_prep.synth import ecg_shock
from shared.atomic import read_json, write_json
from shared.cli import main
from shared.loop import Loop
from shared.prepared import Manifest

RATES = (1e-3, 1e-2)
RATE_VALUES = ((1e-3, 0.8), (1e-2, 0.9))
NO_DURATIONS = [{"duration_s": duration, "windows": 0, "value": None} for duration in DURATIONS_S]
MANIFEST = Manifest(
    name="made", title="Made up", source="nowhere", licence="CC0-1.0", citation="", groups=(), synthetic=True,
    fields=(), files={}, n_items=0, created_by="", format_version=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "data"
    ecg_shock.prepare(folder, items=30)
    return folder


def words(prepared: Path, out: Path, *more: str) -> list[str]:
    """A search with small networks and two small batches an epoch."""
    places = ["--config", "smoke", "--data", str(prepared), "--out", str(out), "--split.validation", "1"]
    batches = ["--fit.epochs", "2", "--draws.batches", "2", "--draws.shock", "2", "--draws.other", "2"]
    size = ["--trials", "3", "--top", "2", "--rates", str(list(RATES)), "--most_macs", "3e6"]
    return ["search", *places, *batches, *size, *more]


@pytest.fixture
def search(prepared: Path, tmp_path: Path) -> Callable[..., int]:
    """The verb on a made-up set."""
    return lambda *more: main(APP, words(prepared, tmp_path, *more))


@pytest.fixture(scope="module")
def quick(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., int]]:
    """The same with a made-up value in place of each training, in a folder that holds such a search."""
    folder = tmp_path_factory.mktemp("quick")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "train", made_up_training)
        patch.setattr(module, "score_durations", made_up_scores)
        run = partial(_quick, prepared, folder)
        assert run() == 0
        yield run


def _quick(prepared: Path, folder: Path, *more: str) -> int:
    return main(APP, words(prepared, folder, *more))


def made_up_training(training: object, candidate: Mapping[str, Any], folder: Path) -> None:
    one, rate = Architecture.named(candidate["architecture"]), candidate.get("learning_rate", 4e-3)
    write_json(folder / RESULT, trained(one, one.filters[0] / 60 + rate, learning_rate=rate))


def trained(one: Architecture, value: float, **more: Any) -> dict[str, Any]:
    cost = {"epoch": 2, "epochs": 2, "batches": 4, "seconds": 0.5, "threads": 2}
    return {"value": value, **described(one), "learning_rate": 4e-3, **cost, **more}


def made_up_scores(training: object, folder_of_trained: Path, candidate: Mapping[str, Any], folder: Path) -> None:
    write_json(folder / RESULT, {"durations": NO_DURATIONS, "seconds": 1.0, "threads": 1})


def test_every_stage_is_trained_and_scored(search, tmp_path: Path, capsys) -> None:
    assert search() == 0
    found = read_json(tmp_path / "search.json")
    assert [entry["blocks"] for entry in sorted(found["ranking"], key=lambda entry: entry["blocks"])] == [1, 2, 3]
    values = [entry["value"] for entry in found["ranking"]]
    assert values == sorted(values, reverse=True)
    assert all(0.0 <= value <= 1.0 for value in values)
    for entry in found["medians"]:
        assert [trained["learning_rate"] for trained in entry["rates"]] == list(RATES)
        assert entry["value"] == max(trained["value"] for trained in entry["rates"])
        scored = {one["duration_s"]: one for one in entry["durations"]}
        assert tuple(scored) == DURATIONS_S
        assert scored[5]["value"] == pytest.approx(entry["value"]), "the set's own windows, the epoch that was kept"
        assert scored[2]["windows"] == scored[5]["windows"] > 0
        assert scored[10] == {"duration_s": 10, "windows": 0, "value": None}, "no two windows follow one another here"
    assert found["budget"]["together"]["trainings"] == 3 + 3 * len(RATES)
    assert found["budget"]["together"]["batches"] == 2 * found["budget"]["together"]["epochs"] == 36
    page = (tmp_path / "search.html").read_text()
    assert "Synthetic data" in page
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "math" not in page, "labels of the rates are plain text"
    assert "search.html" in capsys.readouterr().out


def test_an_interrupted_search_keeps_whole_epochs(search, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "score_durations", made_up_scores)
    run_epoch, epochs, small = Loop.run_epoch, [], ("--trials", "2", "--rates", "[1e-2]")

    def until_the_fourth(self: Loop, progress: Any) -> None:
        if len(epochs) == 3:
            raise KeyboardInterrupt
        epochs.append(self.folder)
        run_epoch(self, progress)

    monkeypatch.setattr(Loop, "run_epoch", until_the_fourth)
    assert search(*small) == 130
    assert not (tmp_path / "search.json").exists()
    again: list[Path] = []
    monkeypatch.setattr(Loop, "run_epoch", lambda self, bar: (again.append(self.folder), run_epoch(self, bar))[1])
    assert search(*small) == 0
    assert again.count(epochs[-1]) == 1, "one epoch of it was kept"
    assert len(epochs) + len(again) == 2 * (2 + 2), "no epoch twice"
    again.clear()
    assert search(*small) == 0
    assert again == []


def test_the_same_search_grows(search, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "train", made_up_training)
    monkeypatch.setattr(module, "score_durations", made_up_scores)
    assert search("--trials", "2", "--rates", "[1e-3]") == 0
    first = read_json(tmp_path / "search.json")["ranking"]
    assert search("--trials", "4", "--top", "1") == 0
    found = read_json(tmp_path / "search.json")
    assert (len(first), len(found["ranking"])) == (2, 4)
    assert all(trial in found["ranking"] for trial in first)
    assert [trial["value"] for trial in found["ranking"]] == sorted(
        (trial["value"] for trial in found["ranking"]), reverse=True
    )
    assert all(len(entry["rates"]) == len(RATES) for entry in found["medians"])


def test_medians_and_tables_follow_from_the_ranking(tmp_path: Path) -> None:
    drawn = draw(21, seed=0).architectures
    ranking = sorted((trained(one, one.filters[0] / 60) for one in drawn), key=lambda entry: -entry["value"])
    medians = module._medians(ranking, top=2)
    for entry in medians:
        best = [trial for trial in ranking if trial["blocks"] == entry["blocks"]][:2]
        for sizes in ("filters", "kernels"):
            pairs = zip(*(trial[sizes] for trial in best), strict=True)
            assert entry[sizes] == [-(-sum(pair) // 2) for pair in pairs]
        swept = [trained(Architecture.named(entry["architecture"]), value, learning_rate=r) for r, value in RATE_VALUES]
        entry |= {"rates": swept, "learning_rate": 1e-2, "value": 0.9, "durations": NO_DURATIONS}
        entry |= {"seconds": 1.0, "threads": 1}
    findings = {"metric": "value", "top": 2, "ranking": ranking, "medians": medians}
    findings |= {"depth": depth_comparison(ranking, medians, 2), "budget": budget(ranking, medians)}
    write_findings(tmp_path, findings, {}, MANIFEST)
    tables = {table["caption"].split(":")[0]: table for table in read_json(tmp_path / "search.json")["tables"]}
    assert list(tables) == ["Depth beyond three blocks", "Architectures", "Learning rates", "Durations", "Budget"]
    shown = tables["Architectures"]["rows"]
    assert [row[0] for row in shown] == [str(blocks) for blocks in range(1, 8) for _ in range(2)]
    for row in shown:
        entry = ranking[int(row[1]) - 1]
        assert (row[2], row[6]) == ("-".join(map(str, entry["filters"])), f"{100 * entry['value']:.2f}")
    assert [row[-3:] for row in tables["Learning rates"]["rows"]] == [["80.00", "90.00", "0.01"]] * 7
    assert tables["Budget"]["rows"] == [
        ["architectures", "21", "42", "84", "21", "0.01"],
        ["learning rates", "14", "28", "56", "14", "0.00"],
        ["durations", "0", "0", "0", "7", "0.00"],
        ["together", "35", "70", "140", "42", "0.01"],
    ]


def test_what_depth_brings_is_computed() -> None:
    ranking = [{"blocks": 5, "value": 0.98}, {"blocks": 2, "value": 0.975}, {"blocks": 3, "value": 0.95}]
    ranking += [{"blocks": 7, "value": 0.94}]
    medians = [{"blocks": 1, "value": 0.96}, {"blocks": 4, "value": 0.955}]
    rows = depth_comparison(ranking, medians, top=2)
    assert [row["difference"] for row in rows] == pytest.approx([0.005, 0.96 - 0.9625, -0.005])
    assert rows[1]["few"] == statistics.mean((0.975, 0.95))
    sentence = depth_sentence(rows)
    assert "97.50 % with up to 3 and 98.00 % with more (+0.50 points)" in sentence
    assert "Too few" in depth_sentence(depth_comparison(ranking[1:3], medians[:1], top=2))


@pytest.mark.parametrize(
    ("flag", "value"),
    [("learning_rate", "0.1"), ("fit.epochs", "9"), ("split.validation", "2"), ("fit.seed", "1"), ("most_macs", "4e6")],
)
def test_another_search_needs_another_folder(quick, capsys, flag: str, value: str) -> None:
    assert quick(f"--{flag}", value) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"changed: {flag}" in line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--split.validation", "null"), "give --split.validation"),
        (("--top", "0"), "top must be 1 or more; found 0"),
        (("--rates", "[]"), "rates must be different numbers above 0"),
        (("--rates", "[1e-3,1e-3]"), "rates must be different numbers above 0"),
        (("--rates", "[-1]"), "rates must be different numbers above 0"),
        (("--most_macs", "0"), "most_macs must be above 0"),
        (("--most_macs", "1e4"), "at most most_macs = 10000"),
        (("--network.architecture", "residual", "--network.kernels", "[9,7]"), "leave --network.architecture out"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(search, tmp_path: Path, capsys, flags, message: str) -> None:
    assert search(*flags) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "env.json").exists()


@pytest.mark.slow
def test_two_workers_find_the_same(search, tmp_path: Path) -> None:
    small = ("--trials", "2", "--rates", "[1e-2]")
    assert search(*small, "--workers", "2") == 0
    two = read_json(tmp_path / "search.json")
    assert search(*small, "--out", str(tmp_path / "alone")) == 0
    alone = read_json(tmp_path / "alone" / "search.json")
    assert [(entry["filters"], entry["value"]) for entry in two["ranking"]] == [
        (entry["filters"], entry["value"]) for entry in alone["ranking"]
    ]
    assert [entry["durations"] for entry in two["medians"]] == [entry["durations"] for entry in alone["medians"]]
