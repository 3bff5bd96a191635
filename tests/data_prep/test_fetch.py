"""Downloads, from a server on this machine: the right file whole, or an error that says what came."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_prep.fetch import fetch, looks_like_web_page
from shared.errors import ConfigError, InputError

ARCHIVE = b"PK\x03\x04" + bytes(range(256)) * 9000
"""Larger than one piece of the download."""
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
PAGE = b"\n<!DOCTYPE html><html>Please log in</html>"


class Server(BaseHTTPRequestHandler):
    """Gives by path: the archive, a page, half an archive, a redirect, or 404."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/archive.zip")
            self.end_headers()
            return
        if self.path == "/gone":
            self.send_error(404)
            return
        content = PAGE if self.path == "/page" else ARCHIVE
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/half" else content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/archive.zip", "/moved"])
def test_a_file_is_fetched_whole(address: str, tmp_path: Path, path: str) -> None:
    destination = tmp_path / "raw" / "archive.zip"
    assert fetch(address + path, destination, SHA256.upper()) == destination
    assert destination.read_bytes() == ARCHIVE


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    destination = tmp_path / "archive.zip"
    destination.write_bytes(ARCHIVE)
    assert fetch("http://127.0.0.1:9/archive.zip", destination, SHA256) == destination  # no one listens there
    destination.write_bytes(b"other")
    with pytest.raises(InputError, match="other content"):
        fetch("http://127.0.0.1:9/archive.zip", destination, SHA256)
    assert destination.read_bytes() == b"other"


@pytest.mark.parametrize(
    ("path", "sha256", "message"),
    [
        ("/archive.zip", "0" * 64, f"SHA-256 {SHA256}, expected 0000"),
        ("/page", SHA256, r"web page where archive\.zip was expected"),
        ("/page", hashlib.sha256(PAGE).hexdigest(), "web page"),
        ("/half", SHA256, "broke off after 1152002 of 2304004 bytes|IncompleteRead"),
        ("/gone", SHA256, r"refused: 404.*by hand and put it at"),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(
    address: str, tmp_path: Path, path: str, sha256: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fetch(address + path, tmp_path / "archive.zip", sha256)
    assert list(tmp_path.iterdir()) == []


def test_a_page_may_be_fetched_where_a_page_is_expected(address: str, tmp_path: Path) -> None:
    page = fetch(address + "/page", tmp_path / "index.html", hashlib.sha256(PAGE).hexdigest())
    assert page.read_bytes() == PAGE


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"could not be fetched.*Without a network, download it by hand"):
        fetch("http://127.0.0.1:9/archive.zip", tmp_path / "archive.zip", SHA256, timeout_s=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sha256", "message"),
    [
        ("file:///etc/hostname", SHA256, "Only http and https"),
        ("archive.zip", SHA256, "Only http and https"),
        ("http://127.0.0.1:9/a", "abc", "64 hexadecimal digits"),
        ("http://127.0.0.1:9/a", "g" * 64, "64 hexadecimal digits"),
    ],
)
def test_addresses_and_hashes_that_cannot_be_are_refused(tmp_path: Path, url: str, sha256: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fetch(url, tmp_path / "archive.zip", sha256)


@pytest.mark.parametrize(
    ("start", "page"),
    [
        (b"<HTML>", True),
        (b"\xef\xbb\xbf <!doctype HTML PUBLIC", True),
        (b"PK\x03\x04<html>", False),
        (b"<?xml version='1.0'?><annotation>", False),
        (b"", False),
    ],
)
def test_web_pages_are_told_by_their_first_words(start: bytes, page: bool) -> None:
    assert looks_like_web_page(start) is page
