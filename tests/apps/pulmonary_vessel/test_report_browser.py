"""The page in a real browser without a window: it unpacks, leafs, reacts to keys, and asks nobody for anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.pulmonary_vessel.report.page import PAGE, write_report
from tests.apps.pulmonary_vessel.test_report import made_scan

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 60
START = """
import os, sys
ends = [os.dup2(int(end), 100 + number) for number, end in enumerate(sys.argv[1:3])]
for number, end in enumerate(ends, start=3):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which reads its orders from file 3 and answers in file 4."""

pytestmark = pytest.mark.skipif(PROGRAM is None or os.name != "posix", reason="Chromium is not installed")


class Tab:
    """One page of a browser, driven over its debugging pipe: JSON messages that end in a zero byte."""

    def __init__(self, page: Path, profile: Path, scheme: str = "light") -> None:
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        switches = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")
        command = [sys.executable, "-c", START, str(to_read), str(to_write), str(PROGRAM), *switches]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._received, self._count, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Page"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send("Page.navigate", url=page.as_uri())
        self.wait("document.getElementById('browser')?.dataset.state === 'ready'")

    def send(self, method: str, **params: Any) -> Any:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> Any:
        while b"\0" not in self._received:
            part = os.read(self._from, 1 << 16)
            assert part, "the browser has closed"
            self._received += part
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def value(self, expression: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} did not become true; {self.text('where')}"
            time.sleep(0.05)

    def text(self, name: str) -> str:
        return str(self.value(f"document.getElementById('{name}')?.textContent"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def coloured(self, plane: str) -> int:
        """Pixels of a slice, drawn anew, that are not grey."""
        return int(
            self.value(
                f"""(async () => {{
                for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
                const canvas = document.getElementById("{plane}");
                const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                let count = 0;
                for (let i = 0; i < pixels.length; i += 4)
                  if (Math.abs(pixels[i] - pixels[i + 1]) + Math.abs(pixels[i] - pixels[i + 2]) > 30) count++;
                return count;
                }})()"""
            )
        )

    def close(self) -> None:
        self._session = ""
        self.send("Browser.close")
        self._process.wait(timeout=PATIENCE_S)
        os.close(self._to)
        os.close(self._from)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    hu, mask, lung, geometry = made_scan()
    write_report(folder, hu, mask, lung, geometry, title="Tubes")
    return folder / PAGE


@pytest.fixture(scope="module")
def tab(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    opened = Tab(page, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def test_it_opens_on_a_vessel_and_asks_nobody(tab: Tab) -> None:
    assert "10 mm² or more" in tab.text("where")
    assert "right lung" in tab.text("where")
    requests = [event["params"]["request"]["url"] for event in tab.events if event["method"].endswith("BeSent")]
    assert requests
    assert [url for url in requests if url.partition(":")[0] not in ("file", "data", "blob")] == []
    assert [event for event in tab.events if event["method"] == "Runtime.exceptionThrown"] == []


def test_keys_leaf_through_the_slices(tab: Tab) -> None:
    tab.value("document.getElementById('axial').focus()")
    tab.press("Home")
    tab.wait("document.getElementById('axial-caption').textContent === 'axial 1 of 40'")
    tab.press("ArrowUp", "ArrowUp", "PageUp", "ArrowDown")
    tab.wait("document.getElementById('axial-caption').textContent === 'axial 12 of 40'")
    assert "z 111.0 mm" in tab.text("where")
    assert tab.value("document.querySelector('[data-plane=axial]').value") == "11"
    tab.press("End", "ArrowUp")
    tab.wait("document.getElementById('axial-caption').textContent === 'axial 40 of 40'")
    tab.press("c", "Home")
    tab.wait("document.getElementById('coronal-caption').textContent === 'coronal 1 of 44'")
    assert tab.value("document.activeElement.id") == "coronal"


def test_a_click_moves_the_cross_hair_to_what_lies_there(tab: Tab) -> None:
    """Column 42 - 0.1 * 20 of row 20 of the axial slice 21 holds the thin vessel of the left lung."""
    tab.value(
        """(() => {
        const canvas = document.getElementById("axial"), slider = document.querySelector("[data-plane=axial]");
        slider.value = 20;
        slider.dispatchEvent(new Event("input"));
        const box = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};
        canvas.dispatchEvent(new PointerEvent("pointerdown", {
          clientX: box.left + 40.5 / 60 * box.width, clientY: box.top + 20.5 / 44 * box.height }));
        })()"""
    )
    tab.wait("document.getElementById('where').textContent.includes('under 5 mm²')")
    assert "left lung" in tab.text("where")
    assert tab.text("sagittal-caption") == "sagittal 41 of 60"


def test_overlay_edge_slab_and_window_can_be_changed(tab: Tab) -> None:
    tab.value("document.getElementById('axial').focus()")
    shown = tab.coloured("axial")
    tab.press("l")
    tab.wait("!document.getElementById('outline').checked")
    vessels = tab.coloured("axial")
    assert 0 < vessels < shown
    tab.press("o")
    tab.wait("document.getElementById('opacity').value === '0'")
    assert tab.coloured("axial") == 0
    tab.press("o", "m", "m", "m")
    tab.wait("document.getElementById('slab').value === '20'")
    assert tab.coloured("axial") > vessels  # the vessels are oblique to the slices
    tab.press("z", "w")
    tab.wait("document.getElementById('zoom').value === '2'")
    assert tab.value("document.getElementById('window').selectedOptions[0].text") == "vessels"
    assert [event for event in tab.events if event["method"] == "Runtime.exceptionThrown"] == []


def test_it_is_dark_where_the_reader_wants_it(page: Path, tmp_path: Path, tab: Tab) -> None:
    light = tab.value("getComputedStyle(document.body).backgroundColor")
    dark_tab = Tab(page, tmp_path, scheme="dark")
    dark = dark_tab.value("getComputedStyle(document.body).backgroundColor")
    dark_tab.close()
    assert light == "rgb(255, 255, 255)"
    assert dark == "rgb(20, 24, 29)"
