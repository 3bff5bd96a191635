"""An app under test: its data, its training and its published model, each made once through the command line."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from shared.cli import main, parse_config
from shared.contract import App, load, verbs_of
from shared.experiment import Experiment
from shared.predictor import Predictor
from tests.contract.case import ContractCase, case_of

__all__ = ["Outcome", "Subject", "command"]

CPU = ("--fit.accelerator", "cpu", "--fit.progress", "false")
"""Flags of every training here: the same bits on every machine, and no bar."""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def done(self) -> Outcome:
        """Itself, after the command has succeeded."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}"
        return self

    def refused(self) -> str:
        """The one line that said what is wrong."""
        lines = [line for line in self.err.splitlines() if not line.startswith("note: ")]
        assert self.code == 2, f"exit code {self.code}\n{self.out}\n{self.err}"
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0]


def command(app: App, *words: object) -> Outcome:
    """Run `python -m PACKAGE WORDS` in this process: the same entry, without a second import of torch."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        try:
            code = main(app, [str(word) for word in words])
        except SystemExit as leaving:  # --help and --print_config leave through argparse
            code = int(leaving.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


class Subject:
    """An app with a folder that all test processes share."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app, self.folder = app, folder

    def __repr__(self) -> str:
        return f"Subject({self.app.name!r})"

    @cached_property
    def case(self) -> ContractCase:
        """What the app's own tests say about it."""
        return case_of(self.app)

    @cached_property
    def predictor_class(self) -> type[Predictor]:
        """The importable predictor."""
        return load(self.app.predictor)

    @cached_property
    def predictor(self) -> Predictor:
        """Loaded from the run."""
        return self.predictor_class.from_pretrained(self.run)

    @property
    def data(self) -> Path:
        """A prepared set."""
        return self._once("data", self.case.make_data)

    @property
    def run(self) -> Path:
        """A run folder."""
        return self._once("run", lambda folder: self.train(folder).done())

    @property
    def final(self) -> Path:
        """A run on every fold, as it is shipped."""
        return self._once("final", lambda folder: self.train(folder, "--split.test", "null").done())

    @property
    def published(self) -> Path:
        """A model folder whose card has the figures of a small cross-validation."""
        return self._once("published", self._publish)

    def flags(self, out: Path) -> list[str]:
        """The flags of a training."""
        return ["--data", str(self.data), "--out", str(out), *CPU, *self.case.smoke]

    def train(self, out: Path, *more: object) -> Outcome:
        """Run the verb `train`."""
        return command(self.app, "train", *self.flags(out), *more)

    def experiment(self, out: Path, *more: str) -> Experiment[Any]:
        """The experiment that `train` would run."""
        verb = verbs_of(self.app)["train"]
        words = [*self.flags(out), *more]
        config = parse_config(load(verb.config), words, prog="train", presets=self.app.folder / "presets")
        return load(self.app.experiment)(config)

    def input_file(self, folder: Path) -> Path:
        """The first valid input as a file that the verb `predict` reads."""
        item = self.case.inputs()[0]
        path = folder / ("input.json" if isinstance(item, Mapping) else "input.npy")
        if isinstance(item, Mapping):
            path.write_text(json.dumps(item))
        else:
            np.save(path, item)
        return path

    def predict_words(self, *files: object) -> list[str]:
        """The words of the verb `predict` for files, with the run's model."""
        keywords = [word for name, value in self.case.keywords.items() for word in (f"--{name}", str(value))]
        return ["predict", *map(str, files), "--model", str(self.run), "--json", "true", *keywords]

    def _publish(self, folder: Path) -> None:
        grid = self.folder / "grid"
        only = ("--seeds", "[0, 1]", "--baselines", "false")
        command(self.app, "crossval", *self.flags(grid), *only).done()
        command(self.app, "card", "--model", self.final, "--crossval", grid, "--publish", folder).done()

    def _once(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder `name`, made by whichever test process asks first; the others wait."""
        failed = self.folder / f"{name}.failed"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert not failed.exists(), f"{name} of {self.app.name} could not be made: {failed.read_text()}"
            done = self.folder / f"{name}.done"
            if not done.exists():
                try:
                    make(self.folder / name)
                except BaseException as error:
                    failed.write_text(str(error))
                    raise
                done.touch()
        return self.folder / name
