"""The apps under test, one after the other."""

from __future__ import annotations

import os

import pytest

from tests.contract.case import APPS
from tests.contract.subject import Subject


@pytest.fixture(scope="session", params=APPS.values(), ids=APPS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """One app, with a folder in which what takes long is made once for all tests and all test processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own below the common one
        root = root.parent
    folder = root / "contract" / request.param.name
    folder.mkdir(parents=True, exist_ok=True)
    return Subject(request.param, folder)
