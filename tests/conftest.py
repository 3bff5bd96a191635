"""Fixtures that every part of the test tree may use."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def _beside(name: str, what: str) -> Path:
    folder = REPOSITORY.parent / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"{what} are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def real_ecg() -> Path:
    """The provided real ECG beside the checkout; tests that ask for it are skipped where it is absent."""
    return _beside("ecg_shock", "the real ECG recordings")


@pytest.fixture(scope="session")
def real_clicks() -> Path:
    """The provided click logs beside the checkout; tests that ask for them are skipped where they are absent."""
    return _beside("ctr", "the real click logs")


@pytest.fixture(scope="session")
def real_ct() -> Path:
    """The provided CT volumes and anatomies beside the checkout; tests that ask for them are skipped without them."""
    return _beside("pulmonary_vessel", "the real CT volumes")
