"""The figures that reports share, as vector drawings that take the page's text colour and so suit light and dark.

Each is one panel about as wide as a phone, so that its text stays readable there. No pyplot: nothing is kept between
two figures, and nothing opens a window.
"""

from __future__ import annotations

import html
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from shared.calibrate import reliability as reliability_bins
from shared.table import Table, require

__all__ = [
    "COLOURS",
    "Trace",
    "confusion",
    "curve",
    "per_group_bars",
    "reliability",
    "roc_pr",
    "strip",
    "timeline",
    "to_svg",
]

FloatArray = npt.NDArray[np.float64]

COLOURS = ("#2f7fc1", "#cf5f2e", "#2d9b6c", "#9a66c9", "#ac7d1e", "#c4567f", "#5d8a99", "#8a8f2a")
"""One per model, in order; each contrasts at least 3 to 1 with a white and with a near-black page."""

INK = "#010203"
"""Stands for the page's text colour while matplotlib draws, and becomes `currentColor` in the SVG."""

MOST_GROUPS = 40
"""Bars of more groups than this would not be read; the worst ones are shown."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "figures",
    "figure.figsize": (4.6, 3.6),
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "font.size": 9,
    "font.sans-serif": ["DejaVu Sans"],
    "lines.linewidth": 1.6,
}


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(_STYLE)


def _panel(x_label: str, y_label: str, height: float = 3.6) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)


def roc_pr(tables: Mapping[str, Table]) -> tuple[Figure, Figure]:
    """The ROC and the precision-recall figure of some models, a dot where each one decides.

    Args:
        tables: model -> table with `target` (0 or 1), `probability`, and for the dots `decision`.
    """
    with _style():
        roc, roc_axes = _panel("1 - specificity", "sensitivity")
        pr, pr_axes = _panel("sensitivity (recall)", "precision")
        for colour, (name, table) in zip(_colours(len(tables)), tables.items(), strict=True):
            require(table, "target", "probability")
            false_rate, true_rate, _ = roc_curve(table["target"], table["probability"])
            roc_axes.plot(*_thinned(false_rate, true_rate), color=colour, label=name)
            precision, recall, _ = precision_recall_curve(table["target"], table["probability"])
            pr_axes.plot(*_thinned(recall, precision), color=colour, label=name)
            if "decision" in table:
                _operating_points(roc_axes, pr_axes, table, colour)
        roc_axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
        _unit_square(roc_axes)
        _unit_square(pr_axes)
        roc_axes.legend(loc="lower right")
        pr_axes.legend(loc="lower left")
    return roc, pr


def _thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points at which a curve in the unit square has visibly moved on: what more rows add only costs bytes."""
    cells = np.round(400 * np.stack([x, y], axis=1))
    moved = np.any(np.diff(cells, axis=0, prepend=np.inf) != 0, axis=1)
    moved[-1:] = True
    return x[moved], y[moved]


def _operating_points(roc_axes: Axes, pr_axes: Axes, table: Table, colour: str) -> None:
    answered = table["decision"] != -1
    truth, said = table["target"][answered] == 1, table["decision"][answered] == 1
    hits, alarms = int((truth & said).sum()), int((~truth & said).sum())
    if truth.all() or not truth.any() or not said.any():
        return
    recall = hits / int(truth.sum())
    roc_axes.plot(alarms / int((~truth).sum()), recall, "o", color=colour, markersize=6)
    pr_axes.plot(recall, hits / (hits + alarms), "o", color=colour, markersize=6)


def _colours(n: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(n)]


def reliability(tables: Mapping[str, Table], n_bins: int = 10) -> Figure:
    """Observed share of positives against predicted probability, in bins of equal mass; dots on the line are honest.

    Args:
        tables: model -> table with `target` (0 or 1) and `probability` between 0 and 1.
        n_bins: dots of each model.
    """
    with _style():
        figure, axes = _panel("predicted probability", "observed share")
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
        for colour, (name, table) in zip(_colours(len(tables)), tables.items(), strict=True):
            bins = reliability_bins(table, n_bins=n_bins)
            axes.plot(bins["predicted"], bins["observed"], "o-", color=colour, label=name, markersize=4, linewidth=1)
        _unit_square(axes)
        axes.legend(loc="upper left")
    return figure


