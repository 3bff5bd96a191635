"""Click logs to a prepared set with one streamed table and its splits (see `ctr_prediction` for what is in it)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from data_prep.click_blocks import Blocks, Cut, cuts_for
from data_prep.click_joins import SeasonLog
from data_prep.click_known import recognise
from data_prep.click_logs import FileChain, RawLog, open_files
from data_prep.click_schema import ClickSchema
from data_prep.click_splits import splits_of
from data_prep.ctr_prediction import SOURCE, CtrConfig
from shared.errors import InputError
from shared.formats.adlog import read_column
from shared.formats.log_files import TextLog
from shared.prepared import Column, PreparedWriter

__all__ = ["TABLE", "prepare", "write_prepared"]

TABLE = "impressions"


def prepare(paths: Sequence[Path], out: Path, config: CtrConfig) -> None:
    """Prepare click logs in any form that `ctr_prediction` describes.

    Args:
        paths: files of one log, or folders of them.
        out: folder to create.
        config: schema, folds, licence.

    Raises:
        InputError: the columns are of no known log and there is no schema; a value is not of its kind; damaged files.
        ConfigError: the schema is wrong, or `out` is not empty.
    """
    schema = ClickSchema.read(config.schema) if config.schema else None
    log = _open_log(paths, schema)
    schema = schema or recognise(log.head())
    write_prepared(log, schema, out, config, source=", ".join(path.name for path in paths))


def _open_log(paths: Sequence[Path], schema: ClickSchema | None) -> RawLog:
    files = open_files(paths, schema.names if schema else ())
    raw = [file for file in files if _is_season_log(file)]
    if 0 < len(raw) < len(files):
        other = next(file for file in files if file not in raw)
        raise InputError(f"{raw[0].path} is a raw iPinYou log and {other.path} is not: prepare them by themselves.")
    return SeasonLog([file for file in raw if isinstance(file, TextLog)]) if raw else FileChain(files)


def _is_season_log(file: RawLog) -> bool:
    return isinstance(file, TextLog) and not file.has_header and {"bidid", "logtype"} <= {*file.columns}


def write_prepared(
    log: RawLog, schema: ClickSchema, out: Path, config: CtrConfig, *, source: str, synthetic: bool = False
) -> None:
    """Write the prepared set, one pass over the log; a log that is one block by its days is read again by the hour."""
    columns = schema.columns_for(log.head().schema)
    read = list(dict.fromkeys(name for column in columns for name in column.raw_names))
    if unused := [name for name in log.columns if name not in read]:
        warnings.warn(f"columns that the schema does not name are left out: {', '.join(unused)}", stacklevel=2)
    about = {"title": schema.title, "licence": config.licence or schema.licence, "citation": schema.citation}
    for cut in cuts_for(columns):
        try:
            with PreparedWriter(
                out, name=SOURCE.name, source=source, groups=("block",), synthetic=synthetic,
                created_by="data_prep.click_set", **about,
            ) as writer:  # fmt: skip
                _write(writer, log, columns, read, cut, config.folds)
            return
        except _OneBlockError:
            continue
    raise InputError("The log has one row: nothing can be held out.")


class _OneBlockError(Exception):
    """The log cannot be split by these blocks."""


def _write(
    writer: PreparedWriter, log: RawLog, columns: Sequence[Column], read: Sequence[str], cut: Cut, folds: int
) -> None:
    blocks = Blocks(columns, cut)
    table = writer.table(TABLE, blocks.columns, description="one impression")
    for raw in log.batches(read):
        values = {column.name: read_column(raw, column, blocks.n_rows) for column in columns}
        table.write(blocks.add(pa.table(values)))
    if not blocks.n_rows:
        raise InputError("The log has no rows.")
    if len(blocks.seen) < 2:
        raise _OneBlockError
    for split in splits_of(blocks, folds):
        writer.add_split(split)
