"""A model as one C99 header for a processor without Python: the network in int8, its filter, its calibration."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from scipy import signal
from torch import nn

from apps.ecg_shock import amplitude, data, residual
from apps.ecg_shock.c_code.quantise import Int8Layer, quantised
from apps.ecg_shock.data import SAMPLING_RATE
from apps.ecg_shock.model import ShockNet
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.residual import STEM_STRIDE, ResidualNet
from apps.ecg_shock.window import LONGEST_S, SHORTEST_S
from shared.abstention import FarFromTraining, ProbabilityBand, Rule, Unreadable
from shared.atomic import write_text
from shared.calibrate import Calibrator, Identity, Platt, Temperature
from shared.errors import ConfigError

__all__ = ["render_header", "write_header"]

TEMPLATE = "shock.h.jinja"
LINE = 116
"""Characters of a line of numbers or words, without what stands before them."""

EXTENDED = (3, 1)
"""The filter of the amplitude rule reads a window three times as long, in the buffer that is the network's later."""


def write_header(advisor: ShockAdvisor, path: Path) -> None:
    """Write the header of a model atomically.

    Raises:
        ConfigError: the model has a calibration or a rule that the header has no words for, or `path` is a folder.
    """
    write_text(path, render_header(advisor))


def render_header(advisor: ShockAdvisor) -> str:
    """The text of the header.

    It agrees with `quantise.dequantised(advisor.network)` up to the rounding of float32.

    Raises:
        ConfigError: the calibration cannot be written as a line through the logit, or advice is withheld by a rule that
            the header has no words for.
    """
    words = {"card": advisor.card, **_network(advisor.network), **_signal(), **_decision(advisor)}
    return _environment().get_template(TEMPLATE).render(words)


def _network(network: nn.Module) -> dict[str, Any]:
    """What the template says of the layers, and where their signals lie in the scratch buffer."""
    assert isinstance(network, ShockNet | ResidualNet)
    layers = quantised(network)
    buffers = _stacked_buffers(network) if isinstance(network, ShockNet) else _residual_buffers(network)
    starts = list(accumulate(buffers, initial=_Buffer(0, 0)))
    return {
        "network": "stacked" if isinstance(network, ShockNet) else "residual",
        "layers": layers,
        "layer_rows": _layer_rows(layers),
        "n_bytes": sum(layer.n_bytes for layer in layers),
        "scratch": starts[-1].floats("(samples)"),
        "buffers": ["scratch", *(f"scratch + {start.floats('samples')}" for start in starts[1:-1])],
        "least_mv": residual.LEAST_MV,
        "largest": residual.LARGEST,
        "least_variance": residual.LEAST_VARIANCE,
    }


def _layer_rows(layers: Sequence[Int8Layer]) -> list[str]:
    """What C needs to know of each layer: its sizes, and where its numbers begin."""
    first_weights = accumulate((layer.weight.size for layer in layers[:-1]), initial=0)
    first_outputs = accumulate((layer.scale.size for layer in layers[:-1]), initial=0)
    rows = []
    for layer, weight, output in zip(layers, first_weights, first_outputs, strict=True):
        outputs, inputs, kernel = layer.weight.shape
        begins = f"shock_weights + {weight}, shock_scales + {output}, shock_biases + {output}"
        rows.append(f"{{{inputs}, {outputs}, {kernel}, {layer.stride}, {begins}}}, /* {layer.name} */")
    return rows


def _signal() -> dict[str, Any]:
    """Rate, lengths, filters, and how the amplitude is measured."""
    low_pass, high_pass = amplitude.filter_sections()
    return {
        "rate": SAMPLING_RATE,
        "shortest": round(SHORTEST_S * SAMPLING_RATE),
        "longest": round(LONGEST_S * SAMPLING_RATE),
        "band_hz": data.BAND_HZ,
        "band_pass": _sections(data.band_pass_sections()[0]),
        "size_band_hz": amplitude.BAND_HZ,
        "low_pass": _sections(low_pass),
        "high_pass": _sections(high_pass),
        "padding": round(amplitude.PADDING_S * SAMPLING_RATE),
        "click_ms": round(1000 * amplitude.CLICK_S),
        "click_samples": amplitude.CLICK_S * SAMPLING_RATE,
    }


