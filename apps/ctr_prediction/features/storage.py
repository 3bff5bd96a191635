"""The encoder on disk: one JSON file with settings and numbers, one parquet file with values and their counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.fields import kind_of
from apps.ctr_prediction.features.fitted import CountedField, Fitted, hashed_ids
from apps.ctr_prediction.features.numbers import NumberScale
from apps.ctr_prediction.features.vocabulary import Vocabulary
from shared.atomic import atomic_path, read_json, write_json
from shared.errors import CheckpointError, ConfigError
from shared.prepared import Column

__all__ = ["load", "save"]

FORMAT = 1
SETTINGS, VOCABULARY = "encoder.json", "vocabulary.parquet"
VOCABULARY_SCHEMA = pa.schema(
    [
        ("field", pa.string()),
        ("value", pa.large_string()),  # null: missing, or a bucket of hashes
        ("slot", pa.int64()),  # place in the field's counts, from 1; in a vocabulary also the row
        ("fold", pa.int64()),
        ("count", pa.int64()),
        ("clicks", pa.int64()),
    ]
)


def save(fitted: Fitted, folder: Path, prefix: str = "") -> None:
    """Write the two files into `folder`; a prefix to their names tells encoders of one model apart."""
    parts = [_rows_of(name, field) for name, field in fitted.counted.items()]
    with atomic_path(folder / f"{prefix}{VOCABULARY}") as temporary:
        pq.write_table(pa.concat_tables([VOCABULARY_SCHEMA.empty_table(), *parts]), temporary, compression="zstd")
    settings = {
        "format": FORMAT,
        "config": dataclasses.asdict(fitted.config),
        "columns": [column.to_dict() for column in fitted.columns],
        "unit": fitted.unit,
        "scales": {name: dataclasses.asdict(scale) for name, scale in fitted.scales.items()},
        "fold_rows": fitted.fold_rows.tolist(),
        "fold_clicks": fitted.fold_clicks.tolist(),
    }
    write_json(folder / f"{prefix}{SETTINGS}", settings)


def _rows_of(name: str, field: CountedField) -> pa.Table:
    slot, fold = np.nonzero(field.count)
    value = pa.nulls(len(slot), pa.large_string())
    if isinstance(field.coder, Vocabulary):
        value = field.coder.values.take(pa.array(slot - 1))
    columns = [[name] * len(slot), value, slot, fold, field.count[slot, fold], field.clicks[slot, fold]]
    return pa.table(columns, schema=VOCABULARY_SCHEMA)


def load(folder: Path, prefix: str = "") -> Fitted:
    """Read what `save` wrote. Raises CheckpointError where the files are missing, damaged or newer."""
    named = folder / f"{prefix}{SETTINGS}"
    try:
        settings = read_json(named)
        if settings["format"] > FORMAT:
            raise CheckpointError(f"{named} is of format {settings['format']}, newer than this: update.")
        return _fitted(settings, pq.read_table(folder / f"{prefix}{VOCABULARY}", schema=VOCABULARY_SCHEMA))
    except (OSError, ValueError, KeyError, TypeError, IndexError, ConfigError, pa.ArrowException) as error:
        raise CheckpointError(
            f"The feature encoder in {folder} ({named.name}, {prefix}{VOCABULARY}) is missing or damaged: {error!r}. "
            "Fetch or train the model again."
        ) from error


def _fitted(settings: dict[str, Any], table: pa.Table) -> Fitted:
    stored: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings["config"].items()}
    config = FeatureConfig(**stored)
    columns = tuple(Column.from_dict(column) for column in settings["columns"])
    folds = len(settings["fold_rows"])
    counted = {
        column.name: _counted(column, config, table.filter(pc.equal(table["field"], column.name)), folds)
        for column in columns
        if kind_of(column) != "number"
    }
    scales = {name: NumberScale(**scale) for name, scale in settings["scales"].items()}
    rows, clicks = (np.asarray(settings[name], dtype=np.int64) for name in ("fold_rows", "fold_clicks"))
    return Fitted(config, columns, tuple(settings["unit"]), counted, scales, rows, clicks)


def _counted(column: Column, config: FeatureConfig, rows: pa.Table, folds: int) -> CountedField:
    slot, fold = rows["slot"].to_numpy(), rows["fold"].to_numpy()
    coder = hashed_ids(column, config) or _vocabulary(rows["value"].combine_chunks(), slot)
    count, clicks = np.zeros((coder.n_slots, folds), np.int64), np.zeros((coder.n_slots, folds), np.int64)
    count[slot, fold], clicks[slot, fold] = rows["count"].to_numpy(), rows["clicks"].to_numpy()
    return CountedField(coder, count, clicks)


def _vocabulary(values: pa.LargeStringArray, slot: np.ndarray[Any, np.dtype[np.int64]]) -> Vocabulary:
    own, first = np.unique(slot, return_index=True)
    if not np.array_equal(own, np.arange(1, len(own) + 1)):
        raise ValueError("values of a vocabulary are missing")
    return Vocabulary(values.take(pa.array(first)))
