"""The `watch` verb: a recording goes through the stream as it would come in from a patient."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass

from apps.ecg_shock.predict import ShockAdvisor, ShockDecision, as_line
from apps.ecg_shock.stream import AdviceChange, StandingAdvice
from apps.ecg_shock.verb_config import WatchConfig
from apps.ecg_shock.window import EcgWindow, read_file
from shared.contract import App

__all__ = ["Moment", "watch", "watched"]


@dataclass(frozen=True)
class Moment:
    """What a stream says when a window is full."""

    decision: ShockDecision
    """On that window alone."""
    advice: StandingAdvice | None
    """The standing advice from now on."""
    change: AdviceChange | None
    """How it changed, where it did."""


def watched(
    advisor: ShockAdvisor, recording: EcgWindow, window_s: float, step_s: float, confirm: int
) -> Iterator[Moment]:
    """Push a recording through a stream, as many samples at a time as complete one window at most.

    Times are those of the stream: they count from the recording's first sample.

    Raises:
        InputError: as `ShockAdvisor.stream`; also where the recording is shorter than a window.
    """
    stream = advisor.stream(recording.sampling_rate, window_s, step_s, confirm)
    recording.check_fits(window_s)
    chunk = max(1, int(step_s * recording.sampling_rate))
    for first in range(0, len(recording.ecg), chunk):
        known = stream.changes
        for decision in stream.take(recording.ecg[first : first + chunk]):
            changed = stream.changes != known
            yield Moment(decision, stream.advice, stream.changes[-1] if changed else None)


def watch(app: App, config: WatchConfig) -> None:
    """Print one line, or one JSON object, for each window as it fills; times count from the start of the file."""
    del app
    advisor = ShockAdvisor.from_pretrained(config.model)
    recording = read_file(config.file, config)
    for moment in watched(advisor, recording, config.window_s, config.step_s, config.confirm):
        moment = _in_file_time(moment, config.start_s)
        print(_as_json(moment, config) if config.json else _as_text(moment, config), flush=True)


def _in_file_time(moment: Moment, start_s: float) -> Moment:
    decision = dataclasses.replace(moment.decision, start_s=start_s + moment.decision.start_s)
    if moment.change is None:
        return dataclasses.replace(moment, decision=decision)
    change = dataclasses.replace(moment.change, at_s=start_s + moment.change.at_s)
    return dataclasses.replace(moment, decision=decision, change=change)


def _as_json(moment: Moment, config: WatchConfig) -> str:
    change = None if moment.change is None else dataclasses.asdict(moment.change)
    told = {"standing_advice": moment.advice, "change": change}
    return json.dumps({"file": str(config.file), **moment.decision.to_dict(), **told})


def _as_text(moment: Moment, config: WatchConfig) -> str:
    line = f"{as_line(config.file, moment.decision)}  | stands: {moment.advice or 'none'}"
    if moment.change is None:
        return line
    took = "" if moment.change.time_to_advice_s is None else f", after {moment.change.time_to_advice_s:.1f} s of signal"
    return f"{line}  <- changed at {moment.change.at_s:.1f} s{took}"