def _decision(advisor: ShockAdvisor) -> dict[str, Any]:
    """Calibration, threshold and the rules that need neither the raw signal nor the training windows."""
    slope, intercept = _straight_line(advisor.calibrator)
    rules = _rules(advisor.abstention.rules)
    return {
        "slope": slope,
        "intercept": intercept,
        "threshold": advisor.threshold,
        "asystole_mv": amplitude.ASYSTOLE_MV,
        "unreadable": rules.get(Unreadable),
        "band": rules.get(ProbabilityBand),
    }


def _rules(rules: Sequence[Rule]) -> dict[type[Rule], Rule]:
    """The rules by their kind: none may vanish. Distance from the training windows is left to the caller in words."""
    found = {type(rule): rule for rule in rules}
    if len(found) < len(rules) or not found.keys() <= {Unreadable, FarFromTraining, ProbabilityBand}:
        raise ConfigError(
            "A C header takes one rule each of the kinds 'unreadable', 'far from training' and 'probability band' for "
            f"withholding advice; this model has {', '.join(repr(rule.kind) for rule in rules)}."
        )
    return found


def _sections(sections: npt.NDArray[np.float64]) -> list[list[float]]:
    """(sections, 7) b0, b1, b2, a1, a2 of second-order sections, whose a0 is 1, and their state at rest."""
    return np.column_stack([np.delete(sections, 3, axis=1), signal.sosfilt_zi(sections)]).tolist()


def _straight_line(calibrator: Calibrator) -> tuple[float, float]:
    """Slope and intercept of the line through the logit whose sigmoid is the calibrated probability."""
    match calibrator:
        case Identity():
            return 1.0, 0.0
        case Temperature():
            return 1 / calibrator.temperature, 0.0
        case Platt():
            return calibrator.slope, calibrator.intercept
    raise ConfigError(f"A C header takes a calibration by a sigmoid; this model's is {calibrator.kind!r}.")


@dataclass(frozen=True)
class _Buffer:
    """Part of the scratch buffer that holds every signal put there, for windows of any length."""

    per_sample: int
    """Floats for each sample of the window."""
    spare: int
    """Floats beyond: each channel may be one longer, where a length was rounded up."""

    @classmethod
    def of(cls, signals: Sequence[tuple[int, int]]) -> _Buffer:
        """For signals of (channels, samples of the window for each of the signal's)."""
        return cls(max(math.ceil(c / step) for c, step in signals), max(channels for channels, _ in signals))

    def __add__(self, other: _Buffer) -> _Buffer:
        return _Buffer(self.per_sample + other.per_sample, self.spare + other.spare)

    def floats(self, samples: str) -> str:
        """Its size as C computes it."""
        return f"{self.per_sample} * {samples} + {self.spare}"


def _stacked_buffers(network: ShockNet) -> list[_Buffer]:
    """Blocks write into two buffers in turn; the last row of one stands there before it is pooled to half."""
    signals = [(filters + 1, 2 ** (block + 1)) for block, filters in enumerate(network.filters)]
    return [_Buffer.of(part) for part in ([*signals[::2], EXTENDED], signals[1::2]) if part]


def _residual_buffers(network: ResidualNet) -> list[_Buffer]:
    """Three buffers go round: what a block reads, what lies between its convolutions, and what it writes."""
    signals: list[list[tuple[int, int]]] = [[(network.filters[0], STEM_STRIDE), EXTENDED], [], [(1, 1)]]
    for block, (channels, filters) in enumerate(zip(network.filters[:-1], network.filters[1:], strict=True)):
        step = STEM_STRIDE * 2 ** (block + 1)
        signals[(1 - block) % 3].append((max(channels, filters), step))
        signals[(2 - block) % 3].append((filters, step))
    return [_Buffer.of(part) for part in signals]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "comment": _comment,
        "float_literal": _float_literal,
        "float_rows": lambda values: _rows(map(_float_literal, values)),
        "int8_rows": lambda values: _rows(map(str, values.ravel().tolist())),
        "string_literal": json.dumps,
    }
    return environment


def _comment(text: str) -> str:
    """Lines of a C comment; words of a card cannot end it."""
    harmless = text.replace("*/", "* /").replace("/*", "/ *")
    return textwrap.fill(harmless, LINE, initial_indent=" * ", subsequent_indent=" * ")


def _float_literal(value: float) -> str:
    """Nine digits, which tell every float32 from its neighbours; C wants a point or an exponent before the f."""
    digits = f"{value:.9g}"
    return f"{digits}f" if "." in digits or "e" in digits else f"{digits}.0f"


def _rows(values: Any) -> str:
    return textwrap.fill(", ".join(values) + ",", LINE, initial_indent="    ", subsequent_indent="    ")
