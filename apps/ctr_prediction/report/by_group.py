"""Group by group, say advertiser by advertiser: who is ranked and counted well, and on how many clicks that rests."""

from __future__ import annotations

from functools import partial

import numpy as np

from apps.ctr_prediction.report.printed import FEW_CLICKS, FEW_CLICKS_TOLD, remark
from apps.ctr_prediction.report.rates import (
    PREDICTED_TO_OBSERVED,
    inverse_sampling_rate,
    predicted_to_observed,
    sampled_predicted_to_observed,
)
from apps.ctr_prediction.report.trainings import counts, mean_of, resampled
from shared.evaluation import interval_text
from shared.figures import per_group_bars
from shared.metrics import Metric, Weights
from shared.metrics.binary import AUC
from shared.metrics.weighted import ratio
from shared.report import ReportFigure, ReportTable
from shared.stats import MIN_GROUPS, per_group
from shared.table import Table, require, take

__all__ = ["CAPTION", "auc_bars", "auc_within", "group_table", "most_clicked", "with_codes"]

CAPTION = "Ranking and counting by"
MOST_GROUPS = 40
"""Groups that the table lists."""


def auc_within(group: str) -> Metric:
    """The AUC of each group alone, averaged with the groups' clicks as weights.

    Only pairs of impressions of one group are compared, so that knowing a group's click rate gains nothing. Groups with
    one label only are left out; NaN where no other is left.

    Args:
        group: column of whole numbers or text that names the group (`with_codes` makes numbers, which are faster).
    """

    def within(table: Table, weights: Weights) -> float:
        require(table, group, "target", "probability")
        codes = np.unique(table[group], return_inverse=True)[1]
        columns = {name: table[name] for name in ("target", "probability")}
        drawn = {**columns, "group": codes, "weight": weights}
        areas = np.array(list(per_group(AUC, drawn, "group", weight="weight").values()))
        clicks = np.bincount(codes, weights * (table["target"] == 1))
        known = ~np.isnan(areas)
        return ratio(clicks[known] @ areas[known], clicks[known].sum())

    return Metric(
        f"AUC within {group}",
        within,
        description=f"AUC of each {group} alone, averaged with their clicks as weights.",
        sort_by="probability",
    )


def with_codes(rows: Table, group: str) -> Table:
    """The rows with the group's place in the alphabet instead of its name."""
    require(rows, group)
    return {**rows, group: np.unique(rows[group].astype(str), return_inverse=True)[1]}


def most_clicked(rows: Table, group: str, most: int | None = None) -> dict[str, Table]:
    """The groups with their rows, those with most clicks first, and all where `most` does not say how many."""
    require(rows, group, "target")
    names, codes = np.unique(rows[group].astype(str), return_inverse=True)
    clicks = np.bincount(codes, rows["target"] == 1, minlength=len(names))
    order = np.argsort(-clicks, kind="stable")[:most].tolist()
    return {str(names[place]): take(rows, codes == place) for place in order}


def group_table(rows: Table, group: str, n: int = 1000) -> ReportTable:
    """Impressions, clicks, AUC with its interval, and predicted over observed clicks of each group.

    Args:
        rows: of one model: columns item, block, target, probability, weight and the group's; seed where there are
            several trainings.
        group: column that names the group.
        n: bootstrap resamples.
    """
    require(rows, "item", "block")
    rate = inverse_sampling_rate(rows)
    shown = most_clicked(rows, group, MOST_GROUPS)
    left_out = len(set(rows[group].astype(str).tolist())) - len(shown)
    header = (
        group, "impressions", "clicks", "AUC", "drawn", "predicted / observed, as sampled", "sampling undone", "remark",
    )  # fmt: skip
    note = (
        f"AUC of all rows pooled {AUC.format(mean_of(AUC, rows))}; within {group}, weighted by clicks, "
        f"{AUC.format(mean_of(auc_within(group), with_codes(rows, group)))}: what lies between is owed to "
        f"knowing the {group}. Intervals: 95 %, {n} resamples of whole blocks where there are {MIN_GROUPS} or more, "
        "else of impressions, which says nothing of other days. "
        f"{FEW_CLICKS_TOLD}" + (f" Left out: {left_out} with fewer clicks than these." if left_out else "")
    )
    return ReportTable(f"{CAPTION} {group}", header, [_line(name, part, rate, n) for name, part in shown.items()], note)


def _line(name: str, rows: Table, rate: float, n: int) -> tuple[str, ...]:
    impressions, clicks = counts(rows)
    unit = "block" if len(set(rows["block"].tolist())) >= MIN_GROUPS else "item"
    area = resampled(AUC, rows, unit, n).interval()
    return (
        name,
        str(impressions),
        str(clicks),
        interval_text(AUC, area),
        f"{area.n_groups} blocks" if unit == "block" else "impressions",
        PREDICTED_TO_OBSERVED.format(mean_of(sampled_predicted_to_observed, rows)),
        PREDICTED_TO_OBSERVED.format(mean_of(partial(predicted_to_observed, rate=rate), rows)),
        remark(clicks),
    )


def auc_bars(rows: Table, group: str) -> list[ReportFigure]:
    """AUC of each group with clicks enough, the lowest first; of several trainings the mean. None of under two groups.

    Args:
        rows: as for `group_table`.
        group: column that names the group.
    """
    parts = most_clicked(rows, group, MOST_GROUPS)
    means = {name: mean_of(AUC, part) for name, part in parts.items() if counts(part)[1] >= FEW_CLICKS}
    if len(means) < 2:
        return []
    lowest = min(means, key=means.__getitem__)
    return [
        ReportFigure(
            per_group_bars(means, f"AUC by {group}"),
            f"AUC of each {group} with {FEW_CLICKS} clicks or more, the lowest first.",
            f"Bars of the AUC by {group}; the lowest is {AUC.format(means[lowest])}, of {lowest}.",
        )
    ]
