"""The page stands alone, is well formed, and says things to those who cannot see it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from shared.errors import InputError
from shared.figures import curve
from shared.report import ReportFigure, ReportTable, Section, captioned, render

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """What the tests ask of a page: its elements with their attributes, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def made_figure(alt: str = "a line that rises to 3") -> ReportFigure:
    return ReportFigure(curve([1, 2, 3], {"loss": [1, 2, 3]}, "epoch", "loss"), "Loss over epochs", alt)


def made_page(folder: Path, **keywords: bool) -> str:
    table = ReportTable(
        "Results <all>", ("model", "AUC", "remark"), [("network", "0.991 [0.980, 0.999]", "best"), ("tree", "-", "")],
        "Brackets: 95 % interval.",
    )  # fmt: skip
    sections = [
        Section("Results & more", ["One <b>sentence</b>."], [table, table], [made_figure(), made_figure('"x" < y')]),
        Section("Words only", ["Nothing else."]),
        Section("Curves", figures=[made_figure()]),
    ]
    path = folder / "report.html"
    render(path, "Run 1", "What it is good for.", sections, {"data": "made & up"}, **keywords)
    return path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    text = made_page(tmp_path)
    assert "http" not in text
    assert "@import" not in text
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not [attributes for _, attributes in page.elements if "src" in attributes]
    assert all((attributes["href"] or "").startswith("#") for attributes in page.all("a"))
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_elements_close_and_ids_are_single(tmp_path: Path) -> None:
    page = Page(made_page(tmp_path))
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(attributes["href"] or "").removeprefix("#") for attributes in page.all("a")}
    labels = {attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes}
    assert targets | labels <= set(ids)


def test_a_screen_reader_finds_its_way(tmp_path: Path) -> None:
    text = made_page(tmp_path)
    page = Page(text)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("nav")) == 1
    assert len(page.all("h2")) == 3
    assert len(page.all("caption")) == len(page.all("table")) == 2
    assert {attributes["scope"] for attributes in page.all("th")} == {"row", "col"}
    assert [attributes["aria-label"] for attributes in page.all("svg")] == [
        "a line that rises to 3",
        '"x" < y',
        "a line that rises to 3",
    ]
    regions = [attributes for attributes in page.all("div") if attributes.get("role") == "region"]
    assert all(attributes["tabindex"] == "0" and attributes["aria-labelledby"] for attributes in regions)


def test_it_reads_in_the_dark_and_on_a_phone(tmp_path: Path) -> None:
    text = made_page(tmp_path)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "overflow-x: auto" in text


def test_text_is_escaped(tmp_path: Path) -> None:
    text = made_page(tmp_path)
    assert "One &lt;b&gt;sentence&lt;/b&gt;." in text
    assert "Results &lt;all&gt;" in text
    assert "made &amp; up" in text


def test_columns_of_numbers_are_set_to_the_right(tmp_path: Path) -> None:
    text = made_page(tmp_path)
    assert '<th scope="col" class="number">AUC</th>' in text
    assert '<td class="number">0.991 [0.980, 0.999]</td>' in text
    assert "<td>best</td>" in text


def test_made_data_is_announced_before_any_number(tmp_path: Path) -> None:
    assert "Synthetic data" not in made_page(tmp_path)
    text = made_page(tmp_path, synthetic=True)
    assert text.index("Synthetic data") < text.index("<main>")


def test_a_page_of_one_section_has_no_contents(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    render(path, "Title", "Subtitle", [Section("Only")], {})
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.all("nav")
    assert not page.all("dl")


def test_the_same_figures_may_stand_in_two_places(tmp_path: Path) -> None:
    figure = made_figure()
    path = tmp_path / "report.html"
    render(path, "Title", "Subtitle", [Section("One", figures=[figure]), Section("Two", figures=[figure])], {})
    page = Page(path.read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(page.all("svg")) == 2
    assert len(ids) == len(set(ids))


def test_two_renders_give_the_same_bytes(tmp_path: Path) -> None:
    assert made_page(tmp_path) == made_page(tmp_path)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="'T' has 2 columns, but a row has 1 cells"):
        ReportTable("T", ("a", "b"), [("x",)])


def test_a_table_survives_json() -> None:
    table = ReportTable("T", ("a", "b"), [("x", "1.0"), ("y", "-")], "Note.")
    again = ReportTable.from_dict(json.loads(json.dumps(table.to_dict())))
    assert again.to_dict() == table.to_dict()
    assert again.numeric == table.numeric
    with pytest.raises(InputError, match=r"A stored table has a caption.*KeyError\('header'\)"):
        ReportTable.from_dict({"caption": "T"})


def test_tables_are_found_by_the_beginning_of_their_caption() -> None:
    stored = [ReportTable(caption, ("a",), []).to_dict() for caption in ("By class", "By rhythm", "Classes")]
    assert [table.caption for table in captioned(stored, "By ")] == ["By class", "By rhythm"]
    assert len(captioned(stored)) == 3
    assert captioned(stored, "Speed") == []


def test_colours_of_text_are_readable_on_both_pages(tmp_path: Path) -> None:
    """WCAG: 4.5 to 1 for text, in the light and in the dark set of variables."""
    text = made_page(tmp_path)
    sets = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)]
    assert len(sets) == 2
    pairs = [("ink", "page"), ("quiet", "page"), ("accent", "page"), ("warn", "warn-page"), ("ink", "band")]
    for colours in sets:
        for front, back in pairs:
            assert contrast(colours[front], colours[back]) >= 4.5, (front, back)


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        channels = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
