"""The importable predictor and the `predict` verb."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from apps.ecg_shock.config import PredictConfig
from apps.ecg_shock.data import preprocess
from apps.ecg_shock.model import ShockNet
from apps.ecg_shock.signal_quality import fault
from apps.ecg_shock.window import LONGEST_S, EcgWindow, Source, check_length, read_window
from shared.abstention import Abstention, Evidence
from shared.calibrate import Identity, calibrator_from_dict
from shared.card import Card
from shared.contract import App
from shared.errors import InputError
from shared.export import DynamicAxes
from shared.formats.ecg import read_ecg
from shared.ood import FeatureDistance
from shared.predictor import Predictor
from shared.pretrained import Arrays
from shared.result import Result

__all__ = ["ShockAdvisor", "ShockDecision", "predict"]

WINDOW_S = 5.0
"""Length of the windows that a longer recording is cut into where none is given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShockDecision(Result):
    """Advice for one window of ECG."""

    advice: Literal["shock", "no shock", "undecided"]
    """What to do; "undecided" exactly where the status is."""
    shock_probability: float
    """Calibrated probability that the rhythm is shockable, at even odds of shockable and not."""
    logit: float
    """The network's answer before calibration; above 0 leans to shock."""
    probabilities: npt.NDArray[np.float32]
    """(2,) in the order of the predictor's classes, "no shock" and "shock"."""
    threshold: float
    """Probability from which the advice is to shock."""
    start_s: float
    """Where the window begins, in seconds from the start of the file or array."""
    duration_s: float
    """Length of the window in seconds."""


class ShockAdvisor(Predictor):
    """Shock advice from one lead of ECG. Not a medical device."""

    app: ClassVar[str] = "apps.ecg_shock"
    input_names: ClassVar[tuple[str, ...]] = ("ecg",)
    output_names: ClassVar[tuple[str, ...]] = ("logit", "features")
    dynamic_axes: ClassVar[DynamicAxes] = {"ecg": {0: "batch", 2: "samples"}}

    def __init__(self, card: Card, network: nn.Module, *, arrays: Arrays | None = None) -> None:
        super().__init__(card, network, arrays=arrays)
        self.calibrator = calibrator_from_dict(card.calibration) if card.calibration else Identity()
        self.abstention = Abstention.from_dict(card.abstention)
        self.familiar = FeatureDistance.from_state(self.arrays["ood"]) if "ood" in self.arrays else None
        self.threshold = 0.5 if card.threshold is None else card.threshold

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        """The convolutional network with the card's filters and kernels."""
        return ShockNet(**card.network)

    def example(self) -> tuple[Tensor, ...]:
        """Two windows of 5 s."""
        return (torch.randn(2, 1, 625),)

    def predict(
        self,
        ecg: Source,
        sampling_rate: float | None = None,
        *,
        unit: str = "mV",
        lead: int | str = 0,
        start_s: float = 0.0,
        duration_s: float | None = None,
    ) -> ShockDecision:
        """Advise on one window.

        Args:
            ecg: path of a WFDB record, EDF, CSV, NPY or NPZ file, or an array (samples,) of real numbers.
            sampling_rate: in Hz; needed for arrays and for files that do not carry it.
            unit: "mV", "uV" or "V" of an array, or of a file that does not carry it. Where a file carries its own, that
                counts, and a different one given here is an error.
            lead: number from 0, or name, in a file.
            start_s: where the window begins, in seconds.
            duration_s: its length, 2-10 s; by default everything from `start_s` on.

        Raises:
            InputError: not an ECG in form: no rate, unknown unit, NaN or infinity in an array, not 2-10 s long, or an
                argument of the wrong kind.
        """
        window = read_window(ecg, sampling_rate, unit=unit, lead=lead, start_s=start_s, duration_s=duration_s)
        check_length(window.duration_s)
        return self.advise([window])[0]

    def predict_batch(self, items: Sequence[Source], **keywords: Any) -> list[ShockDecision]:
        """Advise on several windows with the same keywords as `predict`, together: faster than one by one."""
        windows = []
        for position, item in enumerate(items):
            try:
                windows.append(read_window(item, **keywords))
                check_length(windows[-1].duration_s)
            except InputError as error:
                raise InputError(f"Item {position} of the batch: {error}") from error
        return self.advise(windows)

    def predict_record(
        self,
        ecg: Source,
        sampling_rate: float | None = None,
        *,
        unit: str = "mV",
        lead: int | str = 0,
        start_s: float = 0.0,
        duration_s: float | None = None,
        window_s: float = WINDOW_S,
        step_s: float = WINDOW_S,
    ) -> list[ShockDecision]:
        """Advise on a whole record, window by window; a rest shorter than a window is left out.

        Args:
            ecg: as for `predict`.
            sampling_rate: as for `predict`.
            unit: as for `predict`.
            lead: as for `predict`.
            start_s: where the stretch begins.
            duration_s: how long it is; by default to the end.
            window_s: length of each window, 2-10 s.
            step_s: distance of their beginnings.

        Raises:
            InputError: as `predict`; also where the stretch is shorter than a window.
        """
        whole = read_window(ecg, sampling_rate, unit=unit, lead=lead, start_s=start_s, duration_s=duration_s)
        return self.advise(whole.cut(window_s, step_s))

    def advise(self, windows: Sequence[EcgWindow]) -> list[ShockDecision]:
        """Advise on windows that have been read; an answer does not depend on the windows that stand beside it."""
        if not windows:
            return []
        outputs = self.forward_items([(torch.from_numpy(_readable(window))[None],) for window in windows])
        logits = np.array([float(logit) for logit, _ in outputs])
        features = np.stack([features.numpy() for _, features in outputs])
        probabilities = self.calibrator(logits)
        distance = None if self.familiar is None else self.familiar.score(features)
        doubts = self.abstention.reasons(Evidence(probabilities, distance))
        return [
            self._decision(window, logit, probability, fault(window.ecg, window.sampling_rate) or doubt)
            for window, logit, probability, doubt in zip(windows, logits, probabilities, doubts, strict=True)
        ]

    def _decision(
        self, window: EcgWindow, logit: np.float64, probability: np.float64, reason: str | None
    ) -> ShockDecision:
        advice = "shock" if probability >= self.threshold else "no shock"
        return ShockDecision(
            status="undecided" if reason else "ok",
            reason=reason,
            model=self.card.label,
            advice="undecided" if reason else advice,  # type: ignore[arg-type]
            shock_probability=float(probability),
            logit=float(logit),
            probabilities=np.array([1 - probability, probability], dtype=np.float32),
            threshold=self.threshold,
            start_s=window.start_s,
            duration_s=window.duration_s,
        )


