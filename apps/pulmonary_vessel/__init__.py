"""Pulmonary vessels in chest CT: `VesselSegmenter` to import, `python -m apps.pulmonary_vessel` to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.pulmonary_vessel.model import build_network
    from apps.pulmonary_vessel.predict import VesselSegmenter
    from apps.pulmonary_vessel.results import VesselSegmentation

__all__ = ["VesselSegmentation", "VesselSegmenter", "build_network"]

_HOMES = {
    "VesselSegmentation": "apps.pulmonary_vessel.results",
    "VesselSegmenter": "apps.pulmonary_vessel.predict",
    "build_network": "apps.pulmonary_vessel.model",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads no torch."""
    from shared.lazy import attribute

    return attribute(__name__, name, _HOMES)
