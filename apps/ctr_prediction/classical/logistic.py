"""Logistic regression on the ids of a row, with or without crosses: learnt from a stream of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit

from apps.ctr_prediction.classical.lr_ftrl import STATE, FtrlLogistic, FtrlRates
from apps.ctr_prediction.classical.stored import damaged, read_columns, read_settings, write_columns
from apps.ctr_prediction.classical.training_rows import BlockFolds, Rows, clicks_of, label_of, sample
from apps.ctr_prediction.features.encoded import Encoded
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.row_encoder import RowEncoder
from shared.atomic import write_json
from shared.prepared import Column
from shared.prepared.table import RowBuffer

__all__ = ["LrFtrl", "LrFtrlCrossed"]

FloatArray = npt.NDArray[np.float64]

SETTINGS, WEIGHTS = "lr_ftrl.json", "weights.parquet"
MOST_PASSES = 4
CHOICE_ROWS = 500_000
SHUFFLED_ROWS = 1 << 16
"""Rows that are mixed before they are learnt: logs are sorted, and a batch of one hour and campaign misleads."""


class LrFtrl:
    """Logistic regression by FTRL-Proximal.

    Args:
        encoder: of the rows, without target rates.
        label: the column of the clicks.
    """

    crossed: ClassVar[bool] = False

    def __init__(self, encoder: RowEncoder, label: str) -> None:
        self.encoder, self.label = encoder, label
        self.model = FtrlLogistic(encoder.n_rows, encoder.n_dense, FtrlRates())

    @classmethod
    def fit(cls, schema: Sequence[Column], training: Rows, features: FeatureConfig, seed: int) -> Self:
        """Choose 1 to 4 passes on blocks left out (of 500,000 rows at most), then learn from all rows in a stream.

        Where all rows are of one block there is nothing to choose on, and one pass is made.

        Args:
            schema: of the rows.
            training: the rows.
            features: which columns, and how their values become ids; no target rates, whatever it says.
            seed: of the order inside 65,536 rows.
        """
        label, features = label_of(schema), replace(features, target_rates=False, campaign_crosses=cls.crossed)
        shown = sample(training, CHOICE_ROWS, seed)
        losses = np.zeros(MOST_PASSES)
        for learnt, left_out in BlockFolds.of(shown, label).parts(shown):
            model = cls(RowEncoder.fit(schema, learnt(), features), label)
            for passed in range(MOST_PASSES):
                model.learn(learnt, seed + passed)
                losses[passed] += sum(map(model.loss, left_out()))
        model = cls(RowEncoder.fit(schema, training(), features), label)
        for passed in range(int(np.argmin(losses)) + 1):
            model.learn(training, seed + passed)
        return model

    def learn(self, rows: Rows, seed: int) -> None:
        """One more pass over rows with a column of clicks."""
        rng = np.random.default_rng(seed)
        buffer = RowBuffer(SHUFFLED_ROWS)
        for table in rows():
            for piece in buffer.push(table):
                self._learn(piece, rng)
        for piece in buffer.rest():
            self._learn(piece, rng)

    def _learn(self, table: pa.Table, rng: np.random.Generator) -> None:
        order = rng.permutation(table.num_rows)
        encoded = self.encoder.encode(table).take(order)
        self.model.learn(*_inputs(encoded), clicks_of(table, self.label)[order])

    def loss(self, table: pa.Table) -> float:
        """The log loss of rows with a column of clicks, summed."""
        logit = self._logit(table)
        return float(np.sum(np.logaddexp(0.0, logit) - clicks_of(table, self.label) * logit))

    def probability(self, table: pa.Table) -> FloatArray:
        """(n,) probability of a click, at the click rate of the training rows."""
        return np.asarray(expit(self._logit(table)))

    def _logit(self, table: pa.Table) -> FloatArray:
        return self.model.logit(*_inputs(self.encoder.encode(table)))

    def save(self, folder: Path) -> None:
        """Write lr_ftrl.json, weights.parquet (with the state of FTRL, so that it can learn on) and the encoder."""
        write_json(folder / SETTINGS, {"label": self.label})
        write_columns(folder / WEIGHTS, self.model.state())
        self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError where it is missing or damaged."""
        fitted = cls(RowEncoder.load(folder), read_settings(folder / SETTINGS, "label")["label"])
        try:
            fitted.model.restore(read_columns(folder / WEIGHTS, STATE))
        except IndexError as error:
            raise damaged(folder / WEIGHTS, error) from error
        return fitted


class LrFtrlCrossed(LrFtrl):
    """The same with a weight for every pair of a campaign and a user tag; without tags it is the same altogether."""

    crossed = True


def _inputs(encoded: Encoded) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """(n, T) all ids of a row, those of bags among them, padded with 0; and its numbers (n, D)."""
    return np.concatenate([encoded.ids, *encoded.bags], axis=1), encoded.dense.astype(np.float64)
