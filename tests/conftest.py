"""Fixtures that every part of the test tree may use."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_ecg() -> Path:
    """The provided real ECG beside the checkout; tests that ask for it are skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data" / "ecg_shock"
    if not folder.is_dir():
        pytest.skip("the real ECG recordings are not beside this checkout")
    return folder
