"""Raw logs of the iPinYou contest in small: bid ids that repeat, line ends, clicks and conversions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_prep.click_joins import repeated_hashes
from data_prep.click_set import prepare
from data_prep.ctr_prediction import CtrConfig
from shared.errors import InputError
from shared.prepared import PreparedSet
from shared.table import concatenate

pytestmark = pytest.mark.filterwarnings("ignore:columns that the schema")


def line(bid: int, logtype: int, minute: int = 0, advertiser: str = "1458", tags: str = "10006,10110") -> str:
    time = f"201306{6 + bid % 2:02d}12{minute:02d}00123"
    where = ["1", "2", "3", "d", "u", "null", "s", "300", "250", "FirstView", "Na", "5", "c"]
    cells = [f"{bid:032x}", time, str(logtype), "u1", 'Mozilla/4.0 ("x")', "1.2.3.*", *where, "300", "70", "null"]
    cells += [advertiser, tags]
    return "\t".join(cells)


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """Impressions 0 to 9, 3 of them twice; clicks of 3, 3, 4 and one unseen; a conversion of 4; a code table."""
    folder = tmp_path / "season"
    folder.mkdir()
    impressions = [line(bid, 1, advertiser="1458" if bid < 5 else "3358") for bid in range(10)]
    (folder / "imp.20130606.txt").write_text("\n".join([*impressions[:6], line(3, 1, minute=9), line(4, 1, minute=8)]))
    (folder / "imp.20130607.txt").write_text("\n".join([line(3, 1, minute=7), *impressions[6:]]) + "\n")
    (folder / "clk.20130606.txt").write_text("\r\n".join(line(bid, 2, tags="null") for bid in (3, 3, 4, 99)) + "\r\n")
    (folder / "conv.20130606.txt").write_text(line(4, 3) + "\n")
    (folder / "city.en.txt").write_text("0\tunknown\n")
    return folder


def test_impressions_come_once_with_their_clicks(season: Path, tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match="3 impressions repeat a bid id .* 2 of 3 clicks met .* 1 of 1 conversions met"
    ):
        prepare([season], tmp_path / "set", CtrConfig())
    prepared = PreparedSet(tmp_path / "set")
    assert prepared.verify() == []
    log = concatenate(list(prepared.table("impressions").batches(100)))
    assert [int(bid, 16) for bid in log["bidid"]] == list(range(10))
    assert log["click"].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert log["conversion"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert log["time"][3] == np.datetime64("2013-06-07T12:00:00.123")  # the first of the repeated rows stays
    assert log["useragent"][0] == 'Mozilla/4.0 ("x")'
    assert log["slotformat"][0] == "Na"
    assert [log["slotprice"][0], log["payprice"][0], log["usertag"][0].tolist()] == [5.0, 70.0, ["10006", "10110"]]
    roles = {column.name: column.role for column in prepared.table("impressions").schema}
    assert {name for name, role in roles.items() if role == "leak"} == {"bidprice", "payprice", "conversion"}
    assert {name for name, role in roles.items() if role == "key"} == {"bidid", "userid", "row"}
    assert "logtype" not in roles
    assert prepared.splits == ("days", "folds", "later", "leave-advertiser-out")


def test_clicks_and_impressions_are_both_needed(season: Path, tmp_path: Path) -> None:
    for name, absent in (("imp.20130606.txt", "clicks"), ("clk.20130606.txt", "impressions")):
        with pytest.raises(InputError, match=f"no {absent}: give imp"):
            prepare([season / name], tmp_path / "set", CtrConfig())
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"is a raw iPinYou log and .*other\.csv is not"):
        prepare([season / "imp.20130606.txt", other], tmp_path / "set", CtrConfig())
    (season / "bid.txt").write_text(line(1, 0))
    with pytest.raises(InputError, match="logtype '0'; expected 1, 2 or 3"):
        prepare([season / "bid.txt", season / "imp.20130606.txt"], tmp_path / "set", CtrConfig())


def test_repeated_texts_are_found_across_pieces() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3000, 2000)
    pieces = [
        pa.chunked_array([pa.array([f"{n:032x}" for n in numbers[start : start + 300]])])
        for start in range(0, 2000, 300)
    ]
    values, counts = np.unique(numbers, return_counts=True)
    expected = {hash(f"{n:032x}") & (2**63 - 1) for n in values[counts > 1]}
    assert set(repeated_hashes(pieces).tolist()) == expected
