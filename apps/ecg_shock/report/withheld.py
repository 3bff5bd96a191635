"""Undecided windows: how many there are and why, and what a wider or narrower band of probabilities would buy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.ecg_shock.data import NOISE_CLASS, has_verdict
from apps.ecg_shock.report.calibration import ruled_asystole
from apps.ecg_shock.report.counts import percent
from shared.abstention import Evidence, ProbabilityBand
from shared.figures import curve
from shared.metrics.binary import SENSITIVITY, SPECIFICITY
from shared.metrics.weighted import share
from shared.report import ReportFigure, ReportTable
from shared.table import Table, n_rows, take

__all__ = ["REASONS", "TRADE_OFF", "trade_off_figures", "withheld_tables", "withheld_told"]

Mask = npt.NDArray[np.bool_]

REASONS = "Why advice was withheld, all windows"
TRADE_OFF = "What withholding buys"
EDGES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Lower ends of the bands in the table; the upper ends mirror them."""
FINE_EDGES = np.geomspace(0.5, 0.02, 30)
"""Those of the figures."""


def withheld_told(rows: Table) -> str:
    """How many scored windows are undecided, and the figures of the others."""
    counted = take(rows, has_verdict(rows["target"]))
    inside = take(counted, ~counted["undecided"].astype(bool))
    return (
        f"{float(counted['undecided'].mean()):.1%} of the scored windows are undecided. On the others sensitivity is "
        f"{percent(SENSITIVITY(inside))} % and specificity {percent(SPECIFICITY(inside))} %; the figures above count "
        "every window, unless a column says otherwise."
    )


def withheld_tables(rows: Table) -> list[ReportTable]:
    """Reasons, and the trade-off of withheld against wrong advice.

    Args:
        rows: of the network, from `cross_fitted`.
    """
    reasons = _first_words(rows)
    lines = [
        (reason, str(int((reasons == reason).sum())), percent(float((reasons == reason).mean())))
        for reason in sorted(set(reasons.tolist()) - {""})
    ]
    return [ReportTable(REASONS, ("reason", "decisions", "share, %"), lines), _trade_off(rows)]


def _first_words(rows: Table) -> npt.NDArray[np.str_]:
    """The reason of each row up to the colon, after which it says what was found; empty where there is none."""
    words = [reason.partition(":")[0] if isinstance(reason, str) else "" for reason in rows["reason"]]
    return np.array(words, dtype=np.str_)


def _too_close(rows: Table) -> Mask:
    """Where the probability was the reason."""
    named = np.array(["probability" in reason for reason in _first_words(rows)], dtype=bool)
    return rows["undecided"].astype(bool) & named


def _withheld_by(edge: float, rows: Table) -> Mask:
    """What a band from `edge` to 1 - `edge` withholds together with all other reasons."""
    band = ProbabilityBand(edge, 1 - edge).withholds(Evidence(rows["calibrated"].astype(np.float64)))
    others = rows["undecided"].astype(bool) & ~_too_close(rows)
    return others | (band & ~ruled_asystole(rows))


def _trade_off(rows: Table) -> ReportTable:
    """One line for each band, and one for what the runs themselves did."""
    lines = [
        ("none" if edge == 0.5 else f"{edge:g} to {1 - edge:g}", *map(percent, _shares(_withheld_by(edge, rows), rows)))
        for edge in EDGES
    ]
    own = rows["probability"][_too_close(rows)].astype(np.float64)
    found = f" ({own.min():.2f} to {own.max():.2f} withheld)" if len(own) else ""
    lines.append((f"as the runs decided{found}", *map(percent, _shares(rows["undecided"].astype(bool), rows))))
    header = (
        "band of probabilities", "scored, withheld, %", "shockable, withheld, %", "sensitivity on the rest, %",
        "specificity on the rest, %", "noise, withheld, %", "noise, shocked, %",
    )  # fmt: skip
    note = (
        "Undecided is what lies inside the band and, in every line, what is withheld for another reason. The bands "
        "lie on the probability calibrated on the other folds, where there are such. The last line is what the runs "
        "withheld by their own probability; the lowest and the highest that were withheld for it show their band. "
        "Noise: windows that the annotators marked so, some of which hold a readable rhythm."
    )
    return ReportTable(TRADE_OFF, header, lines, note)


def _shares(withheld: Mask, rows: Table) -> tuple[float, ...]:
    """Withheld of the scored, of the shockable; sensitivity and specificity on the rest; noise withheld, shocked."""
    counted, noise, one = has_verdict(rows["target"]), rows["cls"] == NOISE_CLASS, np.ones(n_rows(rows))
    rest = take(rows, counted & ~withheld)
    return (
        share(withheld, counted, one),
        share(withheld, rows["target"] == 1, one),
        SENSITIVITY(rest),
        SPECIFICITY(rest),
        share(withheld, noise, one),
        share(~withheld & (rows["decision"] == 1), noise, one),
    )


def trade_off_figures(rows: Table) -> list[ReportFigure]:
    """Figures on the rest, and the fate of noise, against the share of scored windows withheld.

    Args:
        rows: of the network, from `cross_fitted`.
    """
    shares = 100 * np.array([_shares(_withheld_by(edge, rows), rows) for edge in FINE_EDGES])
    withheld, _, sensitivity, specificity, noise_withheld, noise_shocked = shares.T
    own = 100 * np.array(_shares(rows["undecided"].astype(bool), rows))
    label = "scored windows withheld, %"
    figures = [
        ReportFigure(
            curve(withheld, {"sensitivity": sensitivity, "specificity": specificity}, label, "on the rest, %"),
            f"What withholding buys; the runs themselves withheld {own[0]:.1f} %.",
            f"Curves; the runs have sensitivity {own[2]:.1f} % and specificity {own[3]:.1f} % on the rest.",
        )
    ]
    if np.isfinite(own[4]):
        lines = {"withheld": noise_withheld, "shocked": noise_shocked}
        figures.append(
            ReportFigure(
                curve(withheld, lines, label, "windows marked as noise, %"),
                "What becomes of windows marked as noise.",
                f"Curves; the runs withheld {own[4]:.1f} % of them and shocked {own[5]:.1f} %.",
            )
        )
    return figures
