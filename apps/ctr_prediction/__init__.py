"""Click probability of ad impressions: `ClickPredictor` to import, `python -m apps.ctr_prediction` to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.ctr_prediction.model import ClickNetwork
    from apps.ctr_prediction.optimisers.ftml import FTML
    from apps.ctr_prediction.optimisers.ftrl import FTRL
    from apps.ctr_prediction.predict import ClickPredictor
    from apps.ctr_prediction.results import ClickResult, ClickResults

__all__ = ["FTML", "FTRL", "ClickNetwork", "ClickPredictor", "ClickResult", "ClickResults"]

_HOMES = {
    "ClickNetwork": "apps.ctr_prediction.model",
    "ClickPredictor": "apps.ctr_prediction.predict",
    "ClickResult": "apps.ctr_prediction.results",
    "ClickResults": "apps.ctr_prediction.results",
    "FTML": "apps.ctr_prediction.optimisers.ftml",
    "FTRL": "apps.ctr_prediction.optimisers.ftrl",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads no torch."""
    from shared.lazy import attribute

    return attribute(__name__, name, _HOMES)
