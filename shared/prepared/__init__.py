"""Prepared sets: the one form in which data reach an app, whatever they were before.

A folder:

    dataset.json                      what it is: title, source, licence, units, groups, SHA-256 of the files below
    index.parquet                     one row per item, one column per grouping (patient, speaker, scene ...)
    arrays/FIELD.npy                  kind "array": (items, *shape), memory-mapped
    ragged/FIELD.values.npy           kind "ragged": the values of all items, one after the other
    ragged/FIELD.offsets.npy          where each item's values start, int64 (items + 1,)
    ragged/FIELD.shapes.npy           the shape of each item, int64 (items, dimensions), where there are 2 or more
    files/FIELD/...                   kind "file": decoded by the app; path and SHA-256 stand in the index
    tables/FIELD/part-*.parquet       kind "table": rows of their own, as many as there are, read as a stream
    tables/FIELD/schema.yaml          what the columns of a table are
    splits/NAME.json                  who is trained on and who is held out (`shared.splits`)

Everything is written once, by `PreparedWriter`, and read by `PreparedSet`; both keep memory flat however large the set.
"""

from shared.prepared.column import Column
from shared.prepared.dataset import PreparedSet
from shared.prepared.manifest import FORMAT_VERSION, FieldSpec, Manifest
from shared.prepared.table import TableField
from shared.prepared.table_writer import TableWriter
from shared.prepared.writer import PreparedWriter

__all__ = [
    "FORMAT_VERSION",
    "Column",
    "FieldSpec",
    "Manifest",
    "PreparedSet",
    "PreparedWriter",
    "TableField",
    "TableWriter",
]
