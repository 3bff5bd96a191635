"""The `update` verb: a model learns on from logs whose clicks are known."""

from __future__ import annotations

import dataclasses

from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.rows import read_log
from apps.ctr_prediction.verb_config import UpdateConfig
from shared.contract import App
from shared.errors import InputError, did_you_mean
from shared.formats.adlog import read_column
from shared.prepared import Column

__all__ = ["update"]


def update(app: App, config: UpdateConfig) -> None:
    """One pass over the files in their order; the updated model is a folder of its own.

    Raises:
        InputError: a file has no column of clicks, or holds other values than 0 and 1 in it.
    """
    del app
    predictor = ClickPredictor.from_pretrained(config.model)
    label = Column(config.label, "integer", "label")
    rows = 0
    for path in config.files:
        for table in read_log(path, predictor.columns, (config.label,)):
            if config.label not in table.column_names:
                raise InputError(
                    f"{path} has no column {config.label!r}.{did_you_mean(config.label, table.column_names)} "
                    "Name the column of clicks with --label."
                )
            predictor.update(table, read_column(table, label, rows).to_numpy())
            rows += table.num_rows
    before = predictor.card
    predictor.card = dataclasses.replace(
        before,
        name=config.out.name,
        status="run",
        metrics={},
        oof={},
        protocol=f"{before.label}, updated online on {rows} further impressions; not scored since",
    )
    predictor.save_pretrained(config.out)
    print(f"{config.out} holds {before.label}, updated on {rows} impressions. Use it: --model {config.out}")
