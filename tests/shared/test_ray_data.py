"""Ray Data where it is not installed."""

from __future__ import annotations

import sys

import pytest

from shared.errors import ConfigError
from shared.ray_data import ray_data


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'neural-suite\[scale\]'"), ray_data():
        pass
