"""What a search found: tables, curves by depth, learning rate and duration, and what it cost."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.atomic import write_json
from shared.figures import COLOURS, curve
from shared.prepared import Manifest
from shared.report import ReportFigure, ReportTable, Section, render

__all__ = ["budget", "depth_comparison", "depth_sentence", "write_findings"]

Entry = Mapping[str, Any]

FEW_BLOCKS = 3
"""Beyond so many blocks the paper found hardly any gain."""
FLATTERED = (
    "Each value is the highest of any epoch on the rows that rank, which flatters all alike: values rank, they do not "
    "measure."
)
CHANCE = "One fold and one seed: small differences are not told from chance."


def depth_comparison(ranking: Sequence[Entry], medians: Sequence[Entry], top: int) -> list[dict[str, Any]]:
    """Few blocks against more: the best drawn, the median of the top drawn, the best of the depths' medians.

    Args:
        ranking: trained architectures with "blocks" and "value", the best first.
        medians: one entry for each depth, with "blocks" and its "value" at the best rate.
        top: how many of the ranking's best the median is taken of.

    Returns:
        Rows with "what", "few", "more" and "difference"; none where one side was not tried.
    """
    drawn, middle = _sides(ranking), _sides(medians)
    if not all(drawn):
        return []
    compared = {
        "best architecture": map(max, drawn),
        f"median of the top {top}": (statistics.median(side[:top]) for side in drawn),
        "best of the median architectures": map(max, middle),
    }
    return [
        {"what": what, "few": few, "more": more, "difference": more - few} for what, (few, more) in compared.items()
    ]


def _sides(entries: Sequence[Entry]) -> tuple[list[float], list[float]]:
    return (
        [entry["value"] for entry in entries if entry["blocks"] <= FEW_BLOCKS],
        [entry["value"] for entry in entries if entry["blocks"] > FEW_BLOCKS],
    )


def depth_sentence(comparison: Sequence[Entry]) -> str:
    """What more than three blocks bring, in words and numbers."""
    if not comparison:
        return f"Too few architectures were tried to compare more than {FEW_BLOCKS} blocks with fewer."
    parts = [
        f"{row['what']} {_percent(row['few'])} % with up to {FEW_BLOCKS} and {_percent(row['more'])} % with more "
        f"({100 * row['difference']:+.2f} points)"
        for row in comparison
    ]
    return f"Depth beyond {FEW_BLOCKS} blocks: {'; '.join(parts)}. {CHANCE}"


def budget(ranking: Sequence[Entry], medians: Sequence[Entry]) -> dict[str, dict[str, float]]:
    """What each stage took: trainings, epochs, batches, and seconds times threads."""
    stages: dict[str, Sequence[Entry]] = {
        "architectures": ranking,
        "learning rates": [trained for entry in medians for trained in entry["rates"]],
        "durations": [{"seconds": entry["seconds"], "threads": entry["threads"]} for entry in medians],
    }
    spent = {stage: _spent(entries) for stage, entries in stages.items()}
    return {**spent, "together": {key: sum(stage[key] for stage in spent.values()) for key in spent["durations"]}}


def _spent(entries: Sequence[Entry]) -> dict[str, float]:
    return {
        "trainings": sum("epochs" in entry for entry in entries),
        "epochs": sum(entry.get("epochs", 0) for entry in entries),
        "batches": sum(entry.get("batches", 0) for entry in entries),
        "core_seconds": round(sum(entry["seconds"] * entry["threads"] for entry in entries), 1),
    }


def write_findings(folder: Path, findings: Mapping[str, Any], facts: Mapping[str, str], manifest: Manifest) -> None:
    """Write search.json and search.html.

    Args:
        folder: of the search.
        findings: "metric", "top", "ranking", "medians" (with "rates" and "durations"), "depth" and "budget".
        facts: what was searched on, label -> text.
        manifest: of the prepared set.
    """
    sections = _sections(findings)
    tables = [table.to_dict() for section in sections for table in section.tables]
    write_json(folder / "search.json", {**findings, "facts": dict(facts), "tables": tables})
    render(
        folder / "search.html",
        title="Search of architectures on the grid of Krasteva et al. 2020",
        subtitle=FLATTERED,
        sections=sections,
        facts={"data": f"{manifest.title} ({manifest.source})", "licence of the data": manifest.licence, **facts},
        synthetic=manifest.synthetic,
    )


def _sections(findings: Mapping[str, Any]) -> list[Section]:
    ranking, medians, top = findings["ranking"], findings["medians"], findings["top"]
    value = f"{findings['metric']}, %"
    return [
        Section(
            "Depth",
            [depth_sentence(findings["depth"])],
            [_depth_table(findings["depth"]), _ranking_table(ranking, top, value)],
            [_depth_figure(ranking, top, value)],
        ),
        Section("Learning rate", tables=[_rate_table(medians, value)], figures=[_rate_figure(medians, value)]),
        Section("Duration", tables=[_duration_table(medians, value)], figures=[_duration_figure(medians, value)]),
        Section("Budget", tables=[_budget_table(findings["budget"])]),
    ]


def _depth_table(comparison: Sequence[Entry]) -> ReportTable:
    rows = [
        (row["what"], _percent(row["few"]), _percent(row["more"]), f"{100 * row['difference']:+.2f}")
        for row in comparison
    ]
    header = ("validation balanced accuracy, %", f"up to {FEW_BLOCKS} blocks", "more", "difference")
    return ReportTable("Depth beyond three blocks", header, rows, f"{FLATTERED} {CHANCE}")


def _ranking_table(ranking: Sequence[Entry], top: int, value: str) -> ReportTable:
    rows = [
        (str(depth), str(1 + ranking.index(entry)), *_sizes(entry), _percent(entry["value"]), str(entry["epoch"]))
        for depth, entries in _by_depth(ranking).items()
        for entry in entries[:top]
    ]
    tried = ", ".join(f"{len(entries)} of {depth}" for depth, entries in _by_depth(ranking).items())
    header = ("blocks", "rank", "filters", "kernels", "parameters", "MAC per 5 s, million", value, "epoch")
    note = f"Architectures tried: {tried} blocks. {FLATTERED}"
    return ReportTable(f"Architectures: the {top} highest ranked of each depth", header, rows, note)


def _rate_table(medians: Sequence[Entry], value: str) -> ReportTable:
    rows = [
        (
            str(entry["blocks"]),
            *_sizes(entry),
            *(_percent(trained["value"]) for trained in entry["rates"]),
            f"{entry['learning_rate']:g}",
        )
        for entry in medians
    ]
    rates = [f"at {trained['learning_rate']:g}" for trained in medians[0]["rates"]]
    used = " or ".join(map(str, sorted({entry["median_of"] for entry in medians})))
    return ReportTable(
        "Learning rates: the median architecture of each depth",
        ("blocks", "filters", "kernels", "parameters", "MAC per 5 s, million", *rates, "best rate"),
        rows,
        f"{value}. Block by block the median of the {used} highest ranked of a depth. {FLATTERED}",
    )


def _duration_table(medians: Sequence[Entry], value: str) -> ReportTable:
    durations = medians[0]["durations"]
    rows = [
        (
            str(entry["blocks"]),
            f"{entry['learning_rate']:g}",
            *(_percent(scored["value"]) for scored in entry["durations"]),
        )
        for entry in medians
    ]
    counts = ", ".join(f"{scored['windows']} of {scored['duration_s']:g} s" for scored in durations)
    return ReportTable(
        "Durations: the median architecture of each depth at its best rate",
        ("blocks", "learning rate", *(f"{scored['duration_s']:g} s" for scored in durations)),
        rows,
        f"{value}. The weights are those trained on the set's own windows, of which two are joined where one is too "
        f"short. Scored: {counts}. {FLATTERED}",
    )


def _budget_table(spent: Mapping[str, Mapping[str, float]]) -> ReportTable:
    rows = [
        (
            stage,
            *(f"{cost[key]:,}" for key in ("trainings", "epochs", "batches")),
            f"{cost['core_seconds']:,.0f}",
            f"{cost['core_seconds'] / 3600:.2f}",
        )
        for stage, cost in spent.items()
    ]
    header = ("stage", "trainings", "epochs", "batches", "core-seconds", "core-hours")
    return ReportTable("Budget: what each stage took", header, rows, "Seconds on the clock, times threads.")


def _depth_figure(ranking: Sequence[Entry], top: int, value: str) -> ReportFigure:
    by_depth = _by_depth(ranking)
    middle = [100 * statistics.median(entry["value"] for entry in entries[:top]) for entries in by_depth.values()]
    figure = curve(list(by_depth), {f"median of the top {top}": middle}, "blocks", value)
    (axes,) = figure.axes
    axes.plot(*_points(ranking), "o", color=COLOURS[1], alpha=0.5, markersize=4, label="one architecture")
    axes.legend(frameon=False, fontsize=8)
    best = ranking[0]
    alt = f"{len(ranking)} architectures; the best, of {_blocks(best)}, has {_percent(best['value'])} %."
    return ReportFigure(figure, f"Every architecture tried, and the median of the top {top} of each depth.", alt)


def _points(ranking: Sequence[Entry]) -> tuple[list[int], list[float]]:
    return [entry["blocks"] for entry in ranking], [100 * entry["value"] for entry in ranking]


def _rate_figure(medians: Sequence[Entry], value: str) -> ReportFigure:
    rates = [trained["learning_rate"] for trained in medians[0]["rates"]]
    lines = {_blocks(entry): _percents(trained["value"] for trained in entry["rates"]) for entry in medians}
    figure = curve(rates, lines, "peak learning rate", value)
    (axes,) = figure.axes
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    best = max(medians, key=lambda entry: entry["value"])
    alt = f"The best is {_percent(best['value'])} % with {_blocks(best)} at a rate of {best['learning_rate']:g}."
    return ReportFigure(figure, "The median architecture of each depth, trained at each rate.", alt)


def _duration_figure(medians: Sequence[Entry], value: str) -> ReportFigure:
    durations = [scored["duration_s"] for scored in medians[0]["durations"]]
    lines = {_blocks(entry): _percents(scored["value"] for scored in entry["durations"]) for entry in medians}
    figure = curve(durations, lines, "duration, s", value)
    alt = f"Values by duration of the window, from {durations[0]:g} to {durations[-1]:g} s, and depth."
    return ReportFigure(figure, "The same weights on shorter and on longer windows.", alt)


def _by_depth(ranking: Sequence[Entry]) -> dict[int, list[Entry]]:
    """The ranking of each depth that was tried."""
    depths = sorted({entry["blocks"] for entry in ranking})
    return {depth: [entry for entry in ranking if entry["blocks"] == depth] for depth in depths}


def _sizes(entry: Entry) -> tuple[str, str, str, str]:
    return (
        "-".join(map(str, entry["filters"])),
        "-".join(map(str, entry["kernels"])),
        f"{entry['parameters']:,}",
        f"{entry['macs'] / 1e6:.2f}",
    )


def _blocks(entry: Entry) -> str:
    return f"{entry['blocks']} block{'s' if entry['blocks'] > 1 else ''}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _percents(values: Iterable[float | None]) -> list[float]:
    return [np.nan if value is None else 100 * value for value in values]
