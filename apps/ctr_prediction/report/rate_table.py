"""How well the level of the probabilities fits, in the thinned log and in the whole one."""

from __future__ import annotations

from functools import partial

from apps.ctr_prediction.report.printed import fine
from apps.ctr_prediction.report.rates import (
    NORMALISED_ENTROPY,
    PREDICTED_TO_OBSERVED,
    as_constant,
    inverse_sampling_rate,
    predicted_to_observed,
    sampled_predicted_to_observed,
    true_log_loss,
)
from apps.ctr_prediction.report.trainings import mean_of
from shared.evaluation import models_of
from shared.metrics.binary import LOG_LOSS
from shared.metrics.weighted import ratio
from shared.report import ReportTable
from shared.table import Table

__all__ = ["CAPTION", "rate_table"]

CAPTION = "Click rates and log losses, as sampled and with the sampling undone"
CONSTANT = "constant training rate"


def rate_table(table: Table) -> ReportTable:
    """One line for each model, and one for the constant training rate.

    Args:
        table: columns model, target, probability, weight, base_rate; seed where there are several trainings.
    """
    models = models_of(table)
    rate = inverse_sampling_rate(table)
    constant = as_constant(next(iter(models.values())))
    lines = [_line(name, rows, rate) for name, rows in {**models, CONSTANT: constant}.items()]
    header = (
        "model", "log loss", "normalised entropy", "predicted / observed, as sampled", "sampling undone",
        "log loss at the true rate", "normalised entropy there",
    )  # fmt: skip
    note = (
        f"Non-clicks of the whole log for each one kept: {rate:.6g}. The true rate is that of the whole log; only log "
        "losses at the same rate may be compared. Normalised entropy: log loss over that of the constant training "
        "rate. Predicted / observed: clicks; 1 is right."
    )
    return ReportTable(CAPTION, header, lines, note)


def _line(name: str, rows: Table, rate: float) -> tuple[str, ...]:
    at_true_rate = partial(true_log_loss, rate=rate)
    true, true_constant = mean_of(at_true_rate, rows), mean_of(at_true_rate, as_constant(rows))
    return (
        name,
        fine(mean_of(LOG_LOSS, rows)),
        NORMALISED_ENTROPY.format(mean_of(NORMALISED_ENTROPY, rows)),
        PREDICTED_TO_OBSERVED.format(mean_of(sampled_predicted_to_observed, rows)),
        PREDICTED_TO_OBSERVED.format(mean_of(partial(predicted_to_observed, rate=rate), rows)),
        fine(true, 6),
        NORMALISED_ENTROPY.format(ratio(true, true_constant)),
    )