def _readable(window: EcgWindow) -> npt.NDArray[np.float32]:
    """The window as the network takes it; a flat line where no sample is there, which is told apart by its fault."""
    ecg = window.ecg
    return preprocess(np.zeros_like(ecg) if np.isnan(ecg).all() else ecg, window.sampling_rate)


def predict(app: App, config: PredictConfig) -> None:
    """The `predict` verb: one line of a table, or one JSON object, for each window."""
    del app
    advisor = ShockAdvisor.from_pretrained(config.model)
    for path in config.files:
        for decision in _advise_on_file(advisor, path, config):
            if config.json:
                print(json.dumps({"file": str(path), **decision.to_dict()}))
            else:
                print(_line(path, decision))


def _advise_on_file(advisor: ShockAdvisor, path: Path, config: PredictConfig) -> list[ShockDecision]:
    """One decision where the file is one window and nothing else was asked for; else as many as windows fit."""
    whole = _read(path, config)
    if config.step_s is None and config.window_s is None and whole.duration_s <= LONGEST_S:
        check_length(whole.duration_s)
        return advisor.advise([whole])
    window_s = WINDOW_S if config.window_s is None else config.window_s
    return advisor.advise(whole.cut(window_s, window_s if config.step_s is None else config.step_s))


def _read(path: Path, config: PredictConfig) -> EcgWindow:
    """The lead asked for, from `start_s` on. Unlike in Python no unit is assumed: the file or the flag must say it."""
    lead = int(config.lead) if config.lead.isdecimal() else config.lead
    recording = read_ecg(path, sampling_rate=config.sampling_rate, unit=config.unit, lead=lead, start_s=config.start_s)
    if config.unit is None and not recording.units:
        raise InputError(f"{path} does not say its unit: give --unit mV, uV or V.")
    return EcgWindow(recording.signal[:, 0], recording.sampling_rate, config.start_s)


def _line(path: Path, decision: ShockDecision) -> str:
    """One decision as a line a person reads."""
    where = f"{path}  {decision.start_s:8.1f} s + {decision.duration_s:g} s"
    doubt = f"  ({decision.reason})" if decision.reason else ""
    return f"{where}  {decision.advice:<9}  p(shock) {decision.shock_probability:.3f}{doubt}"
