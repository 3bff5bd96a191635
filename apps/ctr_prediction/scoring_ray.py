"""The `score` verb: click probabilities of parquet logs of any size, on the processors of one machine or of many."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from apps.ctr_prediction.predict import ClickPredictor
from apps.ctr_prediction.verb_config import ScoreConfig
from shared.contract import App
from shared.errors import ConfigError, InputError
from shared.formats.log_files import ParquetLog, open_log
from shared.ray_data import ray_data

__all__ = ["score", "score_files"]

_BATCH_ROWS = 65_536


class _Scorer:
    """What each actor of Ray Data holds: a predictor."""

    def __init__(self, model: Path, keys: tuple[str, ...]) -> None:
        self._predictor, self._keys = ClickPredictor.from_pretrained(model), keys

    def __call__(self, rows: pa.Table) -> pa.Table:
        return self._predictor.predict_batch(rows, keys=self._keys).to_arrow()


def score_files(
    files: Sequence[Path | str], out: Path | str, keys: Sequence[str], model: Path | str | None = None
) -> int:
    """Click probabilities of parquet logs, by as many predictors as there are processors.

    Every machine must find files, model and `out` where this one does.

    Args:
        files: parquet files, or folders of them.
        out: folder to create, for parquet files with the columns that `ClickPredictor.predict_file` writes; the order
            of the rows is not kept.
        keys: columns to hand through; they tell which answer is whose.
        model: name of a shipped model, or a run or model folder.

    Returns:
        The number of rows.

    Raises:
        ConfigError: no keys, `out` is there already, or Ray is not installed.
        InputError: there is no parquet file, one is damaged or has no rows, lacks a key or has no feature.
    """
    if not keys:
        raise ConfigError(
            "Name the columns that tell whose answer is whose: --keys. The order of the rows is not kept."
        )
    target = Path(out).resolve()
    if target.exists():
        raise ConfigError(f"{out} is already there: choose another folder, or remove it.")
    paths = _parquet_files([Path(file) for file in files])
    n_rows = sum(pq.read_metadata(path).num_rows for path in paths)
    if not n_rows:
        raise InputError(f"{files[0]} has no rows.")
    predictor = ClickPredictor.from_pretrained(model)  # what is wrong with a model is said before anything starts
    assert predictor.folder is not None
    held = (predictor.folder.resolve(), tuple(keys))
    partial = target.with_name(f".{target.name}.partial-{uuid.uuid4().hex[:8]}")
    try:
        with ray_data() as data:
            rows = data.read_parquet(paths)
            answers = rows.map_batches(
                _Scorer, batch_size=_BATCH_ROWS, batch_format="pyarrow", fn_constructor_args=held
            )
            answers.write_parquet(str(partial), compression="zstd")
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return n_rows


def _parquet_files(paths: Sequence[Path]) -> list[str]:
    """All of them as other machines find them."""
    found = [file for path in paths for file in (sorted(path.rglob("*.parquet")) if path.is_dir() else [path])]
    if not found:
        raise InputError(f"There is no parquet file in {paths[0]}.")
    for file in found:
        if not file.is_file():
            raise InputError(f"There is no file {file}.")
        if not isinstance(open_log(file), ParquetLog):
            raise InputError(f"{file} is no parquet file, and `score` reads nothing else.")
    return [str(file.resolve()) for file in found]


def score(app: App, config: ScoreConfig) -> None:
    """The `score` verb."""
    del app
    rows = score_files(config.files, config.out, config.keys, config.model)
    print(f"{config.out} holds the click probabilities of {rows} impressions.")
