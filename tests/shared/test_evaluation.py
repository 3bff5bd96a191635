"""metrics.json: every model on the same rows, intervals and differences from the same draws, trainings averaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shared import stats
from shared.atomic import read_json, write_json
from shared.errors import ConfigError, InputError
from shared.evaluation import MOST_GROUPS, interval_text, models_of, result_tables, summarise
from shared.metrics import Metric, binary, detection
from shared.table import Table, concatenate, take

BOX = {"x1": 0.0, "y1": 0.0, "x2": 9.0, "y2": 9.0}
METRICS = [binary.BALANCED_ACCURACY, binary.SENSITIVITY, binary.AUC, binary.LOG_LOSS]


def predictions(model: str, skill: float, n: int = 300, n_groups: int = 15, noise: int = 0, **more: int) -> Table:
    rng = np.random.default_rng(0)
    target = (rng.random(n) < 0.4).astype(int)
    group = rng.integers(0, n_groups, n)
    score = np.random.default_rng([1, noise]).normal(0, 1, n) + skill * (2 * target - 1)
    return binary.decide(
        {
            "model": np.full(n, model, dtype=object),
            "item": np.array([f"w{number}" for number in range(n)], dtype=object),
            "patient": np.array([f"p{number}" for number in group], dtype=object),
            "target": target,
            "probability": 1 / (1 + np.exp(-score)),
            **{name: np.full(n, value) for name, value in more.items()},
        },
        0.5,
    )


def two_models() -> Table:
    best, tree = predictions("network", 1.5), predictions("tree", 0.7, noise=1)
    return concatenate([best, take(tree, np.random.default_rng(2).permutation(300))])


def test_figures_are_those_of_the_bootstrap_and_the_paired_difference() -> None:
    table = two_models()
    summary = summarise(table, METRICS, group="patient", reference="network", n=100)
    models = models_of(table)
    tree = summary["models"]["tree"]
    for metric in METRICS:
        alone = stats.group_bootstrap(metric, models["tree"], "patient", n=100)
        assert tree["metrics"][metric.name] == pytest.approx(
            {**alone.to_dict(), "n_rows": len(metric.rows(models["tree"])["item"])}
        )
        gain = stats.paired_difference(metric, models["tree"], models["network"], "patient", n=100)
        assert tree["differences"][metric.name] == pytest.approx(gain.to_dict())
    assert tree["differences"]["AUC"]["high"] < 0
    assert summary["models"]["network"]["differences"] == {}
    assert tree["n_rows"] == 300
    assert tree["metrics"]["sensitivity"]["n_rows"] < 300
    assert tree["repeats"] == {}


def test_the_summary_is_json_and_names_what_it_is(tmp_path: Path) -> None:
    table = two_models()
    table["target"][:] = 0
    summary = summarise(table, METRICS, group="patient", reference="network", n=10, level=0.9)
    write_json(tmp_path / "metrics.json", summary)
    again = read_json(tmp_path / "metrics.json")
    assert again == summary
    assert {name: again[name] for name in ("group", "reference", "primary", "level", "resamples")} == {
        "group": "patient",
        "reference": "network",
        "primary": "balanced accuracy",
        "level": 0.9,
        "resamples": 10,
    }
    assert again["models"]["tree"]["metrics"]["AUC"]["estimate"] is None
    assert set(again["models"]["tree"]["groups"].values()) == {None}


def test_groups_hold_the_primary_metric() -> None:
    table = two_models()
    summary = summarise(table, METRICS, group="patient", reference="tree", n=10, primary="AUC")
    expected = stats.per_group(binary.AUC, models_of(table)["network"], "patient")
    assert summary["primary"] == "AUC"
    assert summary["models"]["network"]["groups"] == pytest.approx(expected)
    assert summary["models"]["network"]["n_groups_left_out"] == 0


@pytest.mark.parametrize("metric", [binary.SENSITIVITY, binary.LOG_LOSS], ids=lambda metric: metric.name)
def test_of_very_many_groups_the_worst_are_kept(metric: Metric) -> None:
    table = predictions("network", 1.0, n=1500, n_groups=MOST_GROUPS + 50)
    network = summarise(table, [metric], group="patient", reference="network", n=10)["models"]["network"]
    every = stats.per_group(metric, table, "patient")
    left_out = [value for name, value in every.items() if name not in network["groups"] and np.isfinite(value)]
    assert len(network["groups"]) == MOST_GROUPS
    assert network["n_groups_left_out"] == len(every) - MOST_GROUPS
    assert network["groups"] == {name: every[name] for name in every if name in network["groups"]}
    kept = list(network["groups"].values())
    assert max(kept) <= min(left_out) if metric.higher_is_better else min(kept) >= max(left_out)


def test_several_trainings_are_averaged_and_listed_and_may_differ_in_number() -> None:
    runs = [predictions("network", 1.5, noise=number, seed=number) for number in range(3)]
    table = concatenate([*runs, predictions("tree", 0.7, seed=0)])
    summary = summarise(table, METRICS, group="patient", reference="network", repeats="seed", n=20)
    network, tree = summary["models"]["network"], summary["models"]["tree"]
    singles = [binary.AUC(run) for run in runs]
    assert network["metrics"]["AUC"]["estimate"] == pytest.approx(np.mean(singles))
    assert [network["repeats"][str(number)]["AUC"] for number in range(3)] == pytest.approx(singles)
    assert network["n_rows"] == network["metrics"]["AUC"]["n_rows"] == 300
    assert tree["repeats"] == {}
    assert tree["differences"]["AUC"]["estimate"] == pytest.approx(
        tree["metrics"]["AUC"]["estimate"] - np.mean(singles)
    )


def test_weights_of_the_rows_enter_everything() -> None:
    table = {**two_models(), "weight": np.tile([1.0, 3.0], 300)}
    table = concatenate([{**table, "seed": np.zeros(600)}, {**table, "seed": np.ones(600)}])
    summary = summarise(table, METRICS, group="patient", reference="network", repeats="seed", n=10, weight="weight")
    rows = take(table, (table["model"] == "tree") & (table["seed"] == 0))
    expected = binary.LOG_LOSS(rows, rows["weight"])
    tree = summary["models"]["tree"]
    assert tree["metrics"]["log loss"]["estimate"] == pytest.approx(expected)
    assert tree["repeats"]["0.0"]["log loss"] == pytest.approx(expected)
    assert expected != pytest.approx(binary.LOG_LOSS(rows))


def test_few_groups_give_ranges() -> None:
    table = concatenate([predictions(name, 1.0, n_groups=3) for name in ("network", "tree")])
    summary = summarise(table, METRICS, group="patient", reference="network", n=10)
    assert summary["models"]["tree"]["metrics"]["AUC"]["method"] == "range over groups"
    assert summary["models"]["tree"]["differences"]["AUC"]["estimate"] == 0.0
    assert "(" in result_tables(summary, METRICS)[0].rows[0][1]


def test_models_on_different_rows_are_refused() -> None:
    table = take(two_models(), np.arange(599))
    with pytest.raises(InputError, match="1 rows are only in the first"):
        summarise(table, METRICS, group="patient", reference="network", n=5)


def test_a_training_that_lacks_rows_is_refused() -> None:
    runs = concatenate([predictions("network", 1.0, seed=number) for number in range(2)])
    with pytest.raises(InputError, match="10 rows are only in the first"):
        summarise(take(runs, np.arange(590)), METRICS, group="patient", reference="network", repeats="seed", n=5)


def test_detectors_may_find_different_numbers_of_boxes_in_the_same_images() -> None:
    images = {name: np.array([f"{name}{number}" for number in range(10)], dtype=object) for name in ("image", "scene")}
    truth = {"image": images["image"], **{side: np.full(10, edge) for side, edge in BOX.items()}}
    good = detection.match({**truth, "score": np.linspace(0.5, 0.9, 10)}, truth, images)
    poor = detection.match({**take(truth, np.arange(4)), "score": np.full(4, 0.5)}, truth, images)
    tables = [
        {"model": np.full(len(table["score"]), name, dtype=object), **table}
        for name, table in (("network", good), ("cascade", poor))
    ]
    metric = detection.average_precision()
    summary = summarise(concatenate(tables), [metric], group="scene", reference="network", key=("image",), n=50)
    cascade = summary["models"]["cascade"]
    assert summary["models"]["network"]["metrics"]["AP50"]["estimate"] == 1.0
    assert cascade["metrics"]["AP50"]["n_rows"] == cascade["n_rows"] == 10
    assert cascade["differences"]["AP50"]["high"] < 0


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no model 'netwrk' to compare to\. Did you mean 'network'"):
        summarise(two_models(), METRICS, group="patient", reference="netwrk")
    with pytest.raises(ConfigError, match=r"no metric 'auc'\. Did you mean 'AUC'|no metric 'auc'\. Known"):
        summarise(two_models(), METRICS, group="patient", reference="network", primary="auc")
    with pytest.raises(InputError, match="no column 'speaker'"):
        summarise(two_models(), METRICS, group="speaker", reference="network")


def test_tables_print_every_metric_of_every_model() -> None:
    summary = json.loads(json.dumps(summarise(two_models(), METRICS, group="patient", reference="network", n=50)))
    metrics, differences = result_tables(summary, METRICS)
    assert metrics.header == ("model", "balanced accuracy, %", "sensitivity, %", "AUC", "log loss")
    assert [row[0] for row in metrics.rows] == ["network", "tree"]
    assert [row[0] for row in differences.rows] == ["tree"]
    stored = summary["models"]["network"]["metrics"]["AUC"]
    assert metrics.rows[0][3] == f"{stored['estimate']:.3f} [{stored['low']:.3f}, {stored['high']:.3f}]"
    alone = {**summary, "models": {"network": summary["models"]["network"]}}
    assert len(result_tables(alone, METRICS)) == 1


def test_an_interval_reads_the_same_from_json_and_from_the_object() -> None:
    interval = stats.Interval(0.5, 0.25, 0.75, 0.95, "group bootstrap", 9)
    assert interval_text(binary.SENSITIVITY, interval) == "50.0 [25.0, 75.0]"
    assert interval_text(binary.SENSITIVITY, interval.to_dict()) == "50.0 [25.0, 75.0]"
    ranged = stats.Interval(0.5, 0.25, float("nan"), 0.95, "range over groups", 3)
    assert interval_text(binary.AUC, ranged) == "0.500 (0.250 to -)"
