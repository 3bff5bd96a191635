"""Cold start: impressions with a value that training has never shown, field by field."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.ctr_prediction.report.printed import FEW_CLICKS_TOLD, remark
from apps.ctr_prediction.report.trainings import counts, mean_of
from shared.metrics import Metric
from shared.metrics.binary import AUC, LOG_LOSS
from shared.report import ReportTable
from shared.table import Table, n_rows, require, take

__all__ = ["CAPTION", "cold_start_table", "unseen_by_field"]

CAPTION = "Values that training has not seen"
Mask = npt.NDArray[np.bool_]


def unseen_by_field(rows: Table) -> dict[str, Mask]:
    """Field -> (rows,) where its value is unseen; the field with most of them first, those without any left out.

    Args:
        rows: column `unseen`, names of fields with commas between them, empty where every value is known.
    """
    require(rows, "unseen")
    texts, codes = np.unique(rows["unseen"].astype(str), return_inverse=True)
    named = [{field.strip() for field in text.split(",")} - {""} for text in texts.tolist()]
    masks = {
        field: np.array([field in fields for fields in named])[codes] for field in sorted(set[str]().union(*named))
    }
    return dict(sorted(masks.items(), key=lambda item: -int(item[1].sum())))


def cold_start_table(rows: Table) -> ReportTable:
    """A line for all rows, those with every value known, and each field with unseen values.

    Args:
        rows: of one model: columns target, probability, unseen; seed where there are several trainings.
    """
    masks = unseen_by_field(rows)
    somewhere = np.any([np.zeros(n_rows(rows), dtype=bool), *masks.values()], axis=0)
    lines = [_line(field, rows, mask) for field, mask in {"any field": somewhere, **masks}.items()]
    header = (
        "field", "impressions, unseen", "clicks, unseen", "AUC, unseen", "log loss, unseen", "impressions, seen",
        "clicks, seen", "AUC, seen", "log loss, seen", "remark",
    )  # fmt: skip
    note = (
        "Unseen: not among the values that the field's encoder kept from training. Impressions differ in more than "
        f"this field, so a lower AUC is not owed to it alone. {FEW_CLICKS_TOLD}"
    )
    return ReportTable(CAPTION, header, lines, note)


def _line(field: str, rows: Table, unseen: Mask) -> tuple[str, ...]:
    sides = [take(rows, unseen), take(rows, ~unseen)]
    cells = [cell for side in sides for cell in _cells(side)]
    return (field, *cells, remark(min(counts(side)[1] for side in sides)))


def _cells(rows: Table) -> tuple[str, ...]:
    return (*map(str, counts(rows)), *(_text(metric, rows) for metric in (AUC, LOG_LOSS)))


def _text(metric: Metric, rows: Table) -> str:
    return metric.format(mean_of(metric, rows))
