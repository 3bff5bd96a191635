"""The app's share of `make demo`: answers for impressions written by hand, and a made-up habit learnt online."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pcsv

from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.results import ClickResult
from shared.demo import DemoPart, DemoRow
from shared.figures import curve
from shared.report import ReportFigure, ReportTable, Section
from shared.threads import one_thread

__all__ = ["SAMPLES", "demo"]

SAMPLES = Path(__file__).parent / "samples" / "impressions.csv"
NEW_HABIT, STEPS, STEP_ROWS = 0.3, 12, 256
"""Share of clicks that the bearers of one tag take up in the stream; pieces of the stream, and impressions in each."""

Row = dict[str, Any]


def demo() -> DemoPart:
    """Answer for every sample, and learn on from a stream in which the bearers of one tag begin to click."""
    predictor = ClickPredictor.from_pretrained()
    samples: list[Row] = pcsv.read_csv(SAMPLES, convert_options=_AS_TEXT).to_pylist()
    with one_thread():
        answers = [_timed(predictor, row) for row in samples]
        streamed, picture = _learnt_online(predictor, samples[0])
    rows = [
        DemoRow(row["sample"], _answer(answer), "made by hand", milliseconds)
        for row, (answer, milliseconds) in zip(samples, answers, strict=True)
    ]
    table = ReportTable(
        "Click probability of impressions written by hand",
        ("impression", "in the world", "in a log thinned as the training log", "never seen", "status"),
        [
            (row["sample"], f"{a.probability:.5f}", f"{a.sampled_probability:.3f}", ", ".join(a.unseen), a.status)
            for row, (a, _) in zip(samples, answers, strict=True)
        ],
        "Nobody saw these impressions: they show the software, not its accuracy.",
    )
    return DemoPart(
        [*rows, streamed], Section("Click probability", [f"Model: {predictor.card.label}."], [table], [picture])
    )


_AS_TEXT = pcsv.ConvertOptions(strings_can_be_null=False, column_types=dict.fromkeys(("advertiser", "hour"), "string"))


def _timed(predictor: ClickPredictor, row: Row) -> tuple[ClickResult, float]:
    predictor.predict(row)
    began = time.perf_counter()
    answer = predictor.predict(row)
    return answer, 1000 * (time.perf_counter() - began)


def _answer(answer: ClickResult) -> str:
    told = f"{answer.probability:.5f} of a click"
    return f"{told}; undecided ({answer.reason})" if answer.reason else told


def _learnt_online(predictor: ClickPredictor, row: Row) -> tuple[DemoRow, ReportFigure]:
    """A stream of one impression with and without a tag, whose bearers click NEW_HABIT of the time from now on."""
    kinds = [{**row, "usertag": row["usertag"] + ",10067"}, row]
    rng, found = np.random.default_rng(0), []
    usual = predictor.predict(row).sampled_probability
    truth = np.array([NEW_HABIT, usual])
    began = time.perf_counter()
    for _ in range(STEPS):
        found.append([predictor.predict(kind).sampled_probability for kind in kinds])
        drawn = rng.integers(len(kinds), size=STEP_ROWS)
        predictor.update([kinds[kind] for kind in drawn], rng.random(STEP_ROWS) < truth[drawn])
    milliseconds = 1000 * (time.perf_counter() - began) / STEPS
    bearers, others = np.array(found).T
    lines = {"bearers of the tag": bearers, "others": others, "bearers, truth": np.full(STEPS, NEW_HABIT)}
    answer = f"{bearers[0]:.2f} before, {bearers[-1]:.2f} after {STEPS * STEP_ROWS} impressions (truth {NEW_HABIT:g})"
    figure = curve(
        np.arange(STEPS) * STEP_ROWS, lines, "impressions learnt from", "probability of a click, thinned log"
    )
    return (
        DemoRow("a tag whose bearers begin to click (made-up stream)", answer, f"{NEW_HABIT:g}", milliseconds),
        ReportFigure(
            figure, f"Learning on by FTRL from a made-up stream: {answer}", f"Lines over impressions: {answer}."
        ),
    )
