"""`python -m apps.readme` renews the generated blocks of all READMEs from cards and committed results.

Kinds of block: `apps` (table of all apps), and of the app whose README it is `card NAME`, `figures NAME` and
`details NAME`, whose results lie beside the shipped weights, and `tables PATH [WORDS]`: the tables of a JSON file in
the app's folder, all or those whose caption begins with these words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.atomic import read_json, write_text
from shared.contract import App, discover, load
from shared.errors import ConfigError
from shared.evaluation import interval_text
from shared.metrics import Metric
from shared.publish import FIGURES
from shared.readme import Block, fill
from shared.report import ReportTable, captioned

__all__ = ["main", "readmes", "renewed"]

MOST_COLUMNS = 7
REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    """Renew every README in place."""
    for path, app in readmes().items():
        write_text(path, renewed(path, app))


def readmes() -> dict[Path, App | None]:
    """Every README with generated blocks, and the app whose it is."""
    return {REPOSITORY / "README.md": None} | {app.folder / "README.md": app for app in discover().values()}


def renewed(path: Path, app: App | None) -> str:
    """The text of a README with its blocks as the committed results say."""
    kinds: dict[str, Block] = {"apps": lambda _: _apps_table(list(discover().values()))}
    if app is not None:
        kinds["card"] = lambda name: load(app.predictor).from_pretrained(name).card.to_markdown()
        kinds["figures"] = lambda name: _figures_table(app, name)
        kinds["details"] = lambda name: _details_tables(app, name)
        kinds["tables"] = lambda words: _stored_tables(app.folder, words)
    return fill(path.read_text(encoding="utf-8"), kinds)


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([_line(header), _line(["---"] * len(header)), *map(_line, rows)])


def _apps_table(apps: Sequence[App]) -> str:
    rows = []
    for app in apps:
        predictor = load(app.predictor)
        card = predictor.from_pretrained().card
        metric = next(metric for metric in load(app.experiment).metrics if metric.name == app.primary_metric)
        figure = f"{metric.name} {interval_text(metric, card.metrics[metric.name])}{' %' if metric.percent else ''}"
        rows.append(
            (
                f"[`{app.name}`](apps/{app.name}/README.md)",
                app.title,
                f"`from {app.package} import {predictor.__name__}`",
                f"`{card.name}`: {figure}",
                f"{card.parameters:,}",
                card.licence_weights + (" (research only)" if card.research_only else ""),
            )
        )
    return _table(("app", "the job", "predictor", "out of fold", "parameters", "licence of the weights"), rows)


def _results(app: App, name: str) -> tuple[Mapping[str, Any], list[str]]:
    """The committed figures of a shipped model, and all models in them, the best first."""
    results: Mapping[str, Any] = read_json(app.folder / "pretrained" / name / FIGURES)
    metric = load(app.experiment).primary_metric()
    values = {model: _primary(results, model, metric) for model in results["models"]}
    known = {model: value for model, value in values.items() if value is not None}
    return results, sorted(known, key=lambda model: known[model], reverse=metric.higher_is_better)


def _primary(results: Mapping[str, Any], model: str, metric: Metric) -> float | None:
    """The primary metric of a model: the mean over folds where there are folds."""
    if "folds" in results:
        return results["folds"][model]["mean"]
    return results["models"][model]["metrics"][metric.name]["estimate"]


def _figures_table(app: App, name: str) -> str:
    """Network and classical models on the same held-out rows."""
    results, ranked = _results(app, name)
    metrics: Sequence[Metric] = load(app.experiment).metrics
    primary = load(app.experiment).primary_metric()
    folds = results.get("folds")
    header = ["model", *([f"{_heading(primary)}, mean over folds (sd)"] if folds else []), *map(_heading, metrics)]
    rows = []
    for model in ranked:
        row = [f"**{model}**" if model == results["reference"] else model]
        if folds:
            row.append(f"{primary.format(folds[model]['mean'])} ({primary.format(folds[model]['sd over folds'])})")
        figures = results["models"][model]["metrics"]
        rows.append([*row, *(interval_text(metric, figures[metric.name]) for metric in metrics)])
    note = (
        f"{results['protocol']}; scored unit: {results['scored_unit']}; square brackets: {100 * results['level']:g} % "
        f"interval over {results['resamples']} resamples of whole groups ({results['group']})."
    )
    return f"{_table(header, rows)}\n\n{note}"


def _details_tables(app: App, name: str) -> str:
    """The shares that the app's report keeps beside its metrics, in percent, for the network and the best others."""
    results, ranked = _results(app, name)
    reference = results["reference"]
    models = [reference, *(model for model in ranked if model != reference)][:MOST_COLUMNS]
    tables = []
    for title, shares in results["details"].items():
        rows = [[row, *(f"{100 * found[model]:.1f}" for model in models)] for row, found in shares.items()]
        tables.append(_table((f"{title}, %", *models), rows))
    return "\n\n".join(tables)


def _stored_tables(folder: Path, argument: str) -> str:
    """The tables of a JSON file with "tables", each under its caption and above its note.

    Args:
        folder: of the app.
        argument: path of the file in it, and the words that the captions wanted begin with.
    """
    path, _, words = argument.partition(" ")
    stored = read_json(folder / path)["tables"]
    found = captioned(stored, words)
    if not found:
        captions = ", ".join(repr(table["caption"]) for table in stored) or "none"
        raise ConfigError(f"{path} has no table whose caption begins with {words!r}; it has {captions}.")
    return "\n\n".join(_as_markdown(table) for table in found)


def _as_markdown(table: ReportTable) -> str:
    parts = (f"**{table.caption}**", _table(table.header, table.rows), table.note)
    return "\n\n".join(part for part in parts if part)


def _heading(metric: Metric) -> str:
    return f"{metric.name}, %" if metric.percent else metric.name


if __name__ == "__main__":
    main()
