"""The app's command line as a test calls it, and settings under which a training takes seconds."""

from __future__ import annotations

from apps.pulmonary_vessel.app import APP
from shared.cli import main

__all__ = ["QUICK", "ask"]

QUICK = ("--config", "smoke", "--fit.accelerator", "cpu", "--fit.progress", "false")


def ask(*words: object) -> int:
    """The exit code of `python -m apps.pulmonary_vessel WORDS`."""
    return main(APP, [str(word) for word in words])
