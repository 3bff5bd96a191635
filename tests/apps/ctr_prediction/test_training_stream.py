"""Who reads which training rows when, and that it makes no difference how many processes share them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from apps.ctr_prediction.app import APP
from apps.ctr_prediction.config import ReadingConfig
from apps.ctr_prediction.data import ClickBatch, ImpressionLog, TrainingStream
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from shared.checkpoint import load_checkpoint, load_weights
from shared.errors import ConfigError, InputError
from shared.prepared import Column, PreparedSet, PreparedWriter
from tests.apps.ctr_prediction.dealt_log import GROUP, NAME, write_dealt
from tests.apps.ctr_prediction.quick import QUICK, ask
from tests.conftest import REPOSITORY
from tests.toys.made_sets import volumes

ROWS, BATCH = 10 * GROUP + 30, 48
KEYS = (Column("row", "integer", "key"), Column("block", "category", "group"))
CLICK = Column("click", "integer", "label")
NAMED = FeatureConfig(include=(), forced=(NAME,), min_count=1)


@pytest.fixture(scope="module")
def dealt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dealt(tmp_path_factory.mktemp("dealt") / "set", ROWS)


@pytest.fixture(scope="module")
def log(dealt: Path) -> ImpressionLog:
    return ImpressionLog(PreparedSet(dealt))


@pytest.fixture(scope="module")
def table(log: ImpressionLog) -> pa.Table:
    return pa.concat_tables(log.batches(ROWS, None))


@pytest.fixture(scope="module")
def named(log: ImpressionLog, table: pa.Table) -> RowEncoder:
    """Each row has an id of its own."""
    return RowEncoder.fit(log.schema, [table], NAMED)


class Reader:
    """Streams over the log that tell rows by their numbers."""

    def __init__(self, log: ImpressionLog, table: pa.Table, named: RowEncoder) -> None:
        self.log, self.named, self.clicks = log, named, table["click"].to_numpy()
        ids = named.encode(table).ids[:, 0]
        self.row_of = np.full(ids.max() + 1, -1)
        self.row_of[ids] = np.arange(ROWS)

    def stream(self, *, seed: int = 0, where=None, **reading: int | None) -> TrainingStream:
        config = ReadingConfig(**{"batch_rows": BATCH, "shuffle_rows": None, **reading})
        return TrainingStream(self.log, (self.named,), config, where, seed)

    def rows(self, batches: Sequence[ClickBatch]) -> list[int]:
        """Row numbers in the order of the batches, whose clicks are those of the rows."""
        rows = self.row_of[torch.cat([batch.inputs[0][:, 0] for batch in batches]).numpy()]
        np.testing.assert_array_equal(torch.cat([batch.clicks for batch in batches]).numpy(), self.clicks[rows])
        return rows.tolist()

    def epoch(self, stream: TrainingStream, epoch: int = 0, rank: int = 0, world_size: int = 1) -> list[int]:
        return self.rows(list(stream.batches(epoch, rank, world_size)))


@pytest.fixture(scope="module")
def reader(log: ImpressionLog, table: pa.Table, named: RowEncoder) -> Reader:
    return Reader(log, table, named)


@pytest.mark.parametrize("shuffle", [None, 7, 100, 10**6])
def test_one_process_sees_every_row_once(reader: Reader, shuffle: int | None) -> None:
    stream = reader.stream(shuffle_rows=shuffle)
    batches = list(stream.batches(2, 0, 1))
    assert len(batches) == stream.steps(1) == -(-ROWS // BATCH)
    assert [len(batch.clicks) for batch in batches] == [BATCH] * (ROWS // BATCH) + [ROWS % BATCH]
    assert sorted(reader.rows(batches)) == list(range(ROWS))


def test_the_order_of_the_log_can_be_kept(reader: Reader) -> None:
    for epoch in (0, 3):
        assert reader.epoch(reader.stream(), epoch) == list(range(ROWS))


def test_rows_are_shuffled_within_a_window(reader: Reader) -> None:
    rows = np.array(reader.epoch(reader.stream(shuffle_rows=100)))
    assert (np.diff(rows) != 1).mean() > 0.9
    np.testing.assert_array_equal(rows // 100, np.arange(ROWS) // 100)


def test_the_order_depends_on_seed_epoch_and_rank_alone(reader: Reader) -> None:
    def rows(seed: int, epoch: int, rank: int) -> list[int]:
        return reader.epoch(reader.stream(seed=seed, shuffle_rows=100), epoch, rank, 2)

    first = rows(0, 1, 0)
    reader.epoch(reader.stream(shuffle_rows=100), 0)  # what went before does not matter
    torch.manual_seed(9)
    assert rows(0, 1, 0) == first
    assert first not in (rows(1, 1, 0), rows(0, 2, 0), rows(0, 1, 1))


@pytest.mark.parametrize("shuffle", [None, 100])
def test_two_processes_see_all_rows_in_batches_of_one_size(reader: Reader, shuffle: int | None) -> None:
    stream = reader.stream(shuffle_rows=shuffle)
    shares = [list(stream.batches(0, rank, 2)) for rank in range(2)]
    assert {len(share) for share in shares} == {stream.steps(2)}
    assert {len(batch.clicks) for share in shares for batch in share} == {BATCH}
    rows = [set(reader.rows(share)) for share in shares]
    assert rows[0] | rows[1] == set(range(ROWS))
    assert not rows[0] & rows[1]
    assert {row // GROUP % 2 for row in rows[1]} == {1}


@pytest.mark.parametrize("world_size", [1, 2])
def test_slices_go_on_where_the_last_one_ended(reader: Reader, world_size: int) -> None:
    stream = reader.stream(epoch_rows=200)
    steps = stream.steps(world_size)
    assert steps == 5
    own = (
        reader.epoch(reader.stream(), 0, 0, 1)
        if world_size == 1
        else sorted(set(reader.epoch(reader.stream(), 0, 1, 2)))
    )
    taken = [reader.epoch(stream, epoch, world_size - 1, world_size) for epoch in range(5)]
    assert [len(rows) for rows in taken] == [steps * BATCH] * 5
    expected = np.resize(own, 5 * steps * BATCH).tolist()  # again and again
    assert [row for rows in taken for row in rows] == expected


def test_a_shuffled_slice_has_the_rows_of_the_plain_one(reader: Reader) -> None:
    for epoch in (0, 3):  # the last one goes over the end of the log
        plain = reader.epoch(reader.stream(epoch_rows=200), epoch)
        shuffled = reader.epoch(reader.stream(epoch_rows=200, shuffle_rows=10**6), epoch)
        assert sorted(shuffled) == sorted(plain)
        assert shuffled != plain


def test_only_rows_of_the_split_are_read(reader: Reader, table: pa.Table) -> None:
    kept = ("c0 day 1", "c2 day 3")
    expected = [row for row, block in enumerate(table["block"].to_pylist()) if block in kept]
    stream = reader.stream(where=("block", kept))
    assert reader.epoch(stream) == expected
    assert stream.steps(1) == -(-len(expected) // BATCH)


def test_a_process_without_rows_is_named(reader: Reader) -> None:
    with pytest.raises(InputError, match="Process 11 of 12 has no training rows"):
        reader.stream().steps(12)


def test_the_rates_of_a_row_leave_its_own_unit_out(log: ImpressionLog, table: pa.Table) -> None:
    configs = [FeatureConfig(target_rates=True, rate_unit=unit, multi_valued=False) for unit in ("block", "campaign")]
    encoders = [RowEncoder.fit(log.schema, [table], config) for config in configs]
    reading = ReadingConfig(batch_rows=10 * ROWS, shuffle_rows=None)
    (batch,) = TrainingStream(log, encoders, reading, None, 0).batches(0, 0, 1)
    for place, encoder in enumerate(encoders):
        ids, dense = batch.inputs[2 * place : 2 * place + 2]
        expected = encoder.encode(table, rates_without=encoder.rate_fold(table))
        np.testing.assert_array_equal(ids, expected.ids)
        np.testing.assert_array_equal(dense, expected.dense)
        assert not np.array_equal(dense, encoder.encode(table).dense)


def test_a_batch_does_not_depend_on_what_was_read_beside_it(log: ImpressionLog, table: pa.Table) -> None:
    """Bags end with the longest one of the batch, not of the rows that were read together."""
    encoder = RowEncoder.fit(log.schema, [table], FeatureConfig())
    streams = [
        TrainingStream(log, (encoder,), ReadingConfig(batch_rows=8, shuffle_rows=rows), None, 0) for rows in (8, None)
    ]
    alone, together = ([batch.inputs[2] for batch in stream.batches(0, 0, 1)] for stream in streams)
    assert len({bag.shape[1] for bag in together}) > 1
    for bag, other in zip(alone, together, strict=True):
        assert bag.shape == other.shape
        torch.testing.assert_close(bag.sort(dim=0).values, other.sort(dim=0).values)
        assert bag[:, -1].any() or bag.shape[1] == 1


def test_a_set_without_impressions_is_no_click_log(tmp_path: Path) -> None:
    volumes(tmp_path / "set")
    with pytest.raises(InputError, match="no click log"):
        ImpressionLog(PreparedSet(tmp_path / "set"))
    about = {"title": "t", "source": "s", "licence": "CC0-1.0"}
    for name, schema in (("label", [*KEYS, Column("colour", "category", "context")]), ("row", [KEYS[1], CLICK])):
        with PreparedWriter(tmp_path / name, name=name, **about) as writer:
            columns = {column.name: [0] if column.kind == "integer" else ["a"] for column in schema}
            writer.table("impressions", schema).write(pa.table(columns))
        with pytest.raises(InputError, match=f"lacks .*{name}"):
            ImpressionLog(PreparedSet(tmp_path / name))


def test_accumulated_batches_are_refused() -> None:
    assert ask("train", *QUICK, "--data", "x", "--out", "y", "--fit.accumulate", "2") == 2
    with pytest.raises(ConfigError, match=r"reading\.batch_rows"):
        ReadingConfig(batch_rows=0)


IN_ORDER = (*QUICK, "--split.test", "null", "--reading.shuffle_rows", "null")
BOTH_NETWORKS = (
    *IN_ORDER,
    "--new_campaign.apply",
    "true",
    "--new_campaign.network.deep",
    "[8]",
    "--features.target_rates",
    "true",
)


@pytest.mark.slow
def test_two_processes_train_like_one(tmp_path: Path) -> None:
    """Batches of one row group each: together the two processes have at each step what the one has."""
    data = write_dealt(tmp_path / "set", 12 * GROUP)
    flags = (*BOTH_NETWORKS, "--data", str(data), "--reading.batch_rows")
    words = ["train", *flags, str(GROUP), "--out", str(tmp_path / "two"), "--fit.devices", "2"]
    subprocess.run([sys.executable, "-m", APP.package, *words], cwd=REPOSITORY, check=True, timeout=240)
    assert ask("train", *flags, 2 * GROUP, "--out", tmp_path / "one") == 0
    one, two = (load_checkpoint(tmp_path / name / "last.ckpt") for name in ("one", "two"))
    torch.testing.assert_close(two["model"], one["model"], rtol=0, atol=1e-5)
    for made, expected in zip(two["optimizers"], one["optimizers"], strict=True):
        torch.testing.assert_close(made["state"], expected["state"], rtol=1e-4, atol=1e-5)
    for line, expected in zip(two["history"], one["history"], strict=True):
        assert line["terms"] == pytest.approx(expected["terms"], abs=1e-3)
    assert (tmp_path / "two" / "model" / "card.json").is_file()


def test_slices_resumed_are_slices_never_interrupted(dealt: Path, tmp_path: Path) -> None:
    flags = ("train", *QUICK, "--data", dealt, "--reading.epoch_rows", "250", "--reading.shuffle_rows", "100")
    assert ask(*flags, "--out", tmp_path / "whole", "--fit.epochs", "4") == 0
    assert ask(*flags, "--out", tmp_path / "parts", "--fit.epochs", "2") == 0
    assert ask(*flags, "--out", tmp_path / "parts", "--fit.epochs", "4", "--resume", "true") == 0
    whole, parts = (load_weights(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "parts"))
    assert any(name.startswith("ftrl.") for name in whole)
    torch.testing.assert_close(parts, whole, rtol=0, atol=0)
