"""The demo: a broken app is a red row and exit code 1, and hides no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from apps import demo
from shared.contract import App, discover
from shared.demo import DemoPart, DemoRow
from shared.report import Section


def works() -> DemoPart:
    return DemoPart([DemoRow("a sample", "an answer", "a label", 1.5)], Section("What works", ["It does."]))


def breaks() -> DemoPart:
    raise OSError("its sample is gone")


@pytest.fixture
def apps() -> list[App]:
    app = next(iter(discover().values()))
    return [
        dataclasses.replace(app, package=f"apps.{function.__name__}", demo=f"{__name__}:{function.__name__}")
        for function in (works, breaks)
    ]


def test_a_broken_app_is_said_and_hides_no_other(apps, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(demo, "discover", lambda: {app.name: app for app in apps})
    assert demo.main(["--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "an answer" in printed
    assert "failed: its sample is gone" in printed
    assert "It does." in (tmp_path / "report.html").read_text()


def test_all_well(apps, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "discover", lambda: {"works": apps[0]})
    assert demo.main(["--out", str(tmp_path)]) == 0
