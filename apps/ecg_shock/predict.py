"""The importable predictor and the `predict` verb."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import Tensor, nn

from apps.ecg_shock.amplitude import ASYSTOLE_MV, amplitude_mv
from apps.ecg_shock.data import readable
from apps.ecg_shock.model import build_network
from apps.ecg_shock.signal_quality import fault
from apps.ecg_shock.stream import ShockStream
from apps.ecg_shock.verb_config import PredictConfig
from apps.ecg_shock.window import LONGEST_S, SHORTEST_S, EcgWindow, Source, read_file, read_window
from shared.abstention import Abstention, Evidence
from shared.calibrate import Identity, calibrator_from_dict
from shared.card import Card
from shared.contract import App
from shared.errors import InputError
from shared.export import DynamicAxes
from shared.ood import FeatureDistance
from shared.predictor import Predictor
from shared.pretrained import Arrays
from shared.result import Result

__all__ = ["ShockAdvisor", "ShockDecision", "as_line", "predict"]

Advice = Literal["shock", "no shock", "undecided"]

WINDOW_S = 5.0
"""Length of the windows that a longer recording is cut into where none is given."""
ASYSTOLE_PROBABILITY = 0.01
"""Largest probability of a shockable rhythm that is stated for asystole, whatever the network says."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShockDecision(Result):
    """Advice for one window of ECG."""

    advice: Advice
    """What to do; "undecided" exactly where the status is."""
    shock_probability: float
    """Calibrated probability that the rhythm is shockable, at even odds of shockable and not."""
    logit: float
    """The network's answer before calibration; above 0 leans to shock. It does not see that asystole is small."""
    probabilities: npt.NDArray[np.float32]
    """(2,) in the order of the predictor's classes, "no shock" and "shock"."""
    threshold: float
    """Probability from which the advice is to shock."""
    start_s: float
    """Where the window begins, in seconds from the start of the file or array."""
    duration_s: float
    """Length of the window in seconds."""
    amplitude_mv: float
    """Peak to peak in mV (`amplitude.amplitude_mv`): a window without a fault and under 0.2 is asystole, no shock."""


