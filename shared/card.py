"""The model card: what a set of weights is, what it was trained on, how good it is, and what it must not be used for.

A card travels as `card.json` beside the weights. It carries a checksum of its own content, because a threshold with one
flipped bit would otherwise be believed, and because numbers typed by hand into tables are how tables come to be wrong.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from shared.atomic import read_json, write_json
from shared.contract import as_plain
from shared.errors import CheckpointError, ConfigError

__all__ = ["FORMAT_VERSION", "Card"]

FORMAT_VERSION = 1
"""Raised when the meaning of a card or of the files beside it changes; older programs then refuse the folder."""

DATA_KEYS = ("name", "source", "licence", "manifest_hash", "synthetic", "n_items", "groups")
METRIC_KEYS = ("estimate", "low", "high", "level", "method", "n_groups", "n_rows")
OOF_KEYS = ("file", "sha256", "command")


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything about a model that is not a weight. Values are plain JSON; sequences become tuples."""

    app: str
    """Dotted package of the app whose predictor reads it, such as "apps.ecg_shock"."""
    name: str
    """Short name among the app's models: "paper", "best"."""
    title: str
    """What it does, in one line."""
    description: str = ""
    """A paragraph: the architecture, its source, what is special about the training."""
    version: str = "1"
    """Raised whenever the weights under the same name change."""
    status: Literal["run", "published"] = "run"
    """A "run" came out of a training and may lack metrics and a licence of its weights; "published" may not."""
    created: str = ""
    """Date as YYYY-MM-DD."""
    network: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments of the network."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The training configuration."""
    classes: tuple[str, ...] = ()
    """Names in the order of the probabilities; empty where there are none."""
    input: Mapping[str, Any] = field(default_factory=dict)
    """"units" and "range" are required; rate, length, channels, spacing and the like as the field needs them."""
    output: Mapping[str, Any] = field(default_factory=dict)
    """Meaning, units and shape of what is predicted."""
    data: tuple[Mapping[str, Any], ...] = ()
    """Per data set: name, source, licence, manifest_hash, synthetic, n_items, groups (group column -> how many)."""
    training_groups: tuple[str, ...] = ()
    """Patients, speakers, scenes that the weights have seen: no figure on these counts."""
    protocol: str = ""
    """How the metrics came about: split, scored unit, seeds, the rule that picked the model."""
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Per metric: estimate, low, high, level, method, n_groups, n_rows (see `shared.stats.Interval`)."""
    oof: Mapping[str, Any] = field(default_factory=dict)
    """Committed out-of-fold predictions that the metrics are recomputed from: file, sha256, command."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """State of a calibrator of `shared.calibrate`; empty where outputs are used as they are."""
    threshold: float | None = None
    """Decision threshold on the calibrated output."""
    abstention: Mapping[str, Any] = field(default_factory=dict)
    """State of a rule of `shared.abstention`."""
    limits: tuple[str, ...] = ()
    """What the model was not made for, was not tested on, or does badly; one sentence each."""
    licence_weights: str = ""
    """Licence of the weights, which the licences of the data restrict."""
    research_only: bool = False
    """True where a data set forbids commercial use; loading then warns."""
    parameters: int | None = None
    """Trainable and fixed numbers of the network; filled in by `Predictor.save_pretrained`."""
    macs: int | None = None
    """Multiply-accumulates of one item of the size that `input` states."""
    half: bool = False
    """Weights are stored in half precision; they are computed with in single precision."""
    weights_sha256: str = ""
    """Filled in by `Predictor.save_pretrained`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Other files of the folder -> sha256; filled in by `Predictor.save_pretrained`."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        # Lists, not tuples, inside the mappings: a card just made then equals the same card read back.
        for item in fields(self):
            plain = as_plain(getattr(self, item.name))
            object.__setattr__(self, item.name, tuple(plain) if isinstance(plain, list) else plain)

    @property
    def label(self) -> str:
        """Name and version, as results cite them."""
        return f"{self.name} {self.version}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        return as_plain(self)

    def validate(self) -> None:
        """Raise ConfigError that lists everything a user of the weights would miss."""
        missing = list(self._missing())
        if missing:
            raise ConfigError(f"The card of {self.name!r} cannot be written. It lacks: {'; '.join(missing)}.")

    def _missing(self) -> Iterator[str]:
        for name in ("app", "name", "title", "protocol"):
            if not getattr(self, name):
                yield name
        for name in ("units", "range"):
            if not self.input.get(name):
                yield f"input.{name}"
        if not self.data:
            yield "data: at least one data set with its source and licence"
        for i, source in enumerate(self.data):
            yield from _absent(f"data[{i}]", source, DATA_KEYS)
        if self.status == "published" and not self.licence_weights:
            yield "licence_weights"
        if self.status == "published" and not self.metrics:
            yield "metrics with intervals"
        for name, metric in self.metrics.items():
            yield from _absent(f"metrics.{name}", metric, METRIC_KEYS)
            if not all(math.isfinite(metric.get(key) or 0.0) for key in ("estimate", "low", "high")):
                yield f"metrics.{name}: a finite estimate and interval"
        if self.oof:
            yield from _absent("oof", self.oof, OOF_KEYS)
        yield from self._unwritable()

    def _unwritable(self) -> Iterator[str]:
        for name, value in self.to_dict().items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError) as error:
                yield f"{name} as plain JSON ({error})"

    def write(self, path: Path) -> None:
        """Validate, then write card.json atomically with its checksum. Raises ConfigError when it is incomplete."""
        self.validate()
        content = json.loads(json.dumps(self.to_dict()))  # as a reader will see it: every key is text
        write_json(path, {**content, "checksum": _checksum(content)})

    @classmethod
    def read(cls, path: Path) -> Card:
        """Read a card.json.

        Raises:
            CheckpointError: when it is absent, damaged, edited, or of a newer format than this program knows.
        """
        try:
            content = read_json(path)
        except FileNotFoundError as error:
            raise CheckpointError(f"There is no card at {path}; a model folder has one beside its weights.") from error
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} is not a readable card: {error}. Copy the model folder again.") from error
        version = content.get("format_version") if isinstance(content, dict) else None
        if not isinstance(version, int):
            raise CheckpointError(f"{path} is JSON, but not a model card: it states no format_version.")
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format version {version}, this program reads up to {FORMAT_VERSION}: update it."
            )
        if content.pop("checksum", None) != _checksum(content):
            raise CheckpointError(
                f"{path} does not match its own checksum: it was damaged or edited by hand. Copy the model folder "
                f"again; to change a card, change the `Card` in Python and write it."
            )
        try:
            return cls(**content)
        except TypeError as error:
            raise CheckpointError(f"{path} and this program disagree about the fields of a card: {error}.") from error

    def to_markdown(self) -> str:
        """The card as a section of a README, below a heading of the caller's choice."""
        blocks = [
            f"**{self.title}** — model `{self.label}` of `{self.app}`.",
            self.description,
            _synthetic_note(self.data),
            _markdown_table(("", ""), self._facts()),
            f"Protocol: {self.protocol}",
            _markdown_table(("metric", "estimate", "interval", "method", "groups", "rows"), _metric_rows(self.metrics)),
            _markdown_table(("data", "source", "licence", "items", "groups"), [_data_row(item) for item in self.data]),
            "\n".join(f"- {limit}" for limit in self.limits),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _facts(self) -> list[tuple[str, ...]]:
        facts = {
            "input": _text(self.input),
            "output": _text(self.output),
            "classes": ", ".join(self.classes),
            "threshold": "" if self.threshold is None else f"{self.threshold:.4g}",
            "parameters": "" if self.parameters is None else f"{self.parameters:,}",
            "multiply-accumulates": "" if self.macs is None else f"{self.macs:,}",
            "stored as": "half precision" if self.half else "single precision",
            "licence of the weights": self.licence_weights,
            "use": "research only" if self.research_only else "",
            "created": self.created,
        }
        return [(name, text) for name, text in facts.items() if text]


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _absent(where: str, found: Mapping[str, Any], expected: tuple[str, ...]) -> Iterator[str]:
    """Keys that are not there, or hold nothing; False and 0 are something."""
    return (f"{where}.{key}" for key in expected if found.get(key) in (None, ""))


def _synthetic_note(data: tuple[Mapping[str, Any], ...]) -> str:
    made = ", ".join(str(item["name"]) for item in data if item.get("synthetic"))
    return f"> Trained on made-up data ({made}): it shows that the software works, nothing else." if made else ""


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        between = " to " if len(value) == 2 and all(isinstance(item, int | float) for item in value) else ", "
        return between.join(_text(item) for item in value)
    return str(value)


def _metric_rows(metrics: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{metric['estimate']:.4g}",
            f"{metric['low']:.4g} to {metric['high']:.4g} ({metric['level']:.0%})",
            str(metric["method"]),
            str(metric["n_groups"]),
            str(metric["n_rows"]),
        )
        for name, metric in metrics.items()
    ]


def _data_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_text(item[key]) for key in ("name", "source", "licence", "n_items", "groups"))


def _markdown_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
