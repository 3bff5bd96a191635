"""The two locks agree: what both environments have is the same."""

from __future__ import annotations

import pytest

from tests.architecture.sources import REPOSITORY

LOCKS = ("requirements.lock", "requirements-scale.lock")


def lines(name: str) -> list[str]:
    return (REPOSITORY / name).read_text(encoding="utf-8").splitlines()


def pins(name: str) -> set[str]:
    return {line.removesuffix(" \\") for line in lines(name) if "==" in line}


def test_the_lock_of_the_extra_scale_adds_to_the_other() -> None:
    common, scale = map(pins, LOCKS)
    assert common - scale == set(), "run `make lock`"
    assert any(pin.startswith("ray==") for pin in scale - common)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_names_no_host(name: str) -> None:
    assert [line for line in lines(name) if "://" in line or line.startswith("-")] == []
    assert any("--hash=sha256:" in line for line in lines(name))