def confusion(matrix: FloatArray, classes: Sequence[str]) -> Figure:
    """Counts of (true class, answered class), shaded by their share of the true class.

    Args:
        matrix: (C, C), rows the truth, columns the answer.
        classes: their C names.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 1.6 + 0.42 * len(classes)
    with _style():
        figure, axes = _panel("answered", "true", height=min(max(size, 2.4), 4.6))
        axes.grid(False)
        shades = mpl.colors.LinearSegmentedColormap.from_list("shades", [(*_rgb(0), 0.0), (*_rgb(0), 0.55)])
        axes.pcolormesh(share, cmap=shades, vmin=0, vmax=1, edgecolors="none")
        for (row, column), count in np.ndenumerate(matrix):
            axes.text(column + 0.5, row + 0.5, f"{count:g}", ha="center", va="center", fontsize=8)
        ticks = np.arange(len(classes)) + 0.5
        slant, end = (45, "right") if sum(map(len, classes)) > 40 else (0, "center")
        axes.set_xticks(ticks, classes, rotation=slant, ha=end, rotation_mode="anchor")
        axes.set_yticks(ticks, classes)
        axes.invert_yaxis()
        axes.tick_params(length=0)
    return figure


def _rgb(number: int) -> tuple[float, float, float]:
    return mpl.colors.to_rgb(COLOURS[number])


def per_group_bars(values: Mapping[str, float | None], label: str, *, higher_is_better: bool = True) -> Figure:
    """One bar for each group, the worst value on top; of very many groups the worst are shown.

    Args:
        values: group -> value; groups whose value is undefined (None or NaN) are left out.
        label: what the value is.
        higher_is_better: whether low values are the worst.
    """
    defined = {name: value for name, value in values.items() if value is not None and np.isfinite(value)}
    worst = sorted(defined.items(), key=lambda item: item[1], reverse=not higher_is_better)[:MOST_GROUPS]
    note = f" (the worst {len(worst)} groups)" if len(worst) < len(defined) else ""
    with _style():
        figure, axes = _panel(label + note, "", height=0.9 + 0.19 * max(len(worst), 3))
        axes.barh([name for name, _ in worst], [value for _, value in worst], height=0.7, color=COLOURS[0])
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", labelsize=8, length=0)
        axes.set_ylim(len(worst) - 0.4, -0.6)
    return figure


def curve(
    x: npt.ArrayLike,
    lines: Mapping[str, npt.ArrayLike],
    x_label: str,
    y_label: str,
    bands: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]] | None = None,
) -> Figure:
    """Lines over a common axis: a loss over epochs, a score over lengths or noise levels.

    Args:
        x: (n,) places on the axis.
        lines: name -> (n,) values; NaN leaves a gap.
        x_label: with the unit.
        y_label: with the unit.
        bands: name of a line -> (low, high), shaded around it.
    """
    with _style():
        figure, axes = _panel(x_label, y_label)
        for colour, (name, values) in zip(_colours(len(lines)), lines.items(), strict=True):
            axes.plot(x, values, "o-" if np.size(x) <= 20 else "-", color=colour, label=name, markersize=3.5)
            if bands and name in bands:
                axes.fill_between(x, *bands[name], color=colour, alpha=0.2, linewidth=0)
        if len(lines) > 1:
            axes.legend()
    return figure


def strip(x: npt.ArrayLike, y: npt.ArrayLike, x_label: str, y_label: str) -> Figure:
    """One signal over time, wide and low, as a strip of paper shows it.

    Args:
        x: (n,) times.
        y: (n,) values.
        x_label: with the unit.
        y_label: with the unit.
    """
    with _style():
        figure, axes = _panel(x_label, y_label, height=1.5)
        axes.plot(x, y, color=COLOURS[0], linewidth=0.9)
        axes.margins(x=0)
    return figure


@dataclass(frozen=True)
class Trace:
    """One quantity over time."""

    x: npt.ArrayLike
    """(n,) times."""
    y: npt.ArrayLike
    """(n,) values."""
    label: str
    """With the unit."""


def timeline(
    signal: Trace,
    score: Trace,
    x_label: str,
    *,
    limit: float,
    spans: Mapping[str, Sequence[tuple[float, float]]],
    marks: Mapping[str, float],
) -> Figure:
    """A signal over time with what was said of it as it came in: a score below, decisions shaded, moments marked.

    Args:
        signal: what came in.
        score: between 0 and 1, each value at the time it was known.
        x_label: with the unit.
        limit: of the score, drawn dotted.
        spans: decision -> (from, to) during which it stood.
        marks: name -> time of a moment.
    """
    with _style():
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        upper.set_ylabel(signal.label)
        lower.set(xlabel=x_label, ylabel=score.label, ylim=(-0.03, 1.03))
        upper.plot(signal.x, signal.y, color=COLOURS[0], linewidth=0.6)
        lower.plot(score.x, score.y, "o-", color=COLOURS[0], markersize=2.5, linewidth=1)
        lower.axhline(limit, color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
        _shade((upper, lower), spans, marks)
        upper.margins(x=0)
        figure.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _shade(
    panels: Sequence[Axes], spans: Mapping[str, Sequence[tuple[float, float]]], marks: Mapping[str, float]
) -> None:
    """The same shades and lines through all panels, each named once."""
    for axes in panels:
        for colour, (name, stretches) in zip(_colours(len(spans) + 1)[1:], spans.items(), strict=True):
            for number, (start, end) in enumerate(stretches):
                axes.axvspan(start, end, color=colour, alpha=0.18, linewidth=0, label="_" * bool(number) + name)
        for dashes, (name, time) in zip(itertools.cycle(("--", "-", "-.")), marks.items(), strict=False):
            axes.axvline(time, color=INK, linewidth=1.1, linestyle=dashes, label=name)


def to_svg(figure: Figure, prefix: str, alt: str) -> str:
    """The figure as an `<svg>` element to put into a page.

    Args:
        figure: any matplotlib figure; those of this module take the page's text colour.
        prefix: put before every id, so that two figures on a page never share one.
        alt: what a screen reader says in its place.
    """
    buffer = io.StringIO()
    with _style():
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', "", drawing).replace("xlink:href", "href")
    drawing = re.sub(r'\bid="|url\(#|\bhref="#', lambda start: start.group() + prefix, drawing)
    drawing = drawing.replace(INK, "currentColor").replace("'DejaVu Sans'", "system-ui")
    return drawing.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1)
