"""Downloads that are the right file, whole, or an error that says what came instead."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from shared.atomic import atomic_path, sha256_of
from shared.errors import ConfigError, InputError

__all__ = ["fetch", "looks_like_web_page"]

_CHUNK = 1 << 20
_PAGES = (".html", ".htm")


def fetch(url: str, destination: Path, sha256: str, *, timeout_s: float = 30.0) -> Path:
    """Download a file unless it is already there, and check its content.

    The file appears under its name only when it is complete and right; a download that was cut off leaves nothing.

    Args:
        url: http or https address.
        destination: file to write.
        sha256: 64 hexadecimal digits of the content, as the source gives them.
        timeout_s: seconds without any answer before the attempt is given up.

    Returns:
        `destination`.

    Raises:
        ConfigError: the address is not http or https, or `sha256` is no such number.
        InputError: the server cannot be reached or refuses, the content is another, was cut off, or is a web page
            where a file was expected; or another file already lies there.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(f"Only http and https addresses are fetched, found {url!r}.")
    expected = sha256.lower()
    if len(expected) != 64 or set(expected) - set("0123456789abcdef"):
        raise ConfigError(f"The SHA-256 of {url} must be 64 hexadecimal digits, found {sha256!r}.")
    destination = Path(destination)
    if destination.exists():
        if sha256_of(destination) != expected:
            raise InputError(f"{destination} is there already with other content than {url}: move it away.")
        return destination
    with atomic_path(destination) as partial:
        found = _download(url, partial, destination, timeout_s)
        if found != expected:
            raise InputError(
                f"{url} is not the file that was expected: SHA-256 {found}, expected {expected}. The source may have "
                "changed; check it before using it."
            )
    return destination


def looks_like_web_page(start: bytes) -> bool:
    """Whether content that starts like this is HTML: a login page, a licence to accept, a "not found"."""
    text = start[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head"))


def _download(url: str, partial: Path, destination: Path, timeout_s: float) -> str:
    """Write the content of `url` to `partial` and return its SHA-256."""
    by_hand = f"download it by hand and put it at {destination}"
    request = urllib.request.Request(url, headers={"User-Agent": "neural-suite data_prep"})
    digest, received = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer, partial.open("wb") as stream:
            announced = answer.headers.get("Content-Length")
            while chunk := answer.read(_CHUNK):
                if not received and destination.suffix not in _PAGES and looks_like_web_page(chunk):
                    raise InputError(
                        f"{url} gave a web page where {destination.name} was expected: a login or a licence may be in "
                        f"the way. Open it in a browser, {by_hand}."
                    )
                digest.update(chunk)
                stream.write(chunk)
                received += len(chunk)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url} was refused: {error.code} {error.reason}. Check the address, or {by_hand}.") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"{url} could not be fetched ({reason}). Without a network, {by_hand}.") from error
    if announced is not None and received != int(announced):
        raise InputError(f"{url} broke off after {received} of {announced} bytes: try again.")
    return digest.hexdigest()
