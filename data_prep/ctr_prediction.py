"""Click logs of ad impressions: iPinYou, Avazu, Criteo, or any CSV, TSV or parquet that a schema file describes.

What is read (packed by gzip, bzip2 or zstd, or not):

- raw logs of the iPinYou contest (24 columns, no header): impressions, clicks and conversions, joined by bid id;
- iPinYou as others packed it: with a header, from `make-ipinyou-data` or with the columns date and hour;
- Criteo (label, 13 numbers, 26 categories, no header) and Avazu (header, hour as YYMMDDHH);
- any other table, with `--schema schema.yaml`: a kind and a role for each column (data_prep/README.md).

The set has one table, "impressions": the columns that the schema names, and those made here:

- `row`, number of the row;
- `day` and `hour_of_day` where there is a time;
- `block`, what no split cuts: a day of a campaign (columns of role group, joined with the day). A log of one day and
  campaign has its hours instead; one without time and campaign one of 1,000 parts of its users, or of its rows.

The traps of these logs, and what is done about each:

1. Rows of one day and campaign are alike, some are the same row twice: a random split lets a model recognise them.
2. Bid ids repeat in the raw files, in rows that differ by a time stamp: the first one stays.
3. payprice and bidprice are known after the auction only, or are the logger's decision: role leak, never a feature.
4. weekday: under a split by date most test weekdays were never seen; it is left out. hour is kept as hour_of_day.
5. Users do not repeat in iPinYou (15,308 in 15,316 rows): userid is a key. Three of four pages (url) are new on a later
   day: url stays a feature, and models must cope with values they have not seen.
6. "null" and "Na" are words, not empty cells: they stay as they are in categories.
7. Kept non-clicks stand for many (1 in 112.238 in the packaged iPinYou): the column of role weight undoes it.
8. User tags of season 2 give clicks away (1458 with tag 11278: 256 of 258): to be reported with and without tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_prep.contract import Source
from shared.errors import ConfigError

__all__ = ["SOURCE", "CtrConfig"]


@dataclass(frozen=True)
class CtrConfig:
    """What the columns are, and how the rows are dealt."""

    schema: Path | None = None
    """YAML file with the kind and the role of each column; not needed for iPinYou, Avazu and Criteo."""
    folds: int = 5
    """Number of folds of the splits `folds` and `days`; fewer where there are fewer days."""
    licence: str | None = None
    """Licence of the log; by default what its schema says, else "not stated"."""

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise ConfigError(f"folds is {self.folds}; expected at least 2.")


SOURCE = Source(
    name="ctr_prediction",
    title="Click logs of ad impressions: iPinYou, Avazu, Criteo, or any table with a schema file",
    licence="as the log's owner says",
    prepare="data_prep.click_set:prepare",
    config="data_prep.ctr_prediction:CtrConfig",
    synth="data_prep.synth.ctr_prediction:prepare",
    implied_by="schema",
)
