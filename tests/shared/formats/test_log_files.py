"""Files of logs: text and parquet as streams, packed or not, with or without a header."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import InputError
from shared.formats import log_files
from shared.formats.log_files import ParquetLog, TextLog, open_log

TEXT = 'id,price,site\n1,2.5,a\n2,,"b,c"\n007,null,ü\n'


def written(folder: Path, content: str | bytes, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "pack",
    [
        lambda text: text,
        gzip.compress,
        bz2.compress,
        lambda text: gzip.compress(text[:20]) + gzip.compress(text[20:]),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.rstrip(b"\n"),
    ],
)
def test_text_is_read_as_text(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    log = open_log(written(tmp_path, pack(TEXT.encode()), "log.bin"))
    assert isinstance(log, TextLog)
    assert log.columns == ("id", "price", "site")
    (table,) = log.batches(["site", "id"])
    assert table.to_pydict() == {"site": ["a", "b,c", "ü"], "id": ["1", "2", "007"]}


def test_a_quoted_cell_may_hold_line_ends(tmp_path: Path) -> None:
    log = open_log(written(tmp_path, 'a,b\n"1\n2","say ""x"""\n'))
    assert next(log.batches(["a", "b"])).to_pydict() == {"a": ["1\n2"], "b": ['say "x"']}


def test_kinds_are_told_by_the_first_rows(tmp_path: Path) -> None:
    head = open_log(written(tmp_path, TEXT)).head()
    assert head.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert open_log(written(tmp_path, "a,b\n")).head().num_rows == 0
    assert list(open_log(written(tmp_path, "a,b\n")).batches(["a"])) == []


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_other_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    log = open_log(written(tmp_path, delimiter.join("ab") + "\n" + delimiter.join(['"x', '"y"']) + "\n"))
    if delimiter == "\t":  # never quoted
        assert next(log.batches(["a", "b"])).to_pydict() == {"a": ['"x'], "b": ['"y"']}
    assert log.columns == ("a", "b")


def test_without_a_header_names_are_given_or_told_by_the_first_line(tmp_path: Path) -> None:
    path = written(tmp_path, "1,x\n2,y\n")
    for log in (open_log(path, ["n", "w"]), open_log(path, (), lambda line, n: ["n", "w"] if line == "1,x" else [])):
        assert next(log.batches(["n", "w"])).to_pydict() == {"n": ["1", "2"], "w": ["x", "y"]}
    with_header = open_log(written(tmp_path, "n,w\n1,x\n"), ["n", "w"])
    assert next(with_header.batches(["n"])).to_pydict() == {"n": ["1"]}
    with pytest.raises(InputError, match="has 2 columns, the schema names 1"):
        open_log(path, ["n"])


def test_a_long_file_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "_BLOCK_BYTES", 1000)
    log = open_log(written(tmp_path, "n\n" + "".join(f"{n}\n" for n in range(2000))))
    tables = list(log.batches(["n"]))
    assert len(tables) > 5
    assert [int(n) for table in tables for n in table["n"].to_pylist()] == list(range(2000))


def test_parquet_comes_in_pieces_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "_BATCH_ROWS", 7)
    pq.write_table(pa.table({"n": range(20), "w": ["a"] * 20}), tmp_path / "log.txt")
    log = open_log(tmp_path / "log.txt")
    assert isinstance(log, ParquetLog)
    assert log.columns == ("n", "w")
    assert [table["n"].to_pylist() for table in log.batches(["n"])] == [[*range(7)], [*range(7, 14)], [*range(14, 20)]]
    assert log.head().num_rows == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\x00\x01\x02", "no table of text"),
        (b"\xff\xfe\n", "no UTF-8 text"),
        (b"PK\x03\x04", "zip archive: unpack it"),
        (b"a,b\n1,2\n1,2,3\n", r"Expected 2 columns, got 3"),
        (b"a,b\n1,\xff\n", "UTF8"),
        (b"a,a\n1,2\n", "column 'a' twice"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 5000)[:-30], "cannot be read|no UTF-8"),
        (b"PAR1 and no more", "no readable parquet"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        list(open_log(path).batches(["a", "b"]))
    assert str(path) in str(caught.value)
