"""Sections of a report that apps of one kind share: what every yes-or-no app shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shared.figures import confusion, reliability, roc_pr
from shared.metrics.binary import AUC, ECE
from shared.report import ReportFigure, Section
from shared.table import Table

__all__ = ["binary_section"]


def binary_section(models: Mapping[str, Table], network: str, classes: Sequence[str]) -> Section:
    """ROC and precision-recall curves of all models, calibration and confusion of the network.

    Args:
        models: model -> table with `target` (0 or 1), `probability` and `decision`.
        network: the model whose calibration and confusion are shown.
        classes: names of 0 and 1.
    """
    roc, precision_recall = roc_pr(models)
    own = models[network]
    counts = np.zeros((2, 2))
    np.add.at(counts, (own["target"].astype(int), own["decision"].astype(int)), 1)
    return Section(
        "Ranking, calibration and confusion",
        figures=[
            ReportFigure(roc, "ROC curves; a dot where each model decides.", f"ROC, network AUC {AUC(own):.3f}."),
            ReportFigure(
                precision_recall,
                "Precision against recall; depends on how common positives are here.",
                "Precision-recall curves of all models.",
            ),
            ReportFigure(
                reliability({network: own}),
                "Observed share against predicted probability of the network, at the share of positives found here.",
                f"Reliability diagram, calibration error {ECE(own):.3f}.",
            ),
            ReportFigure(
                confusion(counts, classes),
                "What the network answered, by truth; every seed counts.",
                f"Confusion matrix: {int(counts.trace())} of {int(counts.sum())} right.",
            ),
        ],
    )
