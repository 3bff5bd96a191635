"""`python -m apps demo`: every app's shipped predictor on its sample inputs, as a table and as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.cli import parse_config
from shared.contract import App, discover, load
from shared.demo import DemoPart
from shared.report import Section, render

__all__ = ["DemoConfig", "main"]


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Settings of the demo."""

    out: Path = Path("runs/demo")
    """Folder for the page."""


def main(words: Sequence[str]) -> int:
    """Run the demo of every app that has one; 1 where any of them failed, else 0."""
    config = parse_config(DemoConfig, words, prog="python -m apps demo", description=__doc__ or "")
    table = Table(title="Shipped predictors on sample inputs")
    for heading in ("app", "sample", "answer", "labelled as", "ms"):
        table.add_column(heading, justify="right" if heading == "ms" else "left", overflow="fold")
    sections: list[Section] = []
    failed = False
    for app in discover().values():
        if app.demo is None:
            continue
        part = _run(app)
        failed |= isinstance(part, Exception)
        _add_rows(table, app, part)
        if isinstance(part, DemoPart):
            sections.append(part.section)
    page = config.out / "report.html"
    render(
        page, "Demo", "Shipped predictors on the sample inputs of the repository", sections, {"made with": "make demo"}
    )
    console = Console()
    console.print(table)
    console.print(f"The report with plots: {page.resolve()}", soft_wrap=True)
    return int(failed)


def _run(app: App) -> DemoPart | Exception:
    """One app's part, or what went wrong: one broken app must not hide the others."""
    try:
        return load(app.demo or "")()
    except Exception as error:  # whatever it is, it becomes a red row and exit code 1
        return error


def _add_rows(table: Table, app: App, part: DemoPart | Exception) -> None:
    if isinstance(part, Exception):
        table.add_row(app.name, "", f"failed: {part}", "", "", style="red")
        return
    for number, row in enumerate(part.rows):
        table.add_row("" if number else app.name, row.sample, row.answer, row.expected, f"{row.milliseconds:.1f}")
