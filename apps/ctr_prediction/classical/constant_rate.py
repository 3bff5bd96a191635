"""What needs no model: the click rate of the group (the campaign), the same for all of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.ctr_prediction.classical.stored import read_settings
from apps.ctr_prediction.classical.training_rows import Rows, clicks_of, label_of
from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.selection import campaign_columns
from shared.atomic import write_json
from shared.prepared import Column

__all__ = ["ConstantRate"]

FloatArray = npt.NDArray[np.float64]
FILE = "rates.json"
SMOOTHING = 20.0


class ConstantRate:
    """The smoothed click rate of each group; of groups that were never seen, and without a group, that of all rows.

    Args:
        group: the column; None for one rate of all rows.
        rates: of each group, by its name as text.
        overall: of all rows.
    """

    def __init__(self, group: str | None, rates: dict[str, float], overall: float) -> None:
        self.group, self.rates, self.overall = group, rates, overall

    @classmethod
    def fit(cls, schema: Sequence[Column], training: Rows, features: FeatureConfig, seed: int) -> Self:
        """Count rows and clicks of each group in one pass; a rate is (clicks + 20 p) / (rows + 20), p that of all."""
        label, group = label_of(schema), next(iter(campaign_columns(schema)), None)
        rows: Counter[str] = Counter()
        clicks: Counter[str] = Counter()
        n_rows = n_clicks = 0
        for table in training():
            clicked = pc.equal(table[label].cast(pa.int64()), 1)
            n_rows, n_clicks = n_rows + table.num_rows, n_clicks + int(clicks_of(table, label).sum())
            if group is not None:
                names = _names(table, group)
                rows.update(_counted(names))
                clicks.update(_counted(names.filter(clicked)))
        overall = n_clicks / n_rows
        rates = {name: (clicks[name] + SMOOTHING * overall) / (count + SMOOTHING) for name, count in rows.items()}
        return cls(group, rates, overall)

    def probability(self, table: pa.Table) -> FloatArray:
        """(n,) click rate of the group of each row."""
        if self.group is None or self.group not in table.column_names or not self.rates:
            return np.full(table.num_rows, self.overall)
        place = pc.index_in(_names(table, self.group), value_set=pa.array(list(self.rates), pa.string()))
        rates = pa.array(list(self.rates.values())).take(place.combine_chunks())
        return np.asarray(rates.fill_null(self.overall).to_numpy(zero_copy_only=False), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write rates.json into the folder."""
        write_json(folder / FILE, {"group": self.group, "overall": self.overall, "rates": self.rates})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError where it is missing or damaged."""
        stored = read_settings(folder / FILE, "group", "rates", "overall")
        return cls(stored["group"], stored["rates"], stored["overall"])


def _names(table: pa.Table, group: str) -> pa.ChunkedArray:
    return table[group].cast(pa.string()).fill_null("")


def _counted(names: pa.ChunkedArray) -> dict[str, int]:
    return {pair["values"]: pair["counts"] for pair in pc.value_counts(names).to_pylist()}
