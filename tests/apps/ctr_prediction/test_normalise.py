from __future__ import annotations

import pyarrow as pa
import pytest

from apps.ctr_prediction.features.columns import FEW, read_texts
from apps.ctr_prediction.features.normalise import field_name, normalise, os_browser, two_octets, whole_numbers
from apps.ctr_prediction.features.reading import TableReader
from apps.ctr_prediction.features.selection import CROSSED
from shared.prepared import Column


def _as_text(values: list[object], column: str) -> list[object]:
    """The values normalised: few as they stand, the same as many of which each is kept once."""
    many = len(values) * (FEW + 1)
    few, repeated = (
        normalise(column, read_texts(pa.table({column: pa.array(values * times, pa.string())}), column))
        for times in (1, FEW + 1)
    )
    once = repeated.distinct()
    assert len(set(once.values.to_pylist())) == len(once.values)
    found = [few.values[code].as_py() for code in few.codes]
    for texts in (repeated, once):
        assert [texts.values[code].as_py() for code in texts.codes] == found * (many // len(values))
    return found


def test_the_words_for_missing_are_one_missing_value() -> None:
    assert _as_text(["null", "Na", "", None, "NA", "none"], "region") == [None, None, None, None, "NA", "none"]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)", "windows_ie"),
        (
            "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.1 (KHTML, like Gecko) Chrome/21.0 Safari/537.1",
            "windows_chrome",
        ),
        ("Mozilla/5.0 (Linux; U; Android 2.3.5; zh-cn) AppleWebKit/533.1 Mobile Safari/533.1", "android_safari"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 5_0 like Mac OS X) AppleWebKit/534.46 Safari/7534.48.3", "mac_safari"),
        ("Opera/9.80 (Windows NT 5.1) Presto/2.12", "windows_opera"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20100101 Firefox/24.0", "linux_firefox"),
        ("Mozilla/5.0", "other_other"),
    ],
)
def test_raw_agents_are_named_as_in_the_packaged_tables(agent: str, name: str) -> None:
    assert _as_text([agent], "useragent") == _as_text([agent], "User_Agent") == [name]


def test_what_is_no_raw_agent_stays() -> None:
    values = ["windows_ie", "other_other", "my/app", "", None]
    assert os_browser(pa.array(values, pa.large_string())).to_pylist() == values
    assert _as_text(["Mozilla/5.0"], "browser") == ["Mozilla/5.0"]


def test_addresses_keep_two_octets() -> None:
    values = pa.array(["110.255.103.*", "1.2.3.4", "fe80::1", "ddd2926e", "1.2", None], pa.large_string())
    assert two_octets(values).to_pylist() == ["110.255", "1.2", "fe80::1", "ddd2926e", "1.2", None]
    assert _as_text(["110.255.103.*", "110.255.7.1", "null"], "IP") == ["110.255", "110.255", None]
    assert (field_name("IP"), field_name("ip"), field_name("zip")) == ("IP2", "ip2", "zip")


def test_whole_numbers_are_one_value_however_they_are_written() -> None:
    values = pa.array(["33.0", "33", "-5.0", "5.10", "1.0.0", "x.0", None], pa.large_string())
    assert whole_numbers(values).to_pylist() == ["33", "33", "-5", "5.10", "1.0.0", "x.0", None]


def test_a_campaign_is_one_value_in_its_crosses_too() -> None:
    column = Column(f"campaign{CROSSED}tags", "categories", "user", source=("campaign", "tags"))
    written = [pa.table({"campaign": pa.array([name]), "tags": pa.array(["a,b"])}) for name in ("7", "7.0", 7.0, 7)]
    found = [TableReader(table).values_in_rows(column)[1].values.to_pylist() for table in written]
    assert found == [["7 a", "7 b"]] * 4