class ShockAdvisor(Predictor):
    """Shock advice from one lead of ECG. Not a medical device.

    These are asked in turn, and the first that applies decides: is the signal at fault (`signal_quality.fault`:
    undecided); is it smaller than 0.2 mV (asystole: no shock); do the card's rules withhold the answer (undecided); on
    which side of the threshold is the probability.
    """

    app: ClassVar[str] = "apps.ecg_shock"
    input_names = ("ecg",)
    dynamic_axes: DynamicAxes = MappingProxyType({"ecg": {0: "batch", 2: "samples"}})

    def __init__(self, card: Card, network: nn.Module, *, arrays: Arrays | None = None) -> None:
        super().__init__(card, network, arrays=arrays)
        self.output_names = cast(tuple[str, ...], network.outputs)
        self.calibrator = calibrator_from_dict(card.calibration) if card.calibration else Identity()
        self.abstention = Abstention.from_dict(card.abstention)
        self.familiar = FeatureDistance.from_state(self.arrays["ood"]) if "ood" in self.arrays else None
        self.threshold = 0.5 if card.threshold is None else card.threshold

    @classmethod
    def build(cls, card: Card) -> nn.Module:
        """The network that the card describes."""
        return build_network(**card.network)

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
        window.check_length()
        return self.advise([window])[0]

    def predict_batch(self, items: Sequence[Source], **keywords: Any) -> list[ShockDecision]:
        """Advise on several windows with the same keywords as `predict`, together: faster than one by one."""
        windows = []
        for position, item in enumerate(items):
            try:
                windows.append(read_window(item, **keywords))
                windows[-1].check_length()
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

    def stream(
        self,
        sampling_rate: float,
        window_s: float = WINDOW_S,
        step_s: float = 1.0,
        confirm: int = 1,
        *,
        unit: str = "mV",
    ) -> ShockStream:
        """Start a stream: push samples as they come in, and get a decision for each window that fills.

        Args:
            sampling_rate: in Hz.
            window_s: length of each window, 2-10 s.
            step_s: from the beginning of a window to that of the next, one sample at least.
            confirm: windows in a row that must say the same before it is the standing advice.
            unit: "mV", "uV" or "V" of the samples.

        Raises:
            InputError: an argument of the wrong kind or size.
        """
        return ShockStream(self, sampling_rate, window_s, step_s, confirm, unit)

    def advise(self, windows: Sequence[EcgWindow]) -> list[ShockDecision]:
        """Advise on windows that have been read.

        An answer depends on the windows that stand beside it by no more than rounding: sums over a batch are taken in
        another order than those over one window.
        """
        if not windows:
            return []
        signals = [readable(window.ecg, window.sampling_rate) for window in windows]
        answers = self.forward_items([(torch.from_numpy(ecg)[None],) for ecg in signals])
        columns = zip(*(map(Tensor.numpy, answer) for answer in answers), strict=True)
        outputs = dict(zip(self.output_names, map(np.stack, columns), strict=True))
        logits = outputs["logit"].astype(np.float64)
        probabilities = self.calibrator(logits)
        distance = None if self.familiar is None else self.familiar.score(outputs["features"])
        noise = expit(outputs["noise"].astype(np.float64)) if "noise" in outputs else None
        doubts = self.abstention.reasons(Evidence(probabilities, distance, noise))
        return [self._decision(*answer) for answer in zip(windows, logits, probabilities, doubts, strict=True)]

    def _decision(
        self, window: EcgWindow, logit: np.float64, probability: np.float64, doubt: str | None
    ) -> ShockDecision:
        amplitude = amplitude_mv(window.ecg, window.sampling_rate)
        reason = fault(window.ecg, window.sampling_rate)
        if amplitude < ASYSTOLE_MV:
            probability, doubt = np.minimum(probability, ASYSTOLE_PROBABILITY), None
        reason = reason or doubt
        advice: Advice = "shock" if probability >= self.threshold else "no shock"
        return ShockDecision(
            status="undecided" if reason else "ok",
            reason=reason,
            model=self.card.label,
            advice="undecided" if reason else advice,
            shock_probability=float(probability),
            logit=float(logit),
            probabilities=np.array([1 - probability, probability], dtype=np.float32),
            threshold=self.threshold,
            start_s=window.start_s,
            duration_s=window.duration_s,
            amplitude_mv=amplitude,
        )


def predict(app: App, config: PredictConfig) -> None:
    """The `predict` verb: one line of a table, or one JSON object, for each window."""
    del app
    advisor = ShockAdvisor.from_pretrained(config.model)
    for path in config.files:
        for decision in _advise_on_file(advisor, path, config):
            if config.json:
                print(json.dumps({"file": str(path), **decision.to_dict()}))
            else:
                print(as_line(path, decision))


def _advise_on_file(advisor: ShockAdvisor, path: Path, config: PredictConfig) -> list[ShockDecision]:
    """One decision where the file is one window and nothing else was asked for; else as many as windows fit."""
    whole = read_file(path, config)
    if config.step_s is None and config.window_s is None and whole.duration_s <= LONGEST_S:
        try:
            whole.check_length()
        except InputError as error:  # in the words of this command line
            raise InputError(
                f"{path} lasts {whole.duration_s:g} s here; at least {SHORTEST_S:g} s are needed."
            ) from error
        return advisor.advise([whole])
    window_s = WINDOW_S if config.window_s is None else config.window_s
    return advisor.advise(whole.cut(window_s, window_s if config.step_s is None else config.step_s))


def as_line(path: Path, decision: ShockDecision) -> str:
    """One decision as a line a person reads."""
    where = f"{path}  {decision.start_s:8.1f} s + {decision.duration_s:g} s"
    doubt = f"  ({decision.reason})" if decision.reason else ""
    return f"{where}  {decision.advice:<9}  p(shock) {decision.shock_probability:.3f}{doubt}"
