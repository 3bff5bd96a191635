"""Made-up rows in the form of the packaged iPinYou sample: date and hour apart, tags as one text, words for missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

TAGS = ("10006", "10024", "10063", "10110", "13042")


def packaged(rows: int, seed: int = 0) -> pa.Table:
    """Rows of two advertisers on four days, in the order of time."""
    rng = np.random.default_rng(seed)
    moment = np.sort(rng.integers(0, 4 * 24, rows))
    advertiser, tagged = rng.integers(0, 2, rows), rng.random((rows, len(TAGS))) < 0.3
    click = rng.random(rows) < np.where(tagged[:, 0] ^ (advertiser == 1), 0.4, 0.1)

    def drawn(*values: object) -> pa.Array:
        return pa.array([values[place] for place in rng.integers(0, len(values), rows)])

    return pa.table(
        {
            "click": click.astype(np.int8),
            "date": [f"2013-06-{6 + day:02d}" for day in moment // 24],
            "weekday": (3 + moment // 24).astype(np.int8),
            "hour": (moment % 24).astype(np.int8),
            "advertiser": [("1458", "3358")[place] for place in advertiser],
            "bidid": [f"{row:032x}" for row in range(rows)],
            "userid": [f"u{row}" for row in range(rows)],
            "useragent": drawn("windows_ie", "android_safari", "mac_safari", None),
            "IP": drawn("110.255.103.*", "113.205.105.*", "59.61.20.*"),
            "region": drawn("3", "275", "0"),
            "city": drawn("6", "275"),
            "adexchange": drawn("1", "2", "3", "null"),
            "domain": drawn("trqRTJB8XN1N1m58uG", "3SCYZrn0Qo18XMB4JKTI", "null", None),
            "url": [f"{number:032x}" for number in rng.integers(0, 300, rows)],
            "slotid": drawn("mm_11029759", "discuz_18316225", "sina_01"),
            "slotwidth": drawn(300, 728),
            "slotheight": drawn(250, 90),
            "slotvisibility": drawn("0", "1", "FirstView", "Na"),
            "slotformat": drawn("0", "1"),
            "slotprice": drawn(0, 5, 20, 77, 300),
            "creative": [f"c{place}" for place in advertiser],
            "keypage": drawn("43f4a37f42a7c5e6219e2601b26c6976", "null"),
            "usertag": [",".join(np.array(TAGS)[own]) or "null" for own in tagged],
            "bidprice": drawn(300),
            "payprice": rng.integers(0, 300, rows),
            "sample_weight": np.where(click, 1.0, 112.238).astype(np.float32),
        }
    )
