"""The app's share of `make demo`: advice on short real excerpts, and on one as it comes in, with their waveforms."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from apps.ecg_shock.data import SAMPLING_RATE, preprocess
from apps.ecg_shock.onset import watch_onset
from apps.ecg_shock.predict import ShockAdvisor, ShockDecision
from apps.ecg_shock.window import EcgWindow, read_window
from shared.demo import DemoPart, DemoRow
from shared.figures import strip
from shared.report import ReportFigure, ReportTable, Section
from shared.threads import one_thread

__all__ = ["SAMPLES", "demo"]

SAMPLES = {
    "ventricular_fibrillation": "ventricular fibrillation (VFDB 422)",
    "ventricular_tachycardia": "ventricular tachycardia (VFDB 605)",
    "asystole": "asystole (VFDB 427)",
    "sinus_rhythm": "sinus rhythm (MITDB 100)",
    "atrial_fibrillation": "atrial fibrillation (MITDB 202)",
    "noise": "noise (VFDB 421)",
}
"""Record in the folder `samples` -> how its database labels it; samples/README.md has times and licence."""
ONSET = "vf_onset"
"""Record in the same folder in which fibrillation begins."""
WINDOW_S = 5.0


def demo() -> DemoPart:
    """Advise on the first 5 s of every sample, and on a stream in which fibrillation begins."""
    advisor = ShockAdvisor.from_pretrained()
    folder = Path(__file__).parent / "samples"
    windows = [read_window(folder / name, duration_s=WINDOW_S) for name in SAMPLES]
    with one_thread():
        answers = [_timed(advisor, window) for window in windows]
        streamed, sentence, picture = watch_onset(advisor, folder / ONSET)
    rows = [
        DemoRow(name.replace("_", " "), _answer(decision), label, milliseconds)
        for (name, label), (decision, milliseconds) in zip(SAMPLES.items(), answers, strict=True)
    ]
    decisions = [decision for decision, _ in answers]
    table = ReportTable(
        "Advice on 5 s of each excerpt",
        ("excerpt", "labelled as", "advice", "probability of shock", "ms"),
        [
            (row.sample, row.expected, row.answer, f"{decision.shock_probability:.3f}", f"{row.milliseconds:.1f}")
            for row, decision in zip(rows, decisions, strict=True)
        ],
        "The excerpts are of patients the shipped weights were trained on: they show the software, not its accuracy.",
    )
    strips = [_strip(window, row) for window, row in zip(windows, rows, strict=True)]
    paragraphs = [f"Model: {advisor.card.label}. Not a medical device.", f"As it comes in: {sentence}"]
    return DemoPart([*rows, streamed], Section("Shock advice", paragraphs, [table], [picture, *strips]))


def _timed(advisor: ShockAdvisor, window: EcgWindow) -> tuple[ShockDecision, float]:
    advisor.advise([window])
    began = time.perf_counter()
    decision = advisor.advise([window])[0]
    return decision, 1000 * (time.perf_counter() - began)


def _answer(decision: ShockDecision) -> str:
    return f"undecided ({decision.reason})" if decision.reason else decision.advice


def _strip(window: EcgWindow, row: DemoRow) -> ReportFigure:
    """The excerpt as the network sees it."""
    ecg = preprocess(window.ecg, window.sampling_rate)
    return ReportFigure(
        strip(np.arange(len(ecg)) / SAMPLING_RATE, ecg, "s", "mV"),
        f"{row.sample}: {row.answer}",
        f"ECG strip of {WINDOW_S:g} s labelled {row.expected}; advice: {row.answer}.",
    )
