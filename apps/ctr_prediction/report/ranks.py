"""All models on all campaigns: who is first where, and does one of them beat each of the others?

Mean ranks over data sets as Demsar (J. Mach. Learn. Res. 7, 2006) compares classifiers; the intervals of the
differences resample whole blocks, the same ones for both models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from apps.ctr_prediction.report.by_group import auc_within, most_clicked, with_codes
from apps.ctr_prediction.report.printed import FEW_CLICKS, fine, interval_of
from apps.ctr_prediction.report.trainings import counts, mean_of, resampled
from shared.errors import ConfigError, did_you_mean
from shared.evaluation import models_of
from shared.metrics.binary import AUC
from shared.report import ReportTable
from shared.results import NETWORK
from shared.stats import MIN_GROUPS, RANGE, Difference, difference, require_same_rows
from shared.table import Table

__all__ = ["AGAINST", "CAPTION", "Standing", "against_table", "rank_table", "verdict"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CAPTION = "AUC and rank of all models by"
AGAINST = "Against each of the other models:"
MOST_COLUMNS = 12
"""Campaigns that have a column of their own; the ranks are over all of them."""
BEATS, BEHIND, UNDECIDED = "beats it", "is behind it", "undecided"


@dataclass(frozen=True)
class Standing:
    """AUC of each model on each campaign, its mean over the trainings."""

    models: tuple[str, ...]
    clicks: Mapping[str, int]
    """Campaign -> clicks, most first."""
    areas: FloatArray
    """(models, campaigns); NaN where a campaign has one label only."""

    @classmethod
    def of(cls, table: Table, group: str) -> Self:
        """From predictions of all models on the same rows, in which the column `group` names the campaign."""
        models = models_of(table)
        first, *others = models.values()
        for rows in others:
            require_same_rows(first, rows, ("item",))
        parts = [most_clicked(rows, group) for rows in models.values()]
        clicks = {campaign: counts(rows)[1] for campaign, rows in parts[0].items()}
        areas = [[mean_of(AUC, campaigns[name]) for name in clicks] for campaigns in parts]
        return cls(tuple(models), clicks, np.array(areas))

    @property
    def compared(self) -> BoolArray:
        """(campaigns,) in which every model has an AUC."""
        return np.logical_and.reduce(np.isfinite(self.areas), axis=0)

    @property
    def trusted(self) -> BoolArray:
        """(campaigns,) that are compared and have twenty clicks or more."""
        return self.compared & (np.array(list(self.clicks.values())) >= FEW_CLICKS)

    def mean_ranks(self, among: BoolArray) -> FloatArray:
        """(models,) mean rank over some campaigns, 1 the best; equal areas share the mean of their places."""
        if not among.any():
            return np.full(len(self.models), np.nan)
        return rankdata(-self.areas[:, among], axis=0).mean(axis=1)

    def firsts(self) -> npt.NDArray[np.int64]:
        """(models,) compared campaigns in which no model is better."""
        areas = self.areas[:, self.compared]
        return (areas == areas.max(axis=0)).sum(axis=1)

    def ahead(self, model: str, other: str) -> int:
        """Compared campaigns in which one model is better than another."""
        one, two = (self.areas[self.models.index(name), self.compared] for name in (model, other))
        return int((one > two).sum())


def rank_table(table: Table, group: str) -> ReportTable:
    """Models, the best mean rank first, with their AUC on the campaigns of most clicks.

    Args:
        table: columns model, item, target, probability and that of the campaign; seed where there are several
            trainings.
        group: column that names the campaign.

    Raises:
        InputError: two models were not scored on the same rows.
    """
    standing = Standing.of(table, group)
    shown = list(standing.clicks.items())[:MOST_COLUMNS]
    everywhere, trusted = standing.mean_ranks(standing.compared), standing.mean_ranks(standing.trusted)
    firsts = standing.firsts()
    lines = [
        (
            standing.models[place],
            fine(everywhere[place], 2),
            fine(trusted[place], 2),
            str(firsts[place]),
            *map(fine, standing.areas[place, : len(shown)].tolist()),
        )
        for place in np.argsort(everywhere, kind="stable").tolist()
    ]
    header = (
        "model", "mean rank", f"where {FEW_CLICKS} clicks or more", "first in",
        *(f"{campaign} ({clicks} clicks)" for campaign, clicks in shown),
    )  # fmt: skip
    note = (
        f"Ranks of the AUC over {standing.compared.sum()} of {len(standing.clicks)} values of {group}, those in which "
        f"every model has one; {standing.trusted.sum()} have {FEW_CLICKS} clicks or more. Equal areas share their "
        "places, and all of them are first."
    )
    return ReportTable(f"{CAPTION} {group}", header, lines, note)


def verdict(found: Difference) -> str:
    """What an interval says of the first model; a range of too few blocks says nothing."""
    if found.method == RANGE:
        return f"{UNDECIDED}, under {MIN_GROUPS} blocks"
    if found.low > 0:
        return BEATS
    return BEHIND if found.high < 0 else UNDECIDED


def against_table(table: Table, group: str, reference: str = NETWORK, n: int = 1000) -> ReportTable:
    """The reference minus each other model: pooled AUC, AUC within campaigns, and a plain verdict on both.

    Args:
        table: columns model, item, block, target, probability and that of the campaign; seed where there are several
            trainings.
        group: column that names the campaign.
        reference: the model that is to beat the others.
        n: bootstrap resamples of whole blocks.

    Raises:
        ConfigError: there is no model of that name.
        InputError: two models were not scored on the same rows.
    """
    models = models_of(with_codes(table, group))
    if reference not in models:
        raise ConfigError(f"There is no model {reference!r} to rank.{did_you_mean(reference, models)}")
    standing = Standing.of(table, group)
    metrics = (AUC, auc_within(group))
    own = [resampled(metric, models[reference], "block", n) for metric in metrics]
    lines, verdicts = [], {}
    for name in (name for name in standing.models if name != reference):
        drawn = (resampled(metric, models[name], "block", n) for metric in metrics)
        pooled, within = (difference(mine, other) for mine, other in zip(own, drawn, strict=True))
        verdicts[name] = verdict(pooled), verdict(within)
        ahead = f"{standing.ahead(reference, name)} of {standing.compared.sum()}"
        lines.append((name, interval_of(pooled), verdict(pooled), interval_of(within), verdict(within), ahead))
    header = (
        "other model", "AUC, difference", reference, f"AUC within {group}, difference", f"{reference} there",
        f"ahead on so many of {group}",
    )  # fmt: skip
    return ReportTable(f"{AGAINST} {reference} by {group}", header, lines, _note(reference, group, verdicts, n))


def _note(reference: str, group: str, verdicts: Mapping[str, tuple[str, str]], n: int) -> str:
    """The verdicts as plain sentences, then how they came about."""
    told = [
        _sentence(reference, measure, {name: both[place] for name, both in verdicts.items()})
        for place, measure in enumerate(("By the pooled AUC", f"By the AUC within {group}"))
    ]
    return (
        f"{' '.join(told)} {reference} minus the other, with 95 % intervals from {n} resamples of whole blocks, the "
        "same for both; each for itself, not corrected for the number of models. Within: the AUC of each "
        f"{group} alone, averaged with its clicks as weights."
    )


def _sentence(reference: str, measure: str, verdicts: Mapping[str, str]) -> str:
    said = {
        words: [name for name, found in verdicts.items() if found.startswith(start)]
        for start, words in ((BEATS, "beats"), (BEHIND, "is behind"), (UNDECIDED, "is neither ahead of nor behind"))
    }
    clauses = [f"{words} {', '.join(names)}" for words, names in said.items() if names]
    return f"{measure} {reference} {'; it '.join(clauses) or 'stands alone'}."
