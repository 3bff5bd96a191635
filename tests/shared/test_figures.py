"""Figures are drawn from the table, take the page's colours, and share nothing with each other."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from shared import figures
from shared.metrics import binary
from shared.table import Table


def made_table(n: int = 400, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    target = (rng.random(n) < 0.4).astype(int)
    probability = 1 / (1 + np.exp(-(2 * target - 1 + rng.normal(0, 1, n))))
    return binary.decide({"target": target, "probability": probability}, 0.5)


def every_figure() -> dict[str, Figure]:
    tables = {"network": made_table(), "a < b & c": made_table(seed=1)}
    roc, pr = figures.roc_pr(tables)
    return {
        "roc": roc,
        "pr": pr,
        "reliability": figures.reliability(tables),
        "confusion": figures.confusion(np.array([[50.0, 2], [3, 45]]), ["no shock", "shock"]),
        "bars": figures.per_group_bars({"p1": 0.9, "p2": 0.5, "p3": None}, "accuracy"),
        "curve": figures.curve([1, 2, 3], {"a": [1, 2, 3], "b": [3, 2, 1]}, "s", "y", {"a": ([0, 1, 2], [2, 3, 4])}),
    }


@pytest.mark.parametrize("name", every_figure())
def test_a_drawing_is_one_element_in_the_pages_ink(name: str) -> None:
    drawing = figures.to_svg(every_figure()[name], "f3-", 'what "it" shows')
    root = ElementTree.fromstring(drawing)
    assert root.tag == "svg"
    assert (root.get("role"), root.get("aria-label")) == ("img", 'what "it" shows')
    assert root.get("viewBox")
    assert root.get("width") is None
    assert "currentColor" in drawing
    assert figures.INK not in drawing
    assert "http" not in drawing
    assert "<style" not in drawing
    assert "<text" in drawing
    assert len(drawing) < 150_000


@pytest.mark.parametrize("name", every_figure())
def test_ids_carry_the_prefix_and_every_reference_is_found(name: str) -> None:
    drawing = figures.to_svg(every_figure()[name], "f3-", "alt")
    names = re.findall(r'\bid="([^"]+)"', drawing)
    assert len(names) == len(set(names))
    assert all(name.startswith("f3-") for name in names)
    references = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', drawing))
    assert {first or second for first, second in references} <= set(names)


def test_the_same_figure_gives_the_same_bytes() -> None:
    first, second = (figures.to_svg(figures.reliability({"m": made_table()}), "f-", "alt") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("colour", figures.COLOURS)
@pytest.mark.parametrize("page", ["#ffffff", "#14181d"])
def test_colours_contrast_with_both_pages(colour: str, page: str) -> None:
    def luminance(value: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(value)]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_the_dots_lie_where_the_models_decide() -> None:
    table = made_table()
    roc, pr = figures.roc_pr({"network": table})
    sensitivity, specificity = binary.SENSITIVITY(table), binary.SPECIFICITY(table)
    dots = [line for line in roc.axes[0].lines if line.get_marker() == "o"]
    assert len(dots) == 1
    np.testing.assert_allclose(dots[0].get_xydata(), [[1 - specificity, sensitivity]])
    dot = next(line for line in pr.axes[0].lines if line.get_marker() == "o")
    assert np.asarray(dot.get_xdata())[0] == pytest.approx(sensitivity)


def test_curves_need_no_decision_and_keep_their_ends() -> None:
    table = {name: made_table(20_000)[name] for name in ("target", "probability")}
    roc, _ = figures.roc_pr({"network": table})
    points = np.asarray(roc.axes[0].lines[0].get_xydata())
    assert len(points) < 900
    np.testing.assert_array_equal(points[[0, -1]], [[0, 0], [1, 1]])
    assert not [line for line in roc.axes[0].lines if line.get_marker() == "o"]


def test_bars_show_the_worst_groups_first_and_say_how_many_there_are() -> None:
    figure = figures.per_group_bars({f"p{number}": number / 100 for number in range(60, 0, -1)}, "accuracy")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == ["p1", "p2"]
    assert len(labels) == figures.MOST_GROUPS
    assert figure.axes[0].get_xlabel() == "accuracy (the worst 40 groups)"


def test_the_confusion_figure_prints_counts_and_shades_shares() -> None:
    figure = figures.confusion(np.array([[50.0, 2], [0, 0]]), ["a", "b"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["50", "2", "0", "0"]
    shades = figure.axes[0].collections[0].get_array()
    assert shades is not None
    np.testing.assert_allclose(np.ravel(shades), [50 / 52, 2 / 52, 0, 0])


def test_a_timeline_shades_what_stood_when_and_marks_its_moments() -> None:
    figure = figures.timeline(
        figures.Trace(np.arange(10), np.sin(np.arange(10)), "mV"),
        figures.Trace([2, 4], [0.1, 0.9], "score"),
        "s",
        limit=0.5,
        spans={"yes": [(4.0, 6.0), (7.0, 9.0)], "no": [(2.0, 4.0)]},
        marks={"begins": 3.0, "found": 4.0},
    )
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["yes", "no", "begins", "found"], "each once, though both panels show them"
    assert len(figure.axes) == 2
    for axes in figure.axes:
        spans = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches)
        assert spans == [(2.0, 4.0), (4.0, 6.0), (7.0, 9.0)]
    assert "<svg" in figures.to_svg(figure, "t", "a stream")


def test_nothing_is_left_in_pyplot() -> None:
    import matplotlib._pylab_helpers as helpers

    every_figure()
    assert not helpers.Gcf.figs
