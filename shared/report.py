"""One HTML page that needs nothing else: no script, no other file, no network. Text, tables with headers, figures.

It reads in light and dark, on a phone, printed, and with a screen reader: tables have captions and scoped headers,
figures have alternative texts, wide ones scroll inside their own frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from shared.atomic import write_text
from shared.errors import InputError
from shared.figures import to_svg

__all__ = ["ReportFigure", "ReportTable", "Section", "captioned", "render"]


@dataclass(frozen=True)
class ReportTable:
    """A table of text; the first cell of a row names it. Columns of numbers are set to the right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    """What a reader must know to read it, printed below."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise InputError(
                    f"Table {self.caption!r} has {len(self.header)} columns, but a row has {len(row)} cells: {row}"
                )

    @property
    def numeric(self) -> list[bool]:
        """For each column whether its cells are numbers."""
        return [column > 0 and all(_is_number(row[column]) for row in self.rows) for column in range(len(self.header))]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: "caption", "header", "rows", "note"."""
        rows = [list(row) for row in self.rows]
        return {"caption": self.caption, "header": list(self.header), "rows": rows, "note": self.note}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The table that `to_dict` stored. Raises InputError where it is none."""
        try:
            return cls(stored["caption"], stored["header"], stored["rows"], stored.get("note", ""))
        except (KeyError, TypeError) as error:
            raise InputError(f"A stored table has a caption, a header and rows of text; here: {error!r}.") from error


def captioned(stored: Sequence[Mapping[str, Any]], words: str = "") -> list[ReportTable]:
    """The tables, as JSON holds them, whose caption begins with `words`, in their order; by default all."""
    return [ReportTable.from_dict(table) for table in stored if str(table.get("caption")).startswith(words)]


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "+-<>"


@dataclass(frozen=True)
class ReportFigure:
    """A figure with its caption and the text that stands for it where it cannot be seen."""

    figure: Figure
    caption: str
    alt: str
    """What the figure shows, in a sentence with its main number."""


def _draw(figure: ReportFigure, prefix: str) -> Markup:
    return Markup(to_svg(figure.figure, prefix, figure.alt))


@dataclass(frozen=True)
class Section:
    """A heading with text, tables and figures below it, in this order."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[ReportTable] = ()
    figures: Sequence[ReportFigure] = ()


def render(
    path: Path,
    title: str,
    subtitle: str,
    sections: Sequence[Section],
    facts: Mapping[str, str],
    *,
    synthetic: bool = False,
) -> None:
    """Write the page atomically.

    Args:
        path: HTML file to write.
        title: what was evaluated.
        subtitle: one sentence on what the numbers are good for.
        sections: the page, from top to bottom.
        facts: what a reader must know before the numbers (data, split, model, date), label -> text.
        synthetic: whether the rows were made by a generator; the page then says so before anything else.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report_template.html").render(
        title=title, subtitle=subtitle, sections=sections, facts=facts, synthetic=synthetic, draw=_draw
    )
    write_text(path, page)
