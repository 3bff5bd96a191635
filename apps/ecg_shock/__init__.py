"""Shock advice from one lead of ECG: `ShockAdvisor` to import, `python -m apps.ecg_shock` to train and measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.ecg_shock.model import ShockNet
    from apps.ecg_shock.predict import ShockAdvisor, ShockDecision
    from apps.ecg_shock.stream import AdviceChange, ShockStream

__all__ = ["AdviceChange", "ShockAdvisor", "ShockDecision", "ShockNet", "ShockStream"]

_HOMES = {
    "AdviceChange": "apps.ecg_shock.stream",
    "ShockAdvisor": "apps.ecg_shock.predict",
    "ShockDecision": "apps.ecg_shock.predict",
    "ShockNet": "apps.ecg_shock.model",
    "ShockStream": "apps.ecg_shock.stream",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package loads no torch."""
    from shared.lazy import attribute

    return attribute(__name__, name, _HOMES)
