"""Two processes with half the batch each train like one process with the whole batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shared.checkpoint import load_checkpoint
from shared.fit import fit
from tests.shared.fit_toy import ToyNet, ToyTask, toy_config

REPOSITORY = Path(__file__).resolve().parents[2]


def assert_equals_one_process(folder: Path, tmp_path: Path) -> None:
    """The toy has neither dropout nor batch statistics, so only the order of additions may differ."""
    fit(ToyTask(), ToyNet(), toy_config(epochs=2), tmp_path / "one")
    one, several = (load_checkpoint(path / "last.ckpt") for path in (tmp_path / "one", folder))
    for part in ("model", "average"):
        torch.testing.assert_close(several[part], one[part], rtol=0, atol=1e-5)
    for line, expected in zip(several["history"], one["history"], strict=True):
        for part in ("terms", "metrics"):
            assert line[part] == pytest.approx(expected[part], abs=1e-5)


def test_two_processes_equal_one(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    command = [sys.executable, "-m", "tests.shared.fit_toy", str(folder), "--epochs", "2", "--devices", "2"]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=240)
    assert_equals_one_process(folder, tmp_path)


@pytest.mark.slow
def test_two_machines_equal_one_process(tmp_path: Path) -> None:
    """Two nodes of one process each, as torchrun starts them on two machines; here both are this one."""
    folder = tmp_path / "nodes"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    toy = ["-m", "tests.shared.fit_toy", str(folder), "--epochs", "2", "--num-nodes", "2"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
    torchrun += ["--master_addr", "127.0.0.1", "--master_port", str(port)]
    nodes = [
        subprocess.Popen([*torchrun, "--node_rank", str(rank), *toy], cwd=REPOSITORY, env={**os.environ})
        for rank in range(2)
    ]
    assert [node.wait(timeout=240) for node in nodes] == [0, 0]
    assert_equals_one_process(folder, tmp_path)
