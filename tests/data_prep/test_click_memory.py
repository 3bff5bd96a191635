"""Five million rows are prepared and read with the memory of one million, and quickly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.synth.ctr_prediction import SCHEMA, write_log
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of a process is read from /proc"),
]

READ_S_PER_MILLION = 5.0
_MEASURED = """
import re, sys, time
from pathlib import Path
{imports}
log, folder = Path(sys.argv[1]), Path(sys.argv[2])
start = time.process_time()
{work}
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(time.process_time() - start, peak)
"""
PREPARE = _MEASURED.format(
    imports="from data_prep.click_set import prepare\nfrom data_prep.ctr_prediction import CtrConfig",
    work=f"prepare([log], folder, CtrConfig(schema=Path({str(SCHEMA)!r})))",
)
READ = _MEASURED.format(
    imports="from shared.prepared import PreparedSet",
    work="assert sum(len(b['row']) for b in PreparedSet(folder).table('impressions').batches(8192)) > 0",
)


def measured(program: str, log: Path, folder: Path) -> tuple[float, float]:
    """Processor seconds, which other processes do not lengthen, and peak resident MB of a program in its own process.

    The peak that `resource` knows is at least the parent's, which a child starts as a copy of.
    """
    words = [sys.executable, "-c", program, str(log), str(folder)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes / 1024


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_memory_is_flat_in_the_rows(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peaks: dict[str, list[float]] = {"prepare": [], "read": []}
    for millions in (1, 5):
        log, folder = tmp_path / f"log{suffix}", tmp_path / f"set{millions}"
        write_log(log, millions * 1_000_000, seed=1)
        for verb, program in (("prepare", PREPARE), ("read", READ)):
            seconds, peak = measured(program, log, folder)
            peaks[verb].append(peak)
            with capsys.disabled():
                print(f"\n{verb} {millions} M rows of {suffix}: {seconds / millions:.1f} s per million, {peak:.0f} MB")
            if verb == "read":
                assert seconds / millions < 2 * READ_S_PER_MILLION
    for verb, (one, five) in peaks.items():
        assert five <= 1.1 * one, f"{verb}: {one:.0f} MB for 1 M rows, {five:.0f} MB for 5 M"
