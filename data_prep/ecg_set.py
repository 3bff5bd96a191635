"""Databases of labelled ECG to a prepared set of windows with its splits (see `ecg_shock` for what is in it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.ecg_databases import Database, find_databases
from data_prep.ecg_patients import patient_of, read_groups
from data_prep.ecg_rhythms import read_table_rows
from data_prep.ecg_shock import CITATION, SOURCE, EcgShockConfig
from data_prep.ecg_windows import LabelledRecord, Row, cut
from shared.errors import InputError
from shared.prepared import FieldSpec, PreparedWriter
from shared.progress import counted
from shared.splits import Split, make_group_folds
from shared.table import Table

__all__ = ["ECG_FIELD", "Origin", "prepare", "write_prepared"]

ECG_FIELD = FieldSpec(
    name="ecg",
    kind="ragged",
    dtype="float32",
    shape=(None, None),
    unit="mV",
    description="(samples at the record's own rate, leads); NaN where a sample is missing",
)


PHYSIONET = ("vfdb", "cudb", "mitdb")
"""Databases whose licence is known."""


@dataclass(frozen=True)
class Origin:
    """What the manifest says about where the records come from."""

    title: str
    source: str
    licence: str
    citation: str = ""
    synthetic: bool = False


def prepare(paths: Sequence[Path], out: Path, config: EcgShockConfig) -> None:
    """Prepare databases of WFDB records, in either layout that `ecg_shock` describes.

    Args:
        paths: folders of databases.
        out: folder to create.
        config: how to cut and to deal.

    Raises:
        InputError: no records, no labels, damaged files.
        ConfigError: `out` is not empty, or a database asked for is not there.
    """
    databases = find_databases(paths, config.databases)
    names = ", ".join(database.name for database in databases)
    citation = CITATION if any(database.name in PHYSIONET for database in databases) else ""
    licence = config.licence or _licence(databases)
    write_prepared(databases, out, config, Origin(SOURCE.title, f"WFDB databases {names}", licence, citation))


def _licence(databases: Sequence[Database]) -> str:
    """What is known of the licence: that of PhysioNet's three databases, as long as their own annotations are used."""
    unknown = [database.name for database in databases if database.name not in PHYSIONET]
    tabled = [d.name for d in databases if not all(path.with_suffix(".atr").is_file() for path in d.records())]
    parts = [] if len(unknown) == len(databases) else [SOURCE.licence]
    parts += [f"{', '.join(unknown)}: not stated"] if unknown else []
    parts += [f"label table of {', '.join(tabled)}: no licence established"] if tabled else []
    return "; ".join(parts)


def write_prepared(databases: Sequence[Database], out: Path, config: EcgShockConfig, origin: Origin) -> None:
    """Write the prepared set. Records are read twice, for labels and then for windows, to keep memory flat."""
    groups = read_groups(config.groups)
    rows: dict[Path, list[Row]] = {}
    for database in databases:
        for path in counted(database.records(), f"labels of {database.name}"):
            patient = patient_of(database.name, path.name, groups)
            rows[path] = LabelledRecord.read(database.name, path, patient).windows(config)
    index = _index(rows)
    folds = _patient_folds(index, databases, config)
    with PreparedWriter(
        out, name=SOURCE.name, groups=("patient",), created_by="data_prep.ecg_set", **asdict(origin)
    ) as writer:
        writer.declare(ECG_FIELD)
        for path in counted(list(rows), "windows"):
            for row, ecg in cut(path, rows[path]):
                writer.add({"ecg": ecg}, **row, fold=folds.assignment[row["patient"]])
        writer.add_split(folds)
        writer.add_split(_leaky_folds(index["item"], config))


def _index(rows: Mapping[Path, Sequence[Row]]) -> dict[str, npt.NDArray[np.generic]]:
    """The columns that folds are made of. Raises InputError where there is no window at all."""
    windows = [row for record in rows.values() for row in record]
    if not windows:
        raise InputError("No stretch of one rhythm is as long as a window; choose shorter windows or other records.")
    return {
        name: np.array([row[name] for row in windows], dtype=object)
        for name in ("item", "patient", "db", "record", "cls")
    }


def _patient_folds(index: Table, databases: Sequence[Database], config: EcgShockConfig) -> Split:
    """The folds that records.csv gives where it knows every record; otherwise stratified ones made here."""
    given = {
        (row["db"], row["record"]): int(row["fold"])
        for database in databases
        for row in read_table_rows(database.folder, "records.csv")
        if row.get("fold")
    }
    keys = list(zip(index["db"], index["record"], strict=True))
    if all(key in given for key in keys):
        assignment = {str(patient): given[key] for patient, key in zip(index["patient"], keys, strict=True)}
        return Split("folds", "patient", assignment, "patient-wise folds given with the data (records.csv)")
    return make_group_folds(index, "patient", config.folds, stratify="cls", seed=config.seed, name="folds")


def _leaky_folds(items: npt.NDArray[np.generic], config: EcgShockConfig) -> Split:
    """Windows dealt at random, so that every patient is on both sides: what a random split pretends."""
    order = np.random.default_rng(config.seed).permutation(len(items))
    assignment = {str(items[position]): int(rank % config.folds) for rank, position in enumerate(order)}
    return Split("leaky-random", "item", assignment, "windows at random; patients are on both sides", cuts=("patient",))
