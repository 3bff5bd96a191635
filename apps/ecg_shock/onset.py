"""The demo's stream: a recording in which fibrillation begins, pushed as it comes in, and when a shock is advised."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from apps.ecg_shock.data import SAMPLING_RATE, preprocess
from apps.ecg_shock.predict import ShockAdvisor
from apps.ecg_shock.watch import Moment, watched
from apps.ecg_shock.window import EcgWindow, read_window
from shared.demo import DemoRow
from shared.figures import Trace, timeline
from shared.formats.wfdb import read_annotations
from shared.report import ReportFigure

__all__ = ["watch_onset"]

WINDOW_S, STEP_S, CONFIRM = 5.0, 1.0, 2


def watch_onset(advisor: ShockAdvisor, record: Path) -> tuple[DemoRow, str, ReportFigure]:
    """Stream a record with one change of rhythm, to fibrillation, past the advisor.

    Args:
        advisor: any.
        record: WFDB record with an .atr of two rhythms.

    Returns:
        The row of the demo's table, the sentence that says how long the advice took, and the picture.
    """
    recording, marks = read_window(record), read_annotations(record)
    onset_s = float(marks.sample[1] / marks.sampling_rate)
    began = time.perf_counter()
    moments = list(watched(advisor, recording, WINDOW_S, STEP_S, CONFIRM))
    milliseconds = 1000 * (time.perf_counter() - began) / len(moments)
    advised_s = _shock_advised(moments, onset_s)
    row = DemoRow(
        f"{record.name.replace('_', ' ')}, streamed",
        _answer(moments, onset_s, advised_s),
        f"ventricular fibrillation from {onset_s:.1f} s on (VFDB 430)",
        milliseconds,
    )
    sentence = _sentence(moments, onset_s, advised_s)
    return row, sentence, ReportFigure(_picture(advisor, recording, moments, onset_s, advised_s), sentence, sentence)


def _shock_advised(moments: Sequence[Moment], onset_s: float) -> float | None:
    """When the standing advice first becomes a shock after the onset; None where it never does."""
    changes = (moment.change for moment in moments if moment.change is not None)
    return next((change.at_s for change in changes if change.advice == "shock" and change.at_s >= onset_s), None)


def _early(moments: Sequence[Moment], onset_s: float) -> int:
    """Windows after which a shock was advised although the onset was still to come."""
    return sum(moment.advice == "shock" and _end_s(moment) < onset_s for moment in moments)


def _answer(moments: Sequence[Moment], onset_s: float, advised_s: float | None) -> str:
    if advised_s is not None:
        return f"shock, {advised_s - onset_s:.1f} s after the onset"
    return "shock, advised before the onset" if _early(moments, onset_s) else "no shock advised"


def _end_s(moment: Moment) -> float:
    """When the window was full, and its decision known."""
    return moment.decision.start_s + moment.decision.duration_s


def _sentence(moments: Sequence[Moment], onset_s: float, advised_s: float | None) -> str:
    early = _early(moments, onset_s)
    if advised_s is not None:
        told = f"a shock is advised at {advised_s:.1f} s, {advised_s - onset_s:.1f} s later"
    else:
        told = "no advice to shock begins after that" if early else "a shock is never advised"
    before = f" Before the onset the advice to shock already stood after {early} windows." if early else ""
    return (
        f"The label has fibrillation begin at {onset_s:.1f} s; {told} (windows of {WINDOW_S:g} s, one every "
        f"{STEP_S:g} s, {CONFIRM} in a row must agree).{before}"
    )


def _picture(
    advisor: ShockAdvisor, recording: EcgWindow, moments: Sequence[Moment], onset_s: float, advised_s: float | None
) -> Figure:
    ecg = preprocess(recording.ecg, recording.sampling_rate)
    marks = {"onset, labelled": onset_s} | ({} if advised_s is None else {"shock advised": advised_s})
    return timeline(
        Trace(np.arange(len(ecg)) / SAMPLING_RATE, ecg, "mV"),
        Trace([_end_s(moment) for moment in moments], [m.decision.shock_probability for m in moments], "p(shock)"),
        "s",
        limit=advisor.threshold,
        spans={advice: _standing(moments, advice, recording.duration_s) for advice in ("shock", "no shock")},
        marks=marks,
    )


def _standing(moments: Sequence[Moment], advice: str, until_s: float) -> list[tuple[float, float]]:
    """From when to when an advice stood: each window's counts until the next one is full."""
    ends = [*map(_end_s, moments[1:]), until_s]
    return [(_end_s(moment), end) for moment, end in zip(moments, ends, strict=True) if moment.advice == advice]
