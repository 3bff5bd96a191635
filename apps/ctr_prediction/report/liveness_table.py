"""Which parts of the network live: how far each one moves the logit, and what the ranking loses without it.

A dead deep tower hides behind a good AUC, because the others carry the ranking alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.ctr_prediction.report.printed import fine, signed
from apps.ctr_prediction.report.trainings import mean_of, trainings
from shared.metrics import MetricFunction, Weights
from shared.metrics.binary import AUC, auc
from shared.report import ReportTable
from shared.table import Table, require

__all__ = ["CAPTION", "PREFIX", "liveness_table", "parts_of"]

CAPTION = "What each part adds to the logit"
PREFIX = "part_"
"""Before the name of a part in a column of its shares of the logit; a constant such as the bias is no part."""
SILENT = 0.05
"""Standard deviation, in logits, below which a part is silent: it moves the odds by less than about 5 %."""


def parts_of(rows: Table) -> tuple[str, ...]:
    """Names of the parts that all rows know."""
    columns = [name for name in rows if name.startswith(PREFIX)]
    return tuple(name.removeprefix(PREFIX) for name in columns if np.isfinite(_share(rows, name)).all())


def _share(rows: Table, column: str) -> npt.NDArray[np.float64]:
    return rows[column].astype(np.float64)


def liveness_table(rows: Table) -> ReportTable:
    """Spread of each part's share, and the AUC without it and by it alone.

    Args:
        rows: of the network: columns target, logit and part_NAME for each part; seed where there are several
            trainings. The logit is the sum of the parts and constants.
    """
    require(rows, "logit")
    whole = mean_of(_ranked_by("logit"), rows)
    lines = [_line(name, rows, whole) for name in parts_of(rows)]
    lines.append(("all together", fine(_deviation(rows, "logit"), 3), "-", "-", AUC.format(whole), ""))
    header = (
        "part", "standard deviation, logits", "AUC with it set to its mean", "change of AUC", "AUC by it alone",
        "remark",
    )  # fmt: skip
    note = (
        f"Silent: a standard deviation under {SILENT:g}, which moves the odds by less than about 5 %. The others are "
        "not trained anew, so that a part whose work they could take over looks more needed than it is."
    )
    return ReportTable(CAPTION, header, lines, note)


def _line(name: str, rows: Table, whole: float) -> tuple[str, ...]:
    column = PREFIX + name
    deviation = _deviation(rows, column)
    without = mean_of(_ranked_by("logit", without=column), rows)
    return (
        name,
        fine(deviation, 3),
        AUC.format(without),
        signed(without - whole),
        AUC.format(mean_of(_ranked_by(column), rows)),
        "silent" if deviation < SILENT else "",
    )


def _ranked_by(column: str, without: str | None = None) -> MetricFunction:
    """AUC of a column, less another one: putting back that one's mean would not change the ranking."""

    def area(table: Table, weights: Weights) -> float:
        score = _share(table, column) - (0.0 if without is None else _share(table, without))
        return auc({"target": table["target"], "probability": score}, weights)

    return area


def _deviation(rows: Table, column: str) -> float:
    """Mean over the trainings of the standard deviation over rows."""
    return float(np.mean([_share(part, column).std() for part in trainings(rows)]))
